// The last hour of a pool's servers, fetched when somebody looks at it, and kept for a while.

import {look} from "./api.js";
import {tell} from "./store.js";

const known = new Map();

/** {step, end, servers: Map of name to its series}, or null while there is none. */
export const series = pool => known.get(pool)?.told || null;

/** Fetches what is older than `age` seconds; tells {series: pool} when it is there. */
export async function want(pool, age) {
  const old = known.get(pool);
  if (old?.busy || (old && Date.now() - old.at < age * 1000)) return;
  known.set(pool, {told: old?.told || null, at: old?.at || 0, busy: true});
  let told = old?.told || null;
  try {
    const answer = await look(`/api/v1/timelines?pool=${encodeURIComponent(pool)}`, "timelines");
    const found = answer?.pools?.find(one => one.name === pool);
    if (found) told = {step: answer.step_seconds, end: answer.end, servers: new Map(found.servers.map(one => [one.name, one]))};
  } catch { /* the next look tries again */ }
  known.set(pool, {told, at: Date.now(), busy: false});
  while (known.size > POOLS_MOST) known.delete(known.keys().next().value);
  if (told !== old?.told) tell({series: pool});
}

/** Several servers' numbers as one: their sum, of what is known. */
export function sum(told, what) {
  const all = [...told.servers.values()].map(one => one[what] || []);
  const length = Math.max(0, ...all.map(one => one.length));
  const at = (one, index) => one[one.length - length + index];
  return Array.from({length}, (_, index) => {
    const values = all.map(one => at(one, index)).filter(value => value !== null && value !== undefined);
    return values.length ? values.reduce((total, value) => total + value, 0) : null;
  });
}

const POOLS_MOST = 60;
