// Pictures for docs/images: `node images.mjs FOLDER [SECONDS]`. The demo runs for that long before they are taken, so that
// its time lines have something to show; one of its servers is down then.

import {spawn} from "node:child_process";
import path from "node:path";
import {LOOKS, close, openPage} from "./page.mjs";
import {until} from "./world.mjs";

const [folder, seconds = "60"] = process.argv.slice(2);
const demo = spawn(process.env.HOWDAH_BINARY, ["demo", "--every", "40s"], {stdio: ["ignore", "pipe", "inherit"]});
let said = "";
demo.stdout.on("data", data => { said += data; });
const url = await until("the demo is there", () => /Status page\s+(http:\S+?)\/\s/.exec(said)?.[1], 10_000);
const isDown = async () => (await (await fetch(`${url}/api/v1/status`)).json()).pools[0].servers.find(one => one.health === "down")?.name;

const end = Date.now() + Number(seconds) * 1000;
await until("a Hive is down", async () => Date.now() > end && await isDown(), Number(seconds) * 1000 + 120_000);
const down = await isDown();
for (const [name, hash, look] of [
  ["overview-light", "", LOOKS.light], ["overview-dark", "", LOOKS.dark], ["overview-phone", "", LOOKS.phone],
  ["server", `#/pool/hive/${down}`, LOOKS.light], ["sessions", "#/sessions", LOOKS.light],
]) {
  const page = await openPage({url}, hash, look);
  await page.waitForTimeout(1500);
  await page.screenshot({path: path.join(folder, `dashboard-${name}.png`)});
  await page.context().close();
}
await close();
demo.kill("SIGTERM");
