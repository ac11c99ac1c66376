// What each page tells beside the servers' health, and what can be done there: sessions against their bound, probes under the pointer, filters,
// who ordered what, certificates, and the configuration without its secrets.

import {execFileSync} from "node:child_process";
import {mkdtempSync, readFileSync, rmSync} from "node:fs";
import net from "node:net";
import {tmpdir} from "node:os";
import path from "node:path";
import {NAMES, TOKEN, longNames} from "./config.mjs";
import {must, same} from "./check.mjs";
import {openPage, quiet} from "./page.mjs";
import {until} from "./world.mjs";

const SECRET = "hook-that-nobody-may-read";
const row = (page, name) => page.locator(`[data-server$="/${name}"]`);

export async function maintenance_and_a_drain_with_a_time_say_what_they_do() {
  const {howdah} = await longNames();
  const socket = net.connect(howdah.front, "127.0.0.1").on("error", () => {});
  socket.write("hello");
  const holds = async () => (await howdah.status()).pools[0].servers.find(one => one.sessions_active)?.name;
  const name = await until("a session", holds);
  const page = await openPage(howdah, `#/pool/${encodeURIComponent(NAMES.pool)}/${encodeURIComponent(name)}`), dialog = page.locator("#order");
  await page.getByRole("button", {name: "Maintenance…"}).click();
  await dialog.filter({hasText: "probes go on. Its one session goes on until it ends by itself."}).waitFor();
  await dialog.getByRole("button", {name: "Take out"}).click();
  await dialog.locator("[name=token]").fill(TOKEN);
  await page.keyboard.press("Enter");
  await dialog.getByRole("status").filter({hasText: "is in maintenance, 1 session left"}).waitFor();
  same((await howdah.server(NAMES.pool, name)).admin, "maintenance", "the order");
  await page.keyboard.press("Escape");
  await page.locator(".page-head .pill.is-maintenance").waitFor();
  await page.getByRole("button", {name: "Put back…"}).click();
  await dialog.getByRole("button", {name: "Put back"}).click();
  await dialog.getByRole("status").filter({hasText: "takes sessions"}).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", {name: "Drain…"}).click();
  await dialog.getByLabel("Sessions may stay").selectOption("10 minutes");
  await dialog.filter({hasText: "what is left after 10 minutes is ended"}).waitFor();
  const sent = page.waitForRequest(request => request.url().endsWith("/drain"));
  await dialog.getByRole("button", {name: "Drain", exact: true}).click();
  same((await sent).postDataJSON(), {timeout: "10m"}, "what was ordered");
  await dialog.getByRole("status").filter({hasText: "1 session left, ended after 10 minutes at the latest"}).waitFor();
  await page.keyboard.press("Escape");
  // The history of the server, and that of all, say what was ordered, and by what right.
  await page.goto(`${howdah.url}/#/events`);
  for (const text of ["in maintenance", "back to work", "draining"]) {
    await page.getByRole("row").filter({hasText: name.slice(0, 12)}).filter({hasText: text}).filter({hasText: "by token"}).first().waitFor();
  }
  same(await page.getByRole("link", {name: "Save as JSON"}).getAttribute("href"), "/api/v1/events?limit=100000", "the export");
  socket.destroy();
  await page.context().close();
  await howdah.stop();
}

