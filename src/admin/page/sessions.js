// The page of sessions: those that are open, live, and the last thousand that ended, with the reason.

import {h, render} from "./dom.js";
import {bytes, moment, number, span, spoken, took} from "./format.js";
import {cell, empty, name, row, serverLink, table} from "./parts.js";
import {endSession} from "./orders.js";
import {look} from "./api.js";
import {poolHash} from "./sentence.js";
import {soon} from "./pace.js";
import {store} from "./store.js";

export function open(main, _, query) {
  const filter = {text: "", pool: query.get("pool") || "", server: query.get("server") || "", client: query.get("client") || "", idle: "", sort: "", ended: query.has("ended")};
  let told = null, fault = "", typing = 0;

  const draw = () => render(main, head(), tools(), h("div", {class: "card", key: filter.ended ? "ended" : "open"}, list()));

  const head = () => h("div", {class: "page-head"}, h("h2", null, "Sessions"),
    h("div", {class: "tabs", role: "group", "aria-label": "Which sessions"}, [[false, "Open now"], [true, "Ended"]].map(([ended, text]) =>
      h("button", {type: "button", key: text, "aria-pressed": String(filter.ended === ended), onclick: () => { filter.ended = ended; told = null; draw(); fetchAll(); }}, text))));

  const set = key => event => { filter[key] = event.target.value; if (key === "pool") filter.server = ""; fetchAll(); };

  const tools = () => h("div", {class: "tools"},
    h("input", {type: "search", class: "filter", "data-filter": true, placeholder: "Filter: any word…   /", "aria-label": "Filter sessions", value: filter.text,
      oninput: event => { filter.text = event.target.value; draw(); clearTimeout(typing); typing = setTimeout(fetchAll, TYPING); }}),
    h("label", {class: "inline"}, "pool ", h("select", {value: filter.pool, onchange: set("pool")}, h("option", {value: ""}, "all"), [...store.pools.keys()].map(pool => h("option", {value: pool, key: pool}, pool)))),
    filter.pool ? h("label", {class: "inline"}, "server ", h("select", {value: filter.server, onchange: set("server")}, h("option", {value: ""}, "all"),
      (store.pools.get(filter.pool)?.servers || []).map(one => h("option", {value: one.name, key: one.name}, one.name)))) : null,
    h("label", {class: "inline"}, "client ", h("input", {type: "text", size: "16", placeholder: "10.1.0.0/16", value: filter.client, onchange: set("client")})),
    filter.ended ? null : h("label", {class: "inline"}, "idle for ", h("select", {value: filter.idle, onchange: set("idle")}, [["", "any time"], ["1m", "1 min"], ["10m", "10 min"], ["1h", "1 h"], ["8h", "8 h"]].map(([value, text]) => h("option", {value, key: value}, text)))),
    filter.ended ? null : h("label", {class: "inline"}, "first ", h("select", {value: filter.sort, onchange: set("sort")}, Object.entries(SORTS).map(([value, [text]]) => h("option", {value, key: value}, text)))),
    h("span", {class: "soft grow"}, fault || count()));

  const shown = () => (told?.sessions || []).filter(one => filter.text.toLowerCase().split(/\s+/).every(word =>
    `${one.id ?? one.session} ${one.client} ${one.listener} ${one.pool}/${one.server} ${one.pick} ${one.stage} ${one.reason} ${one.sni}`.toLowerCase().includes(word)));

  const count = () => {
    if (!told) return "";
    const some = Math.min(shown().length, ROWS), all = told.total ?? told.sessions.length;
    return some === all ? `${number(all)} ${filter.ended ? "ended" : "open"}` : `${number(some)} of ${number(all)}`;
  };

  const list = () => {
    if (!told) return empty("Looking…");
    const [, by] = SORTS[filter.ended ? "" : filter.sort];
    const some = (by ? shown().sort((one, other) => by(other) - by(one)) : shown()).slice(0, ROWS);
    if (!some.length) return empty(filter.ended ? "None of the last thousand." : "No session like that is open.");
    return filter.ended ? endedTable(some) : sessionTable(some, fetchAll);
  };

  async function fetchAll() {
    // A word is looked for in all of them, and so is who comes first.
    const asked = new URLSearchParams(filter.ended ? {} : {limit: String(filter.text || filter.sort ? ALL : ROWS)});
    for (const key of ["pool", "server", "client", "idle"]) if (filter[key] && !(filter.ended && key === "idle")) asked.set(key, filter[key]);
    const ended = filter.ended;
    try {
      const answer = await look(`/api/v1/sessions${ended ? "/ended" : ""}?${asked}`, "sessions");
      if (ended !== filter.ended) return;
      if (answer) told = answer;
      fault = answer ? "" : "This howdah does not list its sessions.";
    } catch (error) {
      fault = error.message;
    }
    soon("sessions", draw);
  }

  draw();
  fetchAll();
  const timer = setInterval(fetchAll, 2000);
  return {title: "Sessions", hear(what) { if (what === "order") soon("sessions", draw); }, close: () => clearInterval(timer)};
}

