// Keeps the store current: told by server-sent events, or asking each second where those do not come.
//
// While the stream is away it asks; what it cannot learn either way, the link says: lost, since when, why.

import {learn, look} from "./api.js";
import * as store from "./store.js";

let source = null, silence = 0, asking = 0;

export function follow() {
  ask();
  connect();
}

async function connect() {
  await learn();
  if (store.store.absent.has("stream")) return;
  source = new EventSource("/api/v1/stream");
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
  on("event", event => store.takeEvents([event]));
}

/** The stream speaks. */
function alive() {
  asking += 1;
  clearTimeout(silence);
  silence = setTimeout(away, SILENCE);
  store.takeLink("live");
}

/** It does not: asks until it is back. */
function away() {
  clearTimeout(silence);
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

/** What left while the stream was away, it does not tell. */
async function compare() {
  try {
    store.keepOnly(await look("/api/v1/status"));
  } catch { /* the stream's own silence will tell */ }
}

const EACH = 1000;
const ASK_TIME = 3000;
const AGAIN = 5000;
/** howdah says something at least each ten seconds; a comment cannot be heard here, the head can. */
const SILENCE = 15_000;
