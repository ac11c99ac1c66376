// Live: what happens is seen at once, and what somebody does on the page outlives it.

import net from "node:net";
import {NAMES, longNames, many} from "./config.mjs";
import {must, same} from "./check.mjs";
import {LOOKS, openPage, quiet} from "./page.mjs";
import {until} from "./world.mjs";

const row = (page, name) => page.locator(`[data-server$="/${name}"]`);

export async function a_death_is_seen_within_two_seconds() {
  const {howdah, servers} = await longNames();
  const page = await openPage(howdah);
  await row(page, NAMES.servers[1]).locator(".pill.is-up").waitFor();
  await page.locator("#link.is-live").waitFor();
  const died = Date.now();
  await servers[1].die();
  await row(page, NAMES.servers[1]).locator(".pill.is-down").waitFor({timeout: 5000});
  const took = Date.now() - died;
  console.log(`  a death was seen after ${took} ms`);
  must(took < 2000, `seen after ${took} ms`);
  await page.locator("#whole h1").filter({hasText: "has lost 1 of 3 servers less than a minute ago"}).filter({hasText: "connection refused"}).waitFor({timeout: 2000});
  await page.locator("#said").filter({hasText: "has lost 1 of 3 servers: connection refused."}).waitFor({state: "attached"});
  await servers[1].start();
  await page.locator("#whole h1").filter({hasText: "Both pools are served, all 5 servers take sessions."}).waitFor({timeout: 4000});
  quiet(page, "the overview");
  await page.context().close();
  await howdah.stop();
}

export async function place_selection_and_focus_outlive_updates() {
  const {howdah, server} = await many(8, 6);
  const page = await openPage(howdah);
  await page.locator('[data-pool="pool-8"]').waitFor({state: "attached"});
  await page.keyboard.press("/");
  await page.keyboard.type("example");
  await page.evaluate(() => scrollTo(0, 700));
  await page.waitForTimeout(500);
  const before = await page.evaluate(() => {
    const name = document.querySelector('[data-server="pool-3/server-3-2.example.com"] .name-head').firstChild;
    getSelection().setBaseAndExtent(name, 1, name, 9);
    document.querySelector("[data-filter]").focus({preventScroll: true});
    globalThis.changes = 0;
    new MutationObserver(all => { globalThis.changes += all.length; }).observe(document.getElementById("main"), {subtree: true, childList: true, characterData: true});
    return {top: scrollY, selected: getSelection().toString()};
  });
  must(before.selected.length === 8 && before.top > 300, JSON.stringify(before));
  const seconds = Number(process.env.HOWDAH_TEST_BROWSER_SECONDS || 8), end = Date.now() + seconds * 1000;
  const sockets = [];
  const {listeners} = await howdah.status(), front = Number(listeners[2].bind[0].split(":")[1]);
  while (Date.now() < end) {
    // Sessions come and go meanwhile.
    const socket = net.connect(front, "127.0.0.1").on("error", () => {});
    socket.write("x");
    sockets.push(socket);
    if (sockets.length > 12) sockets.shift().destroy();
    await page.waitForTimeout(400);
    const now = await page.evaluate(() => ({top: scrollY, selected: getSelection().toString(), filter: document.activeElement?.dataset.filter !== undefined && document.activeElement.value}));
    same(now, {...before, filter: "example"}, "after an update");
  }
  for (const socket of sockets) socket.destroy();
  must(await page.evaluate(() => globalThis.changes) > seconds, "the page was not updated");
  quiet(page, "the overview");
  await page.context().close();
  await howdah.stop();
  await server.die();
}

export async function a_lost_howdah_is_said_and_found_again() {
  const {howdah} = await longNames();
  const page = await openPage(howdah);
  await row(page, NAMES.servers[0]).waitFor();
  await howdah.stop();
  await page.locator("#lost").filter({hasText: "Connection lost"}).filter({hasText: "last known state"}).waitFor({timeout: 6000});
  must(await row(page, NAMES.servers[0]).isVisible(), "the last known state is shown");
  await howdah.start();
  await page.locator("#lost").waitFor({state: "hidden", timeout: 10_000});
  await page.locator("#link.is-live").waitFor({timeout: 10_000});
  await page.context().close();
  await howdah.stop();
}

export async function without_the_stream_it_asks() {
  const {howdah, servers} = await longNames();
  const page = await openPage(howdah, "", LOOKS.light, {without: ["/api/v1/stream"]});
  await page.locator("#link.is-polling").waitFor();
  await servers[2].die();
  await row(page, NAMES.servers[2]).locator(".pill.is-down").waitFor({timeout: 4000});
  await page.context().close();
  await howdah.stop();
}

export async function keys_alone_suffice() {
  const {howdah} = await longNames();
  const page = await openPage(howdah);
  await row(page, NAMES.servers[0]).waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("impalad-2");
  await row(page, NAMES.servers[0]).waitFor({state: "hidden"});
  must(await row(page, NAMES.others[1]).isVisible(), "what fits stays");
  // From the filter on: the check box, the pool's name, the server's name, its probes, its orders.
  for (let presses = 0; presses < 12; presses += 1) {
    await page.keyboard.press("Tab");
    if (await page.evaluate(() => document.activeElement?.getAttribute("aria-label")?.startsWith("Orders for"))) break;
  }
  const strip = page.locator('[role="slider"]').first();
  await page.keyboard.press("Enter");
  await page.locator("#order[open]").waitFor();
  await page.keyboard.press("Escape");
  await page.locator("#order[open]").waitFor({state: "hidden"});
  await strip.focus();
  await page.keyboard.press("ArrowLeft");
  await page.locator("#tip").filter({hasText: /^up, .*took/}).waitFor();
  await page.context().close();
  await howdah.stop();
}

export async function an_outage_is_on_the_page_of_availability_with_its_cause() {
  const {howdah, others} = await longNames();
  for (const server of others) await server.die();
  await until("the pool is down", async () => (await howdah.status()).pools[1].servers.every(one => one.health === "down"));
  const report = async () => (await fetch(`${howdah.url}/api/v1/availability?window=1d`)).json();
  await until("the outage is counted", async () => (await report()).targets.some(one => one.name === NAMES.other && one.outages.length));
  const page = await openPage(howdah, "#/availability");
  const outages = page.getByRole("table", {name: `Outages of ${NAMES.other}`});
  await outages.filter({hasText: "lasts"}).filter({hasText: "failure"}).filter({hasText: /refused/i}).waitFor();
  await page.locator("#whole h1").filter({hasText: "has no server that takes sessions"}).waitFor();
  quiet(page, "the page of availability");
  await page.context().close();
  await howdah.stop();
}
