// Questions and orders to this howdah, and what its refusals mean.

import {heard} from "./clock.js";
import {store, tell} from "./store.js";

const TOKEN = "howdah-token";

/** The operator's token: for this tab alone, gone with it. */
export const token = {
  get: () => sessionStorage.getItem(TOKEN) || "",
  set: value => { if (value) sessionStorage.setItem(TOKEN, value); else sessionStorage.removeItem(TOKEN); tell("token"); },
};

/** What howdah says against something. */
export class Refused extends Error {
  constructor(status, body) {
    super(body.error || `howdah answered ${status}`);
    this.status = status;
    this.faults = body.faults || body.reasons || [];
  }
}

/** Endpoints that an older howdah may not have. */
const FEATURES = {
  stream: "/api/v1/stream", events: "/api/v1/events", timelines: "/api/v1/timelines", history: "/api/v1/pools/{pool}/servers/{server}/history",
  sessions: "/api/v1/sessions", availability: "/api/v1/availability", certificates: "/api/v1/certificates", configuration: "/api/v1/configuration",
};

/** What this howdah can tell, by its own document; asked anew when it was away. */
let known = null;

export function learn() {
  known = look("/api/v1/openapi.json").then(document => {
    store.absent = new Set(Object.keys(FEATURES).filter(feature => !document.paths[FEATURES[feature]]));
    // One that does not know the word would reload in earnest.
    if (!JSON.stringify(document).includes('"dry_run"')) store.absent.add("dryRun");
    tell("features");
  }, () => { known = null; });
  return known;
}

/** What a path shows; null where `feature` is nothing that this howdah has. */
export async function look(path, feature, time = LOOK_TIME) {
  if (feature) await (known || learn());
  if (feature && store.absent.has(feature)) return null;
  const answer = await fetch(path, {signal: AbortSignal.timeout(time)});
  heard(answer.headers.get("date"));
  const body = await read(answer);
  if (!answer.ok) throw new Refused(answer.status, body);
  return body;
}

/** An order. It needs the operator's right: with a token where there is one. */
export async function order(method, path, body) {
  const headers = {};
  if (token.get()) headers.Authorization = `Bearer ${token.get()}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const text = body === undefined ? undefined : JSON.stringify(body);
  const answer = await fetch(path, {method, headers, body: text, signal: AbortSignal.timeout(ORDER_TIME)});
  const said = await read(answer);
  if (!answer.ok) throw new Refused(answer.status, said);
  return said;
}

async function read(answer) {
  const text = await answer.text();
  try {
    return JSON.parse(text);
  } catch {
    return {error: text.trim() || `howdah answered ${answer.status}`};
  }
}

export const serverPath = (pool, server) =>
  `/api/v1/pools/${encodeURIComponent(pool)}/servers/${encodeURIComponent(server)}`;

const LOOK_TIME = 10_000;
// A reload may have to wait for names to resolve.
const ORDER_TIME = 70_000;
