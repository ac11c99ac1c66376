// The dashboard in a real browser: `node main.mjs [WORD]` runs the tests whose name contains the word.
//
// HOWDAH_BINARY is the program, HOWDAH_TEST_NODE the folder with node_modules, HOWDAH_TEST_CHROMIUM the browser. One line
// a test: `test NAME ... ok (1.2 s)`. HOWDAH_TEST_BROWSER_SECONDS: how long a page is watched for what it must keep.

import {browser, close} from "./page.mjs";
import {Howdah} from "./world.mjs";
import * as look from "./test_look.mjs";
import * as live from "./test_live.mjs";
import * as orders from "./test_orders.mjs";
import * as pages from "./test_pages.mjs";
import * as size from "./test_size.mjs";
import * as together from "./test_together.mjs";

const word = process.argv[2] || "";
let failed = 0;

const all = [live, orders, pages, look, together, size].flatMap(module => Object.entries(module)).filter(([name, test]) => typeof test === "function" && name.includes(word));
await browser();
for (const [name, test] of all) {
  const begun = Date.now();
  let word = "ok";
  try {
    await test();
  } catch (error) {
    failed += 1;
    word = "FAILED";
    console.log(error.stack || error);
  }
  console.log(`test browser.${name} ... ${word} (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
}
await close();
await Howdah.end();
process.exit(failed || !all.length ? 1 : 0);
