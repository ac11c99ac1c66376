// What happened: transitions, orders, reloads, as sentences in the order of time.

import {h} from "./dom.js";
import {cell, empty, name, pill, row, table} from "./parts.js";
import {look} from "./api.js";
import {moment} from "./format.js";
import {poolHash, serverHash} from "./sentence.js";
import {store, takeEvents} from "./store.js";

/** Asks for what was before the page was opened, and for what came since where the stream does not tell. */
export async function wantEvents() {
  if (store.hasPast && store.link.state === "live") return;
  const last = store.events.at(-1)?.seq;
  const after = store.hasPast && last !== undefined ? `after=${last}&` : "";
  try {
    const answer = await look(`/api/v1/events?${after}limit=1000`, "events");
    if (!answer) return;
    if (!store.hasPast) store.events = [];
    store.hasPast = true;
    takeEvents(answer.events);
  } catch { /* the next look tries again */ }
}

/** The latest events that `fits` takes, newest first. */
export const eventList = (fits, most) => eventRows(store.events.filter(fits).slice(-most).reverse(), "Nothing yet.");

export function eventRows(events, none) {
  if (!events.length) return empty(none);
  const rows = events.map(one => row(one.seq, {class: `event is-${one.severity}`},
    cell("At", "mono nowrap", moment(one.at)),
    cell("Kind", "nowrap", pill(one.severity, one.kind)),
    cell("Where", "c-name", place(one)),
    cell("What", "wide", one.text, one.by ? ` (by ${one.by})` : "")));
  return table("Events", [["At"], ["Kind"], ["Where", "c-name"], ["What", "wide"]], rows, {class: "events", scrolls: true});
}

function place(one) {
  if (one.server) return [name(one.server, {href: serverHash(one.pool, one.server)}), h("div", {class: "soft"}, name(one.pool, {class: "plain"}))];
  if (one.pool) return name(one.pool, {href: poolHash(one.pool)});
  return one.listener ? name(one.listener) : "";
}
