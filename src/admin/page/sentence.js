// Is the service whole? One sentence, and a line for each thing that is not as it should be; pure but for the clock.

import {secondsSince} from "./clock.js";
import {brief, inWords, number, plural, spoken} from "./format.js";

/** A server that takes new sessions now, backups included. */
export const serves = server => server.health === "up" && server.admin === "ready" && server.on_offer !== false;

/** Of a pool: who serves, who stands by, who is lost, who is out by order. */
export function standing(pool) {
  const able = pool.servers.filter(serves), backups = able.filter(one => one.backup);
  const first = able.length - backups.length;
  return {
    total: pool.servers.length,
    serving: first || backups.length,
    onBackup: !first && backups.length > 0,
    standby: first ? backups.length : 0,
    lost: pool.servers.filter(one => one.admin === "ready" && one.health === "down"),
    alive: pool.servers.filter(one => one.admin === "ready" && one.health === "alive" && !idleByRole(one)),
    waiting: pool.servers.filter(one => one.admin === "ready" && one.health === "unknown"),
    out: pool.servers.filter(one => one.admin !== "ready"),
  };
}

/** Alive, and rightly not asked: a standby of a pool that wants the active one. */
const idleByRole = server => server.role === "standby";

/** Why a server is as it is, in words; empty where there is nothing to say. */
export function why(server) {
  const last = server.last_probe;
  if (server.load?.withdrawn) return `its agent says ${server.load.withdrawn}`;
  if (server.health === "up" && (!server.reason || server.reason === "ok")) return last?.detail || "";
  if (!last) return server.health === "unknown" ? "no verdict yet" : "";
  return server.reason && server.reason !== "ok" ? spoken(server.reason) : last.detail || server.health;
}

/** {level: good | warn | bad | none, text, still}: `still` is the same without times, for those who hear it. */
export function whole({head, headAt, pools, listeners, link}) {
  if (!head) {
    const text = link.state === "lost" ? `No connection to howdah: ${link.why}.` : "Looking at howdah…";
    return {level: link.state === "lost" ? "bad" : "none", text, still: text};
  }
  if (head.draining) {
    const left = plural(head.draining.sessions_left, "session");
    const still = "howdah is stopping and takes no new sessions";
    return {level: "warn", still: `${still}.`, text: `${still}: ${left} left, ended in ${inWords(head.draining.seconds_left - (Date.now() - headAt) / 1000)}.`};
  }
  const all = [...pools.values()].map(pool => ({pool, ...standing(pool)}));
  const dead = all.filter(one => one.serving === 0);
  const unbound = standsBy(head) ? [] : [...listeners.values()].filter(one => one.bind.length === 0);
  if (dead.length) return say("bad", nobody(dead, all), hurt(all, dead));
  if (unbound.length) return say("bad", `${names(unbound)} ${unbound.length === 1 ? "is" : "are"} not bound to an address`, null);
  const ill = all.filter(one => one.lost.length || one.alive.length || one.onBackup || one.pool.panic || one.pool.conflict);
  const subject = all.length === 1 ? `Pool ${brief(all[0].pool.name)} is served` : `${all.length === 2 ? "Both" : `All ${number(all.length)}`} pools are served`;
  if (ill.length) return say("warn", subject, hurt(all, []));
  const out = all.flatMap(one => one.out).length;
  const total = all.reduce((sum, one) => sum + one.total, 0);
  const count = out ? `; ${plural(out, "server is", "servers are")} out by order` : total === 1 ? " by its server" : `, all ${number(total)} servers take sessions`;
  return say("good", subject + count, null);
}

function say(level, first, second) {
  const join = tail => first + (tail ? `; ${tail}` : "") + ".";
  return {level, text: join(second?.text), still: join(second?.still)};
}

function nobody(dead, all) {
  const waiting = dead.every(one => one.waiting.length && !one.lost.length);
  const which = names(dead.map(one => one.pool));
  if (waiting) return `No session is served yet: ${which} ${dead.length === 1 ? "waits" : "wait"} for first verdicts`;
  const alone = dead.length === 1 && dead[0];
  if (alone && alone.out.length === alone.total) return `Pool ${which} takes no sessions: all its servers are out by order`;
  const cause = dead.flatMap(one => one.lost).map(why).find(Boolean);
  const others = all.length - dead.length;
  const rest = others ? ` (${plural(others, "other pool is", "other pools are")} served)` : "";
  return `${dead.length === 1 ? "Pool" : "Pools"} ${which} ${dead.length === 1 ? "has" : "have"} no server that takes sessions` +
    `${cause ? `, ${cause}` : ""}${rest}`;
}

