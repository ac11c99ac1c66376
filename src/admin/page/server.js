// The page of one server: what it is, its last hour, what its probes went through, its transitions, its sessions.

import {h, render} from "./dom.js";
import {cell, empty, fact, health, pill, row, section, sessions, table} from "./parts.js";
import {look, serverPath} from "./api.js";
import {moment, number, spoken, took} from "./format.js";
import {chartGrid} from "./pool.js";
import {give} from "./orders.js";
import {eventRows} from "./happened.js";
import {poolHash} from "./sentence.js";
import {probes, strip, takeProbes} from "./probes.js";
import {series, want} from "./series.js";
import {since} from "./clock.js";
import {sessionTable} from "./sessions.js";
import {soon} from "./pace.js";
import {store} from "./store.js";

export function open(main, [pool, name]) {
  let history = null, own = null, all = false;
  const draw = () => {
    const server = store.pools.get(pool)?.servers.find(one => one.name === name);
    if (!server) return render(main, empty(store.head ? `There is no server ${name} in ${pool}.` : "Looking…"));
    const told = series(pool), mine = told?.servers.get(name);
    render(main, head(pool, server), facts(pool, server),
      mine ? section("Last hour", null, chartGrid({step: told.step, own: mine, connect: mine.connect_seconds, first: mine.first_byte_seconds})) : null,
      section("Last probes", null, h("div", {class: "card"}, steps(history?.probes || probes(pool, server), all, () => { all = !all; draw(); }))),
      history ? section("Transitions", null, h("div", {class: "card"}, eventRows([...history.transitions].reverse(), "No transition since the start."))) : null,
      own ? section("Sessions", h("a", {href: `#/sessions?pool=${encodeURIComponent(pool)}&server=${encodeURIComponent(name)}`}, "all, and those that ended"),
        h("div", {class: "card"}, sessionTable(own.sessions, fetchAll), more(own))) : null);
  };
  async function fetchAll() {
    want(pool, 9);
    const query = `pool=${encodeURIComponent(pool)}&server=${encodeURIComponent(name)}&limit=${SESSIONS}`;
    const [told, found] = await Promise.allSettled([look(`${serverPath(pool, name)}/history`, "history"), look(`/api/v1/sessions?${query}`, "sessions")]);
    history = told.value || history;
    if (told.value) takeProbes(pool, name, told.value.probes);
    own = found.value || own;
    soon("server page", draw);
  }
  fetchAll();
  draw();
  const timer = setInterval(fetchAll, 2000);
  return {
    title: name,
    hear(what) { if (what.pool === pool || what.series === pool || what.probes === pool || typeof what === "string") soon("server page", draw); },
    close: () => clearInterval(timer),
  };
}

const more = own => own.total > own.sessions.length ? h("p", {class: "note"}, `${number(own.sessions.length)} of ${number(own.total)}.`) : null;

function head(pool, server) {
  const order = (word, text) => h("button", {type: "button", onclick: () => give(pool, server.name, word)}, text);
  return h("div", {class: "page-head"},
    h("p", {class: "crumbs"}, h("a", {href: "#/"}, "Overview"), " / ", h("a", {href: poolHash(pool)}, pool), " / server"),
    h("h2", {class: "long"}, server.name),
    h("div", {class: `line is-${server.health}`}, health(server), h("span", {class: "grow"}),
      server.admin === "ready" ? [order("drain", "Drain…"), order("maintenance", "Maintenance…")] : order("ready", "Put back…"), order("weight", "Weight…")));
}

function facts(pool, server) {
  const last = server.last_probe;
  return h("dl", {class: "facts card"},
    fact("Address", h("span", {class: "mono"}, server.address)),
    fact("Order", pill(server.admin)),
    fact("Weight", number(server.weight), server.load && server.load.factor < 1 ? ` × ${Math.round(server.load.factor * 100)} %` : null),
    fact("Sessions", sessions(server.sessions_active, server.max_connections)),
    fact("In all", number(server.sessions_total)),
    fact("Last probe", last ? [`${last.verdict}, took ${took(last.duration_seconds)}, `, since(last.at, "ago")] : "none"),
    fact("Probes", strip(pool, server)),
    last?.detail ? h("div", {class: "fact wide"}, h("dt", null, "It said"), h("dd", null, last.detail)) : null,
    server.load ? h("div", {class: "fact wide"}, h("dt", null, "Its load"), h("dd", null, `${server.load.state}: ${server.load.detail || "no word yet"}`)) : null);
}

/** Each probe with the steps it went through; the newest first, a few unless `whole`. */
function steps(all, whole, toggle) {
  if (!all.length) return empty("No probe yet.");
  const rows = [...all].reverse().slice(0, whole ? all.length : FEW).map(one => row(one.at, {class: one.verdict === "up" ? "" : `not-well is-${one.verdict}`},
    cell("At", "mono nowrap", moment(one.at)),
    cell("Verdict", "", pill(one.verdict)),
    cell("Took", "n", took(one.duration_seconds)),
    cell("What it said", "wide", one.detail || (one.reason && one.reason !== "ok" ? spoken(one.reason) : one.verdict === "up" ? "ok" : "–")),
    cell("Steps", "steps", stepBars(one))));
  return [table("Last probes", [["At"], ["Verdict"], ["Took", "n"], ["What it said", "wide"], ["Steps", "steps"]], rows, {class: "probes", scrolls: true}),
    all.length > FEW ? h("p", {class: "note"}, h("button", {type: "button", "aria-expanded": String(whole), onclick: toggle}, whole ? "Fewer" : `All ${all.length}`)) : null];
}

function stepBars(probe) {
  if (!probe.steps?.length) return h("span", {class: "soft"}, "–");
  return h("ul", {class: "step-list"}, probe.steps.map((one, index) => h("li", {key: index, title: one.detail || null}, spoken(one.what), " ", h("b", null, took(one.seconds)))));
}

const SESSIONS = 50;
const FEW = 10;
