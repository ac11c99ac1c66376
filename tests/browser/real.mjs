// Before real HiveServer2 servers: `node real.mjs URL POOL SERVER`. Drains the server on its page while it has one session,
// says DRAINING, waits on the page until that session has ended, and puts it back.

import {must} from "./check.mjs";
import {close, openPage, quiet} from "./page.mjs";

const [url, pool, server] = process.argv.slice(2);
const page = await openPage({url}, `#/pool/${pool}/${server}`), dialog = page.locator("#order");
await page.locator(".page-head .pill.is-up").waitFor();
const steps = page.locator("table.probes tbody tr").first();
await steps.filter({hasText: "up"}).waitFor();
const history = await page.evaluate(async () => (await (await fetch("/api/v1/openapi.json")).json()).paths["/api/v1/pools/{pool}/servers/{server}/history"] !== undefined);
if (history) must((await steps.locator(".step-list li").count()) > 1, "the steps of the handshake");
await page.getByRole("button", {name: "Drain…"}).click();
await dialog.filter({hasText: "Its one session goes on until"}).waitFor();
await dialog.getByRole("button", {name: "Drain", exact: true}).click();
await dialog.getByRole("status").filter({hasText: "1 session left"}).waitFor();
console.log("DRAINING");
await dialog.getByRole("status").filter({hasText: "no session is left"}).waitFor({timeout: 60_000});
await page.keyboard.press("Escape");
await page.getByRole("button", {name: "Put back…"}).click();
await dialog.getByRole("button", {name: "Put back"}).click();
await dialog.getByRole("status").filter({hasText: "takes sessions"}).waitFor();
quiet(page, "the server's page");
await close();
