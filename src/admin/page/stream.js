// Keeps the store current: told by server-sent events, or asking each second where those do not come.
//
// While the stream is away it asks; what it cannot learn either way, the link says: lost, since when, why.

import {learn, look, serverPath} from "./api.js";
import * as store from "./store.js";

let source = null, asking = 0, said = 0, comparing = 0, hurrying = 0;

export function follow() {
  ask();
  connect();
}

async function connect() {
  await learn();
  if (store.store.absent.has("stream")) return;
  const last = store.store.events.at(-1)?.seq;
  source = new EventSource(`/api/v1/stream${last === undefined ? "" : `?after=${last}`}`);
  const on = (name, take) => source.addEventListener(name, event => {
    alive();
    take(JSON.parse(event.data));
  });
  source.onopen = () => { alive(); compare(); };
  source.onerror = away;
  on("head", store.takeHead);
  on("listener", store.takeListener);
  on("pool", store.takePool);
  on("gone", store.takeGone);
  on("event", event => { store.takeEvents([event]); hurry(event); });
  on("lost", () => { store.store.hasPast = false; });
}

/** The stream speaks. */
function alive() {
  asking += 1;
  said += 1;
  if (!comparing) comparing = setInterval(compare, COMPARE);
  store.takeLink("live");
}

/** It does not: asks until it is back. */
function away() {
  clearInterval(comparing);
  comparing = 0;
  source.close();
  ask();
  setTimeout(connect, AGAIN);
}

/** Asks each second, until somebody else has taken over. */
async function ask() {
  asking += 1;
  const mine = asking;
  while (asking === mine) {
    try {
      const status = await look("/api/v1/status", null, ASK_TIME);
      store.takeStatus(status);
      if (asking === mine) store.takeLink("polling");
    } catch (error) {
      if (asking === mine) store.takeLink("lost", error.status ? error.message : "howdah does not answer");
    }
    await new Promise(next => setTimeout(next, EACH));
  }
}

/**
 * The stream tells what changes, and not what goes by itself: when the last probe was, what left while it was away. And a
 * stream whose other end is gone looks like one that has nothing to say.
 */
async function compare() {
  const before = said;
  try {
    const status = await look("/api/v1/status", null, ASK_TIME);
    // What the stream said meanwhile is newer.
    if (said === before) store.takeStatus(status);
    else store.keepOnly(status);
  } catch {
    if (comparing) away();
  }
}

/** An event comes at once, and what has changed up to a second later: asks for the one server, unless many change together. */
async function hurry({pool, server}) {
  if (!pool || !server || hurrying >= HURRIES) return;
  hurrying += 1;
  setTimeout(() => { hurrying -= 1; }, EACH);
  try {
    store.takeServer(pool, await look(serverPath(pool, server), null, ASK_TIME));
  } catch { /* the stream tells soon */ }
}

const EACH = 1000;
/** Servers in a second. */
const HURRIES = 8;
const ASK_TIME = 3000;
const AGAIN = 5000;
const COMPARE = 10_000;
