// What a howdah is together with others: addresses, peers and those it was taken over from, on the first page.

import net from "node:net";
import {LOOKS, axe, openPage, quiet} from "./page.mjs";
import {must} from "./check.mjs";
import {pair} from "./config.mjs";
import {until} from "./world.mjs";

export async function addresses_peers_and_predecessors_are_on_the_first_page() {
  const {howdah, front, server} = await pair();
  const socket = net.connect(front, "127.0.0.1").on("error", () => {});
  await new Promise(good => socket.once("data", good).write("hello"));
  const successor = await howdah.successor();
  await until("it has a predecessor", async () => (await successor.status().catch(() => null))?.predecessors?.[0]?.sessions === 1);
  const page = await openPage(successor);
  const card = (kind, title) => page.getByRole("region", {name: "With others"}).getByRole("listitem").filter({hasText: kind}).filter({hasText: title});
  await card("virtual address", "front").filter({hasText: "fault"}).filter({hasText: "192.0.2.10"}).filter({hasText: "on no-such-link"}).waitFor();
  await card("peer", "lb-2").filter({hasText: "away"}).filter({hasText: "0 sticky entries sent"}).waitFor();
  await card("predecessor", `process ${howdah.child.pid}`).filter({hasText: "1 session left"}).waitFor();
  for (const [look, {viewport, colorScheme}] of Object.entries(LOOKS)) {
    await page.emulateMedia({colorScheme});
    await page.setViewportSize(viewport);
    const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    must(wide <= room, `${look} is ${wide} wide, on ${room}`);
    const faults = await axe(page);
    must(!faults.length, `${look}:\n${faults.join("\n")}`);
  }
  quiet(page, "the first page");
  await page.context().close();
  socket.destroy();
  await successor.stop();
  await server.die();
}
