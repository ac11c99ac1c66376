// Orders: refused without the operator's token, carried out with it, and what came of them.

import net from "node:net";
import {NAMES, READER, TOKEN, longNames} from "./config.mjs";
import {must, same} from "./check.mjs";
import {LOOKS, openPage} from "./page.mjs";
import {until} from "./world.mjs";

export async function a_drain_is_asked_refused_and_carried_out() {
  const {howdah} = await longNames(), [name] = NAMES.servers;
  const sockets = [1, 2, 3].map(() => net.connect(howdah.front, "127.0.0.1").on("error", () => {}));
  for (const socket of sockets) socket.write("hello");
  await until("three sessions", async () => (await howdah.status()).listeners[0].sessions_active === 3);
  const held = (await howdah.status()).pools[0].servers.find(one => one.sessions_active)?.name ?? name;
  const {sessions_active: active} = await howdah.server(NAMES.pool, held);
  const page = await openPage(howdah), dialog = page.locator("#order");
  await page.getByRole("button", {name: `Orders for ${held} of ${NAMES.pool}`}).click();
  await dialog.filter({hasText: "takes no new sessions"}).filter({hasText: active === 1 ? "Its one session goes on" : `Its ${active} sessions go on`}).waitFor();
  await dialog.getByRole("button", {name: "Drain", exact: true}).click();
  await dialog.getByRole("alert").filter({hasText: "needs the operator's token"}).waitFor();
  same((await howdah.server(NAMES.pool, held)).admin, "ready", "an order without a token");
  await dialog.locator("[name=token]").fill("a-guess");
  await page.keyboard.press("Enter");
  await dialog.getByRole("alert").filter({hasText: "not the operator's token"}).waitFor();
  await dialog.locator("[name=token]").fill(TOKEN);
  await page.keyboard.press("Enter");
  await dialog.getByRole("status").filter({hasText: "is draining"}).filter({hasText: active === 1 ? "1 session left" : `${active} sessions left`}).waitFor();
  same((await howdah.server(NAMES.pool, held)).admin, "draining", "the order");
  // Its progress is told while the dialog is open.
  for (const socket of sockets) socket.destroy();
  await dialog.getByRole("status").filter({hasText: "no session is left"}).waitFor({timeout: 4000});
  await page.keyboard.press("Escape");
  await page.locator(`[data-server$="/${held}"] .pill.is-draining`).waitFor();
  same(await page.evaluate(() => [sessionStorage.length, localStorage.length, document.cookie]), [1, 0, ""], "where the token is");
  await page.getByRole("button", {name: `Orders for ${held} of ${NAMES.pool}`}).click();
  await dialog.getByRole("button", {name: "Put back"}).click();
  await dialog.getByRole("status").filter({hasText: "is ready and takes sessions"}).waitFor();
  same((await howdah.server(NAMES.pool, held)).admin, "ready", "the second order");
  await page.context().close();
  await howdah.stop();
}

export async function a_weight_that_is_none_is_refused_with_the_reason() {
  const {howdah} = await longNames(), [name] = NAMES.servers;
  const page = await openPage(howdah, `#/pool/${encodeURIComponent(NAMES.pool)}/${encodeURIComponent(name)}`), dialog = page.locator("#order");
  await page.getByRole("button", {name: "Operator"}).click();
  await dialog.locator("[name=token]").fill(TOKEN);
  await dialog.getByRole("button", {name: "Keep it"}).click();
  await page.keyboard.press("Escape");
  await page.getByRole("button", {name: "Weight…"}).click();
  await dialog.locator("[name=weight]").evaluate(field => { field.removeAttribute("max"); });
  await dialog.locator("[name=weight]").fill("9999");
  await dialog.getByRole("button", {name: "Set weight"}).click();
  await dialog.getByRole("alert").filter({hasText: "from 1 to 256"}).waitFor();
  await dialog.locator("[name=weight]").fill("7");
  await dialog.getByRole("button", {name: "Set weight"}).click();
  await dialog.getByRole("status").filter({hasText: "has the weight 7"}).waitFor();
  same((await howdah.server(NAMES.pool, name)).weight, 7, "the weight");
  await page.context().close();
  await howdah.stop();
}

