// What the last probes of a server said, as a strip: one tick a probe, which tells its verdict on hover and by the arrow keys.
//
// Asked for servers that are in sight, and again now and then: the stream does not tell of probes that change nothing.

import {h} from "./dom.js";
import {look, serverPath} from "./api.js";
import {moment, spoken, took} from "./format.js";
import {tell} from "./store.js";

const known = new Map(), waiting = [];
let busy = 0;

const id = (pool, server) => `${pool}\n${server}`;

/** The probes of a server that are known, oldest first. */
export function probes(pool, server) {
  const kept = known.get(id(pool, server.name))?.probes || [];
  const last = server.last_probe;
  if (last && last.at !== kept.at(-1)?.at) {
    const fresh = {at: last.at, verdict: last.verdict, detail: last.detail, reason: server.reason, duration_seconds: last.duration_seconds};
    keep(pool, server.name, [...kept, fresh]);
  }
  return known.get(id(pool, server.name))?.probes || kept;
}

function keep(pool, server, all, asked = known.get(id(pool, server))?.asked) {
  known.set(id(pool, server), {probes: all.slice(-KEPT), asked});
}

/** Asks for what the status does not tell, a few servers at a time, unless that was done in the last `age` seconds. */
export function wantProbes(pool, server, age) {
  const one = known.get(id(pool, server));
  if (one?.asked && Date.now() - one.asked < age * 1000) return;
  keep(pool, server, one?.probes || [], Date.now());
  waiting.push([pool, server]);
  next();
}

async function next() {
  if (busy >= AT_ONCE || !waiting.length) return;
  const [pool, server] = waiting.shift();
  busy += 1;
  try {
    const answer = await look(`${serverPath(pool, server)}/history`, "history");
    if (answer) {
      takeProbes(pool, server, answer.probes);
      tell({probes: pool});
    }
  } catch { /* the strip begins with what comes */ }
  busy -= 1;
  next();
}

/** What was asked for; what the status told since stays behind it. */
export function takeProbes(pool, server, asked) {
  const since = asked.at(-1)?.at || "";
  const later = (known.get(id(pool, server))?.probes || []).filter(one => one.at > since);
  keep(pool, server, [...asked, ...later]);
}

export const sayProbe = one => {
  const detail = one.detail || (one.reason && one.reason !== "ok" ? spoken(one.reason) : "");
  return `${one.verdict}, ${moment(one.at)}, took ${took(one.duration_seconds)}${detail ? `: ${detail}` : ""}`;
};

/** The strip of a server's last probes. */
export function strip(pool, server) {
  const all = probes(pool, server).slice(-TICKS);
  if (!all.length) return h("span", {class: "soft"}, server.health === "unknown" ? "none yet" : "not probed");
  const last = all.length - 1;
  return h("div", {
    class: "strip", tabindex: "0", role: "slider", "aria-label": `Last probes of ${server.name}`, "aria-readonly": "true",
    "aria-valuemin": "1", "aria-valuemax": String(all.length), "aria-valuenow": String(all.length), "aria-valuetext": sayProbe(all[last]),
    onkeydown: event => walk(event, all), onfocus: event => show(event.currentTarget, all, last), onblur: hide,
    onpointermove: event => point(event, all), onpointerleave: hide,
  }, all.map(one => h("i", {class: `tick is-${one.verdict}`, key: one.at, "aria-hidden": "true"})));
}

function point(event, all) {
  const box = event.currentTarget, ticks = [...box.children];
  const index = ticks.findIndex(tick => event.clientX <= tick.getBoundingClientRect().right);
  show(box, all, index < 0 ? all.length - 1 : index);
}

function walk(event, all) {
  const step = {ArrowLeft: -1, ArrowRight: 1, Home: -all.length, End: all.length}[event.key];
  if (!step) return;
  event.preventDefault();
  const at = Number(event.currentTarget.dataset.at ?? all.length - 1);
  show(event.currentTarget, all, Math.min(all.length - 1, Math.max(0, at + step)));
}

/** One tooltip for all strips. */
function show(box, all, index) {
  const tip = document.getElementById("tip"), tick = box.children[index];
  if (!tick) return;
  box.dataset.at = index;
  box.setAttribute("aria-valuenow", index + 1);
  box.setAttribute("aria-valuetext", sayProbe(all[index]));
  for (const one of box.children) one.classList.toggle("chosen", one === tick);
  const place = tick.getBoundingClientRect();
  tip.textContent = sayProbe(all[index]);
  tip.hidden = false;
  const left = Math.min(innerWidth - tip.offsetWidth - 8, Math.max(8, place.left + place.width / 2 - tip.offsetWidth / 2));
  tip.style.setProperty("left", `${left}px`);
  tip.style.setProperty("top", `${Math.max(8, place.top - tip.offsetHeight - 8)}px`);
}

function hide(event) {
  document.getElementById("tip").hidden = true;
  const box = event.currentTarget;
  delete box.dataset.at;
  for (const one of box.children) one.classList.remove("chosen");
}

const KEPT = 60;
const TICKS = 24;
const AT_ONCE = 4;
