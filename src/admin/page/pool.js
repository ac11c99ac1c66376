// The page of one pool: its servers, its last hour, what happened to it.

import {chart} from "./chart.js";
import {h, render} from "./dom.js";
import {empty, fact, pill, section} from "./parts.js";
import {eventList, wantEvents} from "./happened.js";
import {departed, numbers} from "./overview.js";
import {bytes, short, took} from "./format.js";
import {refresh, serversTable} from "./servers.js";
import {series, sum, want} from "./series.js";
import {since} from "./clock.js";
import {soon} from "./pace.js";
import {standing} from "./sentence.js";
import {store} from "./store.js";

export function open(main, [pool]) {
  const draw = () => {
    const known = store.pools.get(pool);
    if (!known) return render(main, empty(store.head ? `There is no pool ${pool}.` : "Looking…"));
    const told = series(pool);
    render(main,
      head(known),
      section("Servers", null, h("div", {class: "card pool"}, serversTable(known, known.servers, true), departed(known))),
      told ? section("Last hour", null, charts(told)) : null,
      store.absent.has("events") ? null : section("What happened", null, eventList(one => one.pool === pool, 50)),
      sources(known));
  };
  const fetchAll = () => { want(pool, 9); wantEvents(); if (store.pools.has(pool)) refresh(store.pools.get(pool)); };
  fetchAll();
  draw();
  const timer = setInterval(fetchAll, 5000);
  return {
    title: pool,
    hear(what) { if (what.pool === pool || what.series === pool || what.probes === pool || typeof what === "string") soon("pool page", draw); },
    close: () => clearInterval(timer),
  };
}

function head(pool) {
  const {serving, total} = standing(pool);
  return h("div", {class: "page-head"},
    h("p", {class: "crumbs"}, h("a", {href: "#/"}, "Overview"), " / pool"),
    h("h2", {class: "long"}, pool.name),
    h("div", {class: "line"}, pill(serving === 0 ? "down" : serving < total ? "alive" : "up", `${serving} of ${total} serve`),
      h("span", {class: "soft"}, `${pool.service} · ${pool.balance}`), numbers(pool),
      store.absent.has("sessions") ? null : h("a", {href: `#/sessions?pool=${encodeURIComponent(pool.name)}`}, "its sessions")));
}

function charts(told) {
  const slowest = what => {
    const all = [...told.servers.values()].map(one => one[what] || []), length = Math.max(0, ...all.map(one => one.length));
    return Array.from({length}, (_, index) => {
      const known = all.map(one => one[one.length - length + index]).filter(value => value !== null && value !== undefined);
      return known.length ? Math.max(...known) : null;
    });
  };
  return chartGrid({step: told.step, own: Object.fromEntries(["sessions", "opened", "failed", "bytes_from_client", "bytes_from_server"].map(what => [what, sum(told, what)])),
    connect: slowest("connect_seconds"), first: slowest("first_byte_seconds"), of: " of the slowest server"});
}

/** The charts of a pool, or of a server. */
export function chartGrid({step, own, connect, first, of = ""}) {
  const perSecond = values => values.map(value => value === null ? null : value / step);
  const known = values => value => value === null ? "–" : values(value);
  return h("div", {class: "charts"},
    chart("Sessions", [{label: "open", values: own.sessions, kind: "area"}], known(short), step),
    chart("New sessions a second", [{label: "opened", values: perSecond(own.opened), kind: "area"}, {label: "failed", values: perSecond(own.failed)}], known(short), step),
    chart("Bytes a second", [{label: "from clients", values: perSecond(own.bytes_from_client)}, {label: "from servers", values: perSecond(own.bytes_from_server), kind: "area"}], known(bytes), step),
    chart(`Latency${of}`, [{label: "connect", values: connect || []}, {label: "first byte", values: first || []}], known(took), step));
}

function sources(pool) {
  if (!pool.discovery) return null;
  const from = pool.discovery;
  return section("Where its servers are listed", null, h("dl", {class: "facts card"},
    fact("Source", from.source), fact("Asked", h("span", {class: "mono"}, from.target || "–")),
    fact("State", pill(from.state === "live" ? "up" : "alive", from.state)),
    fact("List", from.age_seconds === null ? "none yet" : since(new Date(Date.now() - from.age_seconds * 1000).toISOString(), "ago")),
    from.error ? fact("Why", from.error) : null));
}
