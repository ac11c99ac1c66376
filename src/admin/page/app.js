// The page as a whole: which view is open, the sentence on top, the link to howdah, keys.

import {h, render} from "./dom.js";
import {number, span} from "./format.js";
import {onChange, store} from "./store.js";
import {askToken, closed, redraw} from "./orders.js";
import {token} from "./api.js";
import {since, tick} from "./clock.js";
import {follow} from "./stream.js";
import {forget, soon} from "./pace.js";
import {whole} from "./sentence.js";
import * as availability from "./availability.js";
import * as certificates from "./certificates.js";
import * as configuration from "./configuration.js";
import * as events from "./events.js";
import * as overview from "./overview.js";
import * as pool from "./pool.js";
import * as server from "./server.js";
import * as sessions from "./sessions.js";

const at = id => document.getElementById(id);

/** Pages of the menu: their hash, their words, and what this howdah must be able to tell for them. */
const PAGES = [
  ["", "Overview", null, overview],
  ["sessions", "Sessions", "sessions", sessions],
  ["events", "Events", "events", events],
  ["availability", "Availability", "availability", availability],
  ["certificates", "Certificates", "certificates", certificates],
  ["configuration", "Configuration", "configuration", configuration],
];

let view = null;

function route() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [first, ...rest] = path.split("/").map(decode);
  if (first === "pool" && rest.length) return {page: rest.length > 1 ? server : pool, names: rest, menu: "", query};
  const found = PAGES.find(([hash]) => hash === first) || PAGES[0];
  return {page: found[3], names: [], menu: found[0], query};
}

function decode(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

function open(byHand) {
  const {page, names, query} = route();
  view?.close?.();
  forget();
  const main = at("main"), place = Object.assign(document.createElement("div"), {className: "view"});
  // Of its own: what a view asked for and gets after it was left, it draws where nobody looks.
  main.replaceChildren(place);
  document.body.dataset.page = page === overview ? "overview" : "other";
  view = page.open(place, names, new URLSearchParams(query || ""));
  if (byHand) { scrollTo(0, 0); main.focus({preventScroll: true}); }
  menu();
  top();
}

function menu() {
  const {menu: present} = route();
  render(at("nav"), PAGES.filter(([, , needs]) => !needs || !store.absent.has(needs)).map(([hash, text]) =>
    h("a", {key: hash, href: `#/${hash}`, "aria-current": hash === present ? "page" : null}, text)));
}

/** The sentence; heard again only when something else than a time has changed. */
function top() {
  const {level, text, still} = whole(store), head = store.head;
  const sign = {good: "✓", warn: "!", bad: "✕", none: "…"}[level];
  at("whole").className = `whole ${level}`;
  const active = [...store.listeners.values()].reduce((total, one) => total + one.sessions_active, 0);
  render(at("whole"), h("span", {class: "whole-sign", "aria-hidden": "true"}, sign),
    h("div", null, h("h1", null, text), head ? h("p", {class: "whole-facts"},
      h("span", null, h("b", null, number(active)), active === 1 ? " session" : " sessions"),
      h("span", null, "up for ", h("b", null, span(head.uptime_seconds + (Date.now() - store.headAt) / 1000))),
      h("span", null, "configuration ", h("b", null, `no. ${head.generation}`))) : null));
  if (at("said").textContent !== still) at("said").textContent = still;
  const lost = [...store.pools.values()].reduce((total, one) => total + one.servers.filter(each => each.health === "down" && each.admin === "ready").length, 0);
  const title = `${level === "good" ? "" : `${sign} `}${lost ? `${lost} down · ` : ""}${view ? `${view.title} · ` : ""}howdah`;
  if (document.title !== title) document.title = title;
  if (head) at("version").textContent = `howdah ${head.version}`;
}

function link() {
  const {state, since: from, why} = store.link;
  const words = {live: "Live", polling: "Live, asking each second", lost: "No connection", connecting: "Connecting"};
  at("link").className = `link is-${state}`;
  render(at("link"), h("i", {"aria-hidden": "true"}), h("span", null, words[state]));
  const gone = state === "lost" && store.head;
  at("lost").hidden = !gone;
  document.body.classList.toggle("stale", Boolean(gone));
  render(at("lost"), gone ? h("span", null, "Connection lost ", since(new Date(from).toISOString(), "ago"), ` (${why}): this is the last known state.`) : null);
}

function themes() {
  const root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
  const say = () => {
    at("theme").textContent = isDark() ? "☀" : "☾";
    at("theme").setAttribute("aria-label", isDark() ? "Light colours" : "Dark colours");
    at("theme").title = isDark() ? "Light colours" : "Dark colours";
  };
  at("theme").onclick = () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("howdah-theme", root.dataset.theme); } catch { /* for this visit, then */ }
    say();
  };
  dark.onchange = say;
  say();
}

function operator() {
  at("token").textContent = token.get() ? "Operator ✓" : "Operator";
  at("token").onclick = askToken;
}

function keys(event) {
  const field = event.target.closest?.("input, select, textarea");
  if (event.key === "/" && !field && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const filter = document.querySelector("[data-filter]");
    if (filter) { event.preventDefault(); filter.focus(); filter.select(); }
  }
  if (event.key === "Escape" && field?.dataset.filter !== undefined) field.blur();
}

onChange(what => {
  view?.hear?.(what);
  if (what === "link") soon("link", link);
  if (what === "token") operator();
  if (what === "features") soon("menu", menu);
  if (what === "head" || what.pool || what.listener || what === "link") soon("top", top);
  if (what.pool && at("order").open) soon("order", redraw);
});

addEventListener("hashchange", () => open(true));
addEventListener("keydown", keys);
at("order").addEventListener("close", closed);
at("order").addEventListener("click", event => { if (event.target === at("order")) at("order").close(); });
document.querySelector("[data-skip]").addEventListener("click", event => { event.preventDefault(); at("main").focus(); });
themes();
operator();
link();
open(false);
follow();
setInterval(() => { tick(); soon("top", top); }, 1000);