/** Sessions that are open; `after` is called when one was ended. */
export function sessionTable(all, after) {
  if (!all.length) return empty("None now.");
  const columns = [["Client, listener", "c-name"], ["Server, pool", "c-name"], ["Open for", "n"], ["Silent for", "n"], ["From client", "n"], ["From server", "n"], ["Pick"], [h("span", {class: "hear"}, "End"), "c-orders"]];
  return table("Open sessions", columns, all.map(one => row(one.id, {title: `session ${one.id}`},
    client(one),
    cell("Server", "c-name", one.server ? serverLink(one.pool, one.server) : h("span", {class: "soft"}, one.stage), under(one.pool)),
    cell("Open for", "n", span(one.age_seconds)),
    cell("Silent for", "n", span(one.idle_seconds)),
    cell("From client", "n", bytes(one.bytes_from_client)),
    cell("From server", "n", bytes(one.bytes_from_server)),
    cell("Pick", "soft nowrap", one.pick || one.stage || ""),
    cell("End", "c-orders", h("button", {type: "button", class: "quiet", "aria-label": `End the session of ${one.client}`, title: "End this session", onclick: () => endSession(one, after)}, "✕")))),
  {class: "sessions", scrolls: true});
}

function endedTable(all) {
  const fine = new Set(["client-closed", "server-closed", "idle-timeout"]);
  const columns = [["Ended"], ["Client, listener", "c-name"], ["Server, pool", "c-name"], ["Reason"], ["Lasted", "n"], ["Connect", "n"], ["From client", "n"], ["From server", "n"]];
  return table("Ended sessions", columns, all.map(one => row(one.session ?? one.id, {title: `session ${one.session ?? one.id}`},
    cell("Ended", "mono nowrap", moment(one.ended_at || one.time)),
    client(one),
    cell("Server", "c-name", carrier(one), under(one.pool)),
    cell("Reason", "nowrap", h("span", {class: fine.has(one.reason) ? "" : "warned", title: `at ${one.stage}`}, spoken(one.reason))),
    cell("Lasted", "n", took(one.duration_seconds)),
    cell("Connect", "n", took(one.connect_seconds)),
    cell("From client", "n", bytes(one.bytes_from_client)),
    cell("From server", "n", bytes(one.bytes_from_server)))), {class: "sessions ended", scrolls: true});
}

const client = one => cell("Client", "c-name", h("span", {class: "mono"}, one.client), one.protocol === "udp" ? h("span", {class: "tag"}, "udp") : null,
  one.tls ? h("span", {class: "tag"}, `TLS ${one.tls}`) : null, h("div", {class: "soft"}, name(one.listener, {class: "plain"})));

const under = pool => pool ? h("div", {class: "soft"}, name(pool, {class: "plain", href: poolHash(pool)})) : null;

/** By its name where it is still there: the log has its address. */
function carrier(one) {
  if (!one.server) return "–";
  const known = store.pools.get(one.pool)?.servers.find(server => server.name === one.server || server.address === one.server);
  return known ? serverLink(one.pool, known.name) : one.server;
}

const SORTS = {
  "": ["the oldest"],
  new: ["the newest", one => -one.age_seconds],
  idle: ["the longest silent", one => one.idle_seconds],
  bytes: ["the most bytes", one => one.bytes_from_client + one.bytes_from_server],
};

const ROWS = 500;
const ALL = 10_000;
const TYPING = 250;
