// What the page knows of the running howdah, and who wants to hear of a change.
//
// A thing that has not changed stays the same object, so that whoever draws can tell by comparing identities.

export const store = {
  /** The status without its lists; null before the first word. */
  head: null,
  /** When that was said, by the browser's clock. */
  headAt: 0,
  listeners: new Map(),
  pools: new Map(),
  /** The latest events, oldest first. */
  events: [],
  /** Those before the page was opened are there too. */
  hasPast: false,
  /** live (told at once), polling (asked each second), lost. */
  link: {state: "connecting", since: Date.now(), why: ""},
  /** What this howdah cannot tell; before its word, nothing beyond its status. */
  absent: new Set(["stream", "events", "timelines", "history", "sessions", "availability", "certificates", "configuration", "dryRun"]),
};

const hearers = new Set();

/** Calls `hear(what)` on each change: head, link, events, features, or {pool}, {listener}; gives what ends it. */
export function onChange(hear) {
  hearers.add(hear);
  return () => hearers.delete(hear);
}

export function tell(what) {
  for (const hear of [...hearers]) hear(what);
}

/** A whole status, as /api/v1/status has it. */
export function takeStatus(status) {
  const {listeners, pools, ...head} = status;
  takeHead(head);
  for (const one of listeners) takeListener(one);
  for (const one of pools) takePool(one);
  keepOnly(status);
}

/** Those that the status does not name have left; the others are in its order. */
export function keepOnly({listeners, pools}) {
  keep(store.listeners, listeners, "listener");
  keep(store.pools, pools, "pool");
}

export function takeHead(head) {
  store.head = head;
  store.headAt = Date.now();
  tell("head");
}

export function takeListener(one) {
  if (equal(store.listeners.get(one.name), one)) return;
  store.listeners.set(one.name, one);
  tell({listener: one.name});
}

export function takePool(one) {
  const old = store.pools.get(one.name);
  if (equal(old, one)) return;
  if (old) {
    const known = new Map(old.servers.map(server => [server.name, server]));
    one.servers = one.servers.map(server => equal(known.get(server.name), server) ? known.get(server.name) : server);
  }
  store.pools.set(one.name, one);
  tell({pool: one.name});
}

/** One server of a pool. */
export function takeServer(name, server) {
  const pool = store.pools.get(name);
  if (pool) takePool({...pool, servers: pool.servers.map(one => one.name === server.name ? server : one)});
}

export function takeGone({pool, listener}) {
  if (pool !== undefined && store.pools.delete(pool)) tell({pool});
  if (listener !== undefined && store.listeners.delete(listener)) tell({listener});
}

export function takeEvents(events) {
  const last = store.events.at(-1)?.seq ?? -1;
  const fresh = events.filter(one => one.seq > last);
  if (!fresh.length) return;
  store.events = store.events.concat(fresh).slice(-EVENTS_MOST);
  tell("events");
}

export function takeLink(state, why = "") {
  if (store.link.state === state && store.link.why === why) return;
  const since = store.link.state === state ? store.link.since : Date.now();
  store.link = {state, since, why};
  tell("link");
}

function keep(map, present, kind) {
  const names = new Set(present.map(one => one.name));
  for (const name of [...map.keys()]) if (!names.has(name)) takeGone({[kind]: name});
  const order = [...map.keys()];
  if (present.every((one, index) => one.name === order[index])) return;
  const things = present.map(one => [one.name, map.get(one.name) || one]);
  map.clear();
  for (const [name, one] of things) map.set(name, one);
  tell("order");
}

const equal = (one, other) => one !== undefined && JSON.stringify(one) === JSON.stringify(other);

const EVENTS_MOST = 1000;