export async function bars_ticks_filters_and_colours_do_what_they_say() {
  const {howdah} = await longNames();
  const sockets = Array.from({length: 5}, () => net.connect(howdah.front, "127.0.0.1").on("error", () => {}));
  for (const socket of sockets) socket.write("hello");
  // Sticky: all of one address are on one server.
  const holds = async () => (await howdah.status()).pools[0].servers.find(one => one.sessions_active === 5)?.name;
  const name = await until("five sessions on one server", holds);
  const page = await openPage(howdah);
  await page.locator(`[data-pool="${NAMES.pool}"] .numbers`).filter({hasText: "1 sticky"}).waitFor();
  await row(page, name).locator(".load[title='5 of 20 sessions']").waitFor();
  const [bar, whole] = await row(page, name).locator(".bar").evaluate(one => [one.firstElementChild.getBoundingClientRect().width, one.getBoundingClientRect().width]);
  must(Math.abs(bar / whole - 0.25) < 0.02, `5 of 20 are ${bar} of ${whole}`);
  await row(page, name).locator('[role="slider"] i').first().hover();
  await page.locator("#tip").filter({hasText: /^up, .*took/}).waitFor();
  await page.locator("#whole h1").hover();
  await page.locator("#tip").waitFor({state: "hidden"});
  await page.getByLabel("only what is not well").check();
  await page.locator(`[data-pool="${NAMES.pool}"]`).waitFor({state: "hidden"});
  await page.getByLabel("only what is not well").uncheck();
  await page.locator(`[data-pool="${NAMES.pool}"]`).waitFor();
  // By the button, and for the next visit.
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor), light = await ground();
  await page.getByRole("button", {name: "Dark colours"}).click();
  const dark = await ground();
  must(dark !== light, `the ground stays ${light}`);
  await page.reload();
  await page.getByRole("button", {name: "Light colours"}).waitFor();
  same(await ground(), dark, "the ground after a reload");
  await page.goto(`${howdah.url}/#/sessions`);
  const listed = page.getByRole("table", {name: "Open sessions"}).locator("tbody tr");
  await until("five are listed", async () => await listed.count() === 5);
  await page.getByLabel("Filter sessions").fill(`127.0.0.1:${sockets[3].localPort}`);
  await until("one is left", async () => await listed.count() === 1);
  await page.getByLabel("Filter sessions").fill("nobody");
  await page.getByText("No session like that is open.").waitFor();
  quiet(page, "the page of sessions");
  for (const socket of sockets) socket.destroy();
  await page.context().close();
  await howdah.stop();
}

export async function certificates_with_their_end_and_the_configuration_without_its_secrets() {
  const folder = mkdtempSync(path.join(tmpdir(), "howdah-browser-")), file = name => path.join(folder, name);
  const names = "subjectAltName=DNS:hive.example.com,DNS:*.sales.example.com";
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=hive.example.com", "-addext", names, "-days", "20",
    "-keyout", file("key"), "-out", file("cert")], {stdio: "ignore", timeout: 20_000});
  const {howdah} = await longNames(`
[[alert]]
name = "pager"
url = "http://127.0.0.1:1/${SECRET}"
on = "certificate"

[[listener]]
name = "secured"
bind = "127.0.0.1:0"
pool = "${NAMES.pool}"

[listener.tls]
certificates = [{ cert = "${file("cert")}", key = "${file("key")}" }]
`);
  const page = await openPage(howdah, "#/certificates");
  const line = page.getByRole("table", {name: "Certificates"}).getByRole("row").filter({hasText: "hive.example.com"});
  await line.filter({hasText: "*.sales.example.com"}).filter({hasText: /(19|20) days left/}).filter({hasText: "secured"}).waitFor();
  await line.locator(".pill.is-alive").waitFor();
  await page.goto(`${howdah.url}/#/configuration`);
  const text = page.getByRole("region", {name: "The configuration as it runs"});
  await text.filter({hasText: 'url = "***"'}).filter({hasText: 'name = "pager"'}).waitFor();
  const html = await page.content();
  for (const secret of [SECRET, TOKEN, readFileSync(file("key"), "utf8").split("\n")[1]]) must(!html.includes(secret), `the page shows ${secret}`);
  quiet(page, "the configuration");
  await page.context().close();
  await howdah.stop();
  rmSync(folder, {recursive: true, force: true});
}

export async function an_answer_that_comes_late_is_not_drawn_over_the_next_page() {
  const {howdah} = await longNames();
  const page = await openPage(howdah), held = [];
  let holds = true;
  await page.route("**/history", route => holds ? void held.push(route) : route.continue());
  await page.goto(`${howdah.url}/#/pool/${encodeURIComponent(NAMES.pool)}/${encodeURIComponent(NAMES.servers[0])}`);
  await page.getByRole("button", {name: "Drain…"}).waitFor();
  // The overview has asked, too.
  await until("the server's page asks", async () => held.length && page.locator(".page-head h2", {hasText: NAMES.servers[0]}).count());
  await page.goto(`${howdah.url}/#/events`);
  await page.getByRole("link", {name: "Save as JSON"}).waitFor();
  holds = false;
  await Promise.all(held.map(route => route.continue()));
  // Nothing is to happen: so much time it has.
  await page.waitForTimeout(500);
  must(await page.getByRole("link", {name: "Save as JSON"}).isVisible(), "the page of events is gone");
  same(await page.getByRole("button", {name: "Drain…"}).count(), 0, "what is left of the server's page");
  quiet(page, "the page of events");
  await page.context().close();
  await howdah.stop();
}