export async function a_reload_says_what_it_would_change_and_what_it_did() {
  const {howdah} = await longNames();
  const page = await openPage(howdah, "#/configuration"), dialog = page.locator("#order");
  await page.getByRole("button", {name: "Operator"}).click();
  await dialog.locator("[name=token]").fill(TOKEN);
  await dialog.getByRole("button", {name: "Keep it"}).click();
  await page.keyboard.press("Escape");
  howdah.write(howdah.again('balance = "random"'));
  await page.getByRole("button", {name: "Reload…"}).click();
  await dialog.filter({hasText: "It would change"}).filter({hasText: "random"}).waitFor();
  same((await howdah.status()).generation, 1, "before it is ordered");
  await dialog.getByRole("button", {name: "Reload", exact: true}).click();
  await dialog.getByRole("status").filter({hasText: "generation 2"}).waitFor();
  await page.keyboard.press("Escape");
  await page.locator(".reloads").filter({hasText: "random"}).waitFor();
  must(!(await page.locator("main").innerText()).includes(TOKEN), "the token is on the page");
  howdah.write(howdah.again('balance = "randon"'));
  await page.getByRole("button", {name: "Reload…"}).click();
  await dialog.getByRole("button", {name: "Reload", exact: true}).click();
  await dialog.getByRole("alert").filter({hasText: "randon"}).waitFor();
  await page.context().close();
  await howdah.stop();
}

export async function one_session_is_ended_and_no_other() {
  const {howdah} = await longNames();
  const ends = [];
  const sockets = [0, 1, 2].map(number => net.connect(howdah.front, "127.0.0.1").on("error", () => {}).on("close", () => ends.push(number)).resume());
  for (const socket of sockets) socket.write("hello");
  await until("three sessions", async () => (await howdah.status()).listeners[0].sessions_active === 3);
  const page = await openPage(howdah, "#/sessions"), dialog = page.locator("#order");
  const client = `127.0.0.1:${sockets[1].localPort}`;
  await page.getByRole("button", {name: `End the session of ${client}`}).click();
  await dialog.getByRole("button", {name: "End it"}).click();
  await dialog.getByRole("alert").filter({hasText: "needs the operator's token"}).waitFor();
  await dialog.locator("[name=token]").fill(TOKEN);
  await page.keyboard.press("Enter");
  await dialog.getByRole("status").filter({hasText: "is ended"}).waitFor();
  await until("its end is seen", () => ends.length === 1, 3000);
  same(ends, [1], "who was ended");
  await page.keyboard.press("Escape");
  await page.getByRole("button", {name: "Ended"}).click();
  await page.locator("table.ended tbody tr").filter({hasText: client}).waitFor();
  for (const socket of sockets) socket.destroy();
  await page.context().close();
  await howdah.stop();
}

export async function who_may_look_sees_it_live_and_orders_nothing() {
  const {howdah, servers} = await longNames('reader_token_file = "reader"'), [, , name] = NAMES.servers;
  const page = await openPage(howdah, "", LOOKS.light, {password: READER}), dialog = page.locator("#order");
  await page.locator("#link.is-live").waitFor();
  await servers[2].die();
  await page.locator(`[data-server$="/${name}"] .pill.is-down`).waitFor({timeout: 4000});
  await page.getByRole("button", {name: `Orders for ${name}`}).click();
  await dialog.getByRole("button", {name: "Drain", exact: true}).click();
  await dialog.getByRole("alert").filter({hasText: "needs the operator's token"}).waitFor();
  await dialog.locator("[name=token]").fill(READER);
  await page.keyboard.press("Enter");
  await dialog.getByRole("alert").filter({hasText: "not the operator's token"}).waitFor();
  same((await howdah.server(NAMES.pool, name)).admin, "ready", "an order with the readers' token");
  await dialog.locator("[name=token]").fill(TOKEN);
  await page.keyboard.press("Enter");
  await dialog.getByRole("status").filter({hasText: "is drained"}).waitFor();
  await page.context().close();
  await howdah.stop();
}