/** What pools that are served have lost. */
function hurt(all, dead) {
  const ill = all.filter(one => !dead.includes(one) && (one.lost.length || one.alive.length || one.onBackup || one.pool.panic || one.pool.conflict));
  if (!ill.length) return null;
  if (ill.length > 1) {
    const parts = ill.slice(0, 3).map(one => `${brief(one.pool.name)} ${one.lost.length + one.alive.length} of ${one.total}`);
    const text = `${number(ill.length)} of them have lost servers: ${parts.join(", ")}${ill.length > 3 ? ", …" : ""}`;
    return {text, still: text};
  }
  const [{pool, lost, alive, total, onBackup}] = ill, gone = [...lost, ...alive];
  if (pool.conflict) return both(`${brief(pool.name)} has several servers that say they are the active one`);
  if (!gone.length && onBackup) return both(`${brief(pool.name)} runs on its backup`);
  if (!gone.length) return both(`${brief(pool.name)} is in panic: servers that are down take sessions too`);
  const latest = gone.map(one => one.since).filter(Boolean).sort().at(-1);
  const ago = latest ? ` ${long(secondsSince(latest))} ago` : "";
  const cause = why(gone.find(one => one.since === latest) || gone[0]);
  const has = `${brief(pool.name)} has lost ${gone.length} of ${total} servers`, because = cause ? `: ${cause}` : "";
  return {text: has + ago + because, still: has + because};
}

/** A sentence that changes each second is hard to read. */
const long = seconds => seconds < 60 ? "less than a minute" : inWords(seconds);

const both = text => ({text, still: text});

function names(things) {
  const all = things.slice(0, 3).map(one => brief(one.name));
  if (things.length > 3) return `${all.join(", ")} and ${things.length - 3} more`;
  return all.length > 1 ? `${all.slice(0, -1).join(", ")} and ${all.at(-1)}` : all[0];
}

/** What needs somebody, each with where to look; the worst first. */
export function concerns({head, pools, listeners}) {
  if (!head) return [];
  const found = [];
  if (standsBy(head)) found.push({level: "note", text: `Stands by: ${head.cluster.leader ? `${head.cluster.leader} leads and takes the sessions` : "nobody leads yet"}.`});
  else for (const one of listeners.values()) if (!one.bind.length) found.push({level: "bad", text: `Listener ${one.name} is not bound.`});
  for (const text of shared(head.cluster)) found.push({level: "warn", text});
  for (const pool of pools.values()) concern(pool, found);
  if (head.refused_reload) found.push({level: "warn", to: "#/configuration", text: `The last reload was refused: ${head.refused_reload.error}`});
  if (head.needs_restart?.length) found.push({level: "note", to: "#/configuration", text: `Waits for a restart: ${head.needs_restart.join(", ")}.`});
  for (const vip of head.vips ?? []) {
    if (vip.state === "fault") found.push({level: "warn", text: `Virtual address ${vip.name} (${vip.addresses.join(", ")}) cannot be held here: ${vip.why}`});
  }
  const order = {bad: 0, warn: 1, note: 2};
  return found.sort((one, other) => order[one.level] - order[other.level]);
}

/** Whether only another howdah may listen. */
export const standsBy = head => head?.cluster?.mode === "active-standby" && !head.cluster.leads;

/** What is wrong with the howdahs that are one with this. */
function shared(cluster) {
  if (!cluster) return [];
  const alone = cluster.why ? [`No session with ZooKeeper, alone with what was known last: ${cluster.why}`] : [];
  const unready = cluster.members.filter(one => !one.here && !one.ready && cluster.mode === "active-active");
  return [
    ...alone,
    ...unready.map(one => `${one.name} is not ready: ${one.why[0]}`),
    ...cluster.differences.map(one => `${one.pool}/${one.server} is ${one.here} here and ${one.there} at ${one.member}.`),
  ];
}

function concern(pool, found) {
  const {lost, alive, out, serving, onBackup} = standing(pool);
  const bad = serving ? "warn" : "bad";
  for (const server of [...lost, ...alive]) {
    const to = serverHash(pool.name, server.name), cause = why(server);
    const what = server.health === "down" ? "is down" : "is alive and not routed to";
    found.push({level: bad, to, server, pool: pool.name, place: server.name, text: what, since: server.since, cause});
  }
  for (const server of out) {
    const to = serverHash(pool.name, server.name);
    const left = server.sessions_active ? `, ${plural(server.sessions_active, "session")} left` : "";
    found.push({level: "note", to, pool: pool.name, place: server.name, text: `is ${server.admin === "draining" ? "draining" : "in maintenance"} by order${left}`});
  }
  const here = {to: poolHash(pool.name), place: pool.name};
  if (pool.conflict) found.push({level: "bad", ...here, text: "has several servers that say they are the active one"});
  if (pool.panic) found.push({level: "bad", ...here, text: "is in panic: servers that are down take sessions too"});
  if (onBackup) found.push({level: "warn", ...here, text: "runs on its backup"});
  if (pool.queue) found.push({level: "warn", ...here, text: `has ${plural(pool.queue, "session")} waiting: every server is full`});
  if (pool.discovery && pool.discovery.state !== "live")
    found.push({level: "warn", ...here, text: `follows an old list of ${pool.discovery.source}${pool.discovery.error ? `: ${pool.discovery.error}` : ""}`});
}

export const poolHash = pool => `#/pool/${encodeURIComponent(pool)}`;
export const serverHash = (pool, server) => `${poolHash(pool)}/${encodeURIComponent(server)}`;
