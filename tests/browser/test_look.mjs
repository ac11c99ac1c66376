// Every page, light, dark and on a phone, with names of 60 characters.

import {LOOKS, axe, openPage, quiet} from "./page.mjs";
import {NAMES, longNames} from "./config.mjs";
import {must, same} from "./check.mjs";
import {until} from "./world.mjs";

const server = `#/pool/${encodeURIComponent(NAMES.pool)}/${encodeURIComponent(NAMES.servers[0])}`;

export async function every_page_in_every_look() {
  must(NAMES.servers.every(name => name.length === 60), "the names are to have 60 characters");
  const {howdah, servers} = await longNames();
  await servers[0].die();
  await until("the server is down", async () => (await howdah.server(NAMES.pool, NAMES.servers[0])).health === "down");
  for (const look of Object.keys(LOOKS)) {
    const page = await openPage(howdah, "", LOOKS[look]);
    await page.getByRole("link", {name: "Configuration"}).waitFor();
    const menu = await page.locator("#nav a").evaluateAll(all => all.map(one => one.getAttribute("href")));
    for (const hash of [...menu, server, `#/pool/${encodeURIComponent(NAMES.pool)}`]) {
      await page.goto(`${howdah.url}/${hash}`);
      await page.waitForFunction(() => document.querySelector("#main > .view").children.length > 0 && !document.getElementById("main").innerText.includes("Looking"));
      const what = `${hash} ${look}`;
      const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
      must(wide <= room, `${what} is ${wide} wide, on ${room}`);
      const faults = await axe(page);
      must(!faults.length, `${what}:\n${faults.join("\n")}`);
      quiet(page, what);
    }
    await page.context().close();
  }
  await howdah.stop();
}

/** The reason is on the screen, beside a name that is too long for it; a bar is as long as its part of the bound. */
export async function a_long_name_leaves_room_for_the_reason() {
  const {howdah, servers} = await longNames();
  await servers[0].die();
  for (const look of Object.keys(LOOKS)) {
    const page = await openPage(howdah, "", LOOKS[look]);
    const reason = page.locator(`[data-server$="${NAMES.servers[0]}"] .reason`);
    await reason.waitFor();
    same(await reason.innerText(), "connection refused", "the reason");
    const box = await reason.boundingBox(), {width} = page.viewportSize();
    must(box.x >= 0 && box.x + box.width <= width, `${look}: the reason is at ${box.x}, ${box.width} wide`);
    const name = page.locator(`[data-server$="${NAMES.servers[0]}"] .name`);
    same(await name.getAttribute("title"), NAMES.servers[0], "the whole name");
    must((await name.innerText()).replaceAll("\n", "").endsWith("example.com"), "its end is shown");
    await page.context().close();
  }
  await howdah.stop();
}
