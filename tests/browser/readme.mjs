// What the README says to do on the page, with the words that it says: `node readme.mjs URL SERVER SHOWN ORDERS DRAIN CLOSE ORDERS BACK`.
// Says DRAINED when the dialog shows SHOWN, and goes on at a line of its standard input.

import {createInterface} from "node:readline/promises";
import {must} from "./check.mjs";
import {close, openPage, quiet} from "./page.mjs";

const [url, server, shown, orders, drain, shut, again, back] = process.argv.slice(2);
const page = await openPage({url}), dialog = page.locator("#order");
const row = page.getByRole("row").filter({hasText: server});

/** As somebody finds it who looks for that word: on the screen, without scrolling. */
const find = async (place, word) => {
  const button = place.getByRole("button").filter({hasText: new RegExp(`^${word}$`)});
  await button.waitFor();
  const box = await button.boundingBox(), {width, height} = page.viewportSize();
  must(box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height, `"${word}" is not on the screen: ${JSON.stringify(box)}`);
  return button;
};

await (await find(row, orders)).click();
await (await find(dialog, drain)).click();
await dialog.getByRole("status").filter({hasText: shown}).waitFor({timeout: 30_000});
console.log("DRAINED");
await createInterface({input: process.stdin})[Symbol.asyncIterator]().next();
await (await find(dialog, shut)).click();
await row.filter({hasText: "draining"}).waitFor();
await (await find(row, again)).click();
await (await find(dialog, back)).click();
await dialog.getByRole("status").filter({hasText: `${server} is ready`}).waitFor();
await page.keyboard.press("Escape");
await row.filter({hasNotText: "draining"}).waitFor();
quiet(page, "the page");
await close();
process.exit(0);
