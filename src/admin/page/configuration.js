// The page of the configuration as it runs, secrets masked, with what the last reloads changed.

import {h, memo, render} from "./dom.js";
import {empty, fact, pill, section} from "./parts.js";
import {look} from "./api.js";
import {moment} from "./format.js";
import {reload} from "./orders.js";
import {since} from "./clock.js";
import {soon} from "./pace.js";
import {store} from "./store.js";

export function open(main) {
  let told = null, fault = "";
  const draw = () => render(main,
    h("div", {class: "page-head line"}, h("h2", {class: "grow"}, "Configuration"), h("button", {type: "button", class: "main", onclick: () => reload(fetchAll)}, "Reload…")),
    fault ? h("p", {class: "outcome bad"}, fault) : null,
    refused(store.head?.refused_reload),
    store.head?.needs_restart?.length ? h("p", {class: "outcome warn"}, `Waits for a restart: ${store.head.needs_restart.join(", ")}.`) : null,
    told ? [facts(told), section("Last reloads", null, h("div", {class: "card"}, reloads(told.reloads || []))),
      section("As it runs", h("span", {class: "soft"}, "secrets are ***"), h("div", {class: "card"}, told.text ? memo("text", [told.text], () => text(told.text)) : empty("howdah was started without a file, as the demo is: there is nothing to read again.")))] : null);
  const fetchAll = async () => {
    try { const found = await look("/api/v1/configuration", "configuration"); if (JSON.stringify(found) !== JSON.stringify(told)) told = found; fault = ""; } catch (error) { fault = error.message; }
    soon("configuration", draw);
  };
  draw();
  fetchAll();
  const timer = setInterval(fetchAll, 10_000);
  return {title: "Configuration", hear(what) { if (what === "head") soon("configuration", draw); }, close: () => clearInterval(timer)};
}

const refused = one => one ? h("div", {class: "outcome bad"}, h("span", {class: "sign", "aria-hidden": "true"}, "✕"),
  h("div", null, h("p", null, "The last reload was refused ", since(one.at, "ago"), `: ${one.error}`), one.faults?.length ? h("pre", {class: "faults"}, one.faults.join("\n\n")) : null)) : null;

const facts = told => h("dl", {class: "facts card"},
  fact("Generation", told.generation), fact("Loaded", told.loaded_at ? since(told.loaded_at, "ago") : "–"),
  h("div", {class: "fact wide"}, h("dt", null, "File"), h("dd", {class: "mono"}, told.file || "none")));

function reloads(all) {
  if (!all.length) return empty("None since the start.");
  return h("ul", {class: "reloads"}, [...all].sort((one, other) => other.at.localeCompare(one.at)).map(one => h("li", {key: one.at},
    h("div", {class: "line"}, pill(one.error ? "error" : "up", one.result), h("span", {class: "mono soft"}, moment(one.at)), one.by ? h("span", {class: "soft"}, `by ${one.by}`) : null),
    one.error ? h("p", {class: "warned"}, one.error) : null,
    one.changes?.length ? h("ul", {class: "changes"}, one.changes.map(change => h("li", null, typeof change === "string" ? change : change.text || JSON.stringify(change)))) : one.error ? null : h("p", {class: "soft"}, "Nothing changed."))));
}

const text = all => h("pre", {class: "config", tabindex: "0", role: "region", "aria-label": "The configuration as it runs"}, (all || "").replace(/\n$/, "").split("\n").map((line, index) =>
  h("span", {class: `config-line${/^\s*#/.test(line) ? " remark" : /^\s*\[/.test(line) ? " heading" : ""}`, "data-line": index + 1}, `${line}\n`)));
