// The browser, and pages of it that fail a test by whatever they complain of.

import {createRequire} from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.env.HOWDAH_TEST_NODE, "package.json"));
const {chromium} = require("playwright-core");
const AXE = require.resolve("axe-core/axe.min.js");

export const LOOKS = {
  light: {viewport: {width: 1280, height: 800}, colorScheme: "light"},
  dark: {viewport: {width: 1280, height: 800}, colorScheme: "dark"},
  phone: {viewport: {width: 390, height: 844}, colorScheme: "light", hasTouch: true, isMobile: true},
};

let running = null;

export async function browser() {
  // As root in a container there is no namespace for its sandbox; nothing but howdah's own page is opened.
  running ||= await chromium.launch({executablePath: process.env.HOWDAH_TEST_CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"]});
  return running;
}

export async function close() { await running?.close(); }

/** A page of its own at that hash; `complaints` fills with console errors, broken scripts and failed requests.
 * `without`: paths that the network does not let through; `password`: what the browser's user gives when asked. */
export async function openPage(howdah, hash = "", look = LOOKS.light, {without = [], password} = {}) {
  const context = await (await browser()).newContext({...look, reducedMotion: "reduce", ...(password ? {httpCredentials: {username: "howdah", password}} : {})});
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.complaints = [];
  page.on("console", message => { if (["error", "warning"].includes(message.type())) page.complaints.push(`console: ${message.text()} ${message.location().url}`); });
  page.on("pageerror", error => page.complaints.push(`script: ${error.stack}`));
  page.on("requestfailed", request => { if (!/ERR_ABORTED/.test(request.failure()?.errorText)) page.complaints.push(`request: ${request.url()} ${request.failure()?.errorText}`); });
  page.on("request", request => { if (!request.url().startsWith(howdah.url)) page.complaints.push(`fetches from elsewhere: ${request.url()}`); });
  for (const path of without) await context.route(`**${path}`, route => route.abort());
  await page.goto(`${howdah.url}/${hash}`);
  await page.locator("#whole h1").filter({hasNotText: "Looking"}).waitFor();
  return page;
}

export function quiet(page, what) {
  if (page.complaints.length) throw new Error(`${what} complains:\n${page.complaints.join("\n")}`);
}

/** What axe finds that is serious or worse. */
export async function axe(page) {
  const source = require("node:fs").readFileSync(AXE, "utf8");
  // Beside the policy of the page, which would not have it.
  await page.evaluate(source);
  const found = await page.evaluate(() => globalThis.axe.run(document, {resultTypes: ["violations"]}));
  return found.violations.filter(one => ["serious", "critical"].includes(one.impact))
    .map(one => `${one.id} (${one.impact}): ${one.help}: ${one.nodes.slice(0, 3).map(node => `${node.target} ${node.any[0]?.message || ""}`).join(" | ")}`);
}
