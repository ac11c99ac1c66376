// The first page: what needs somebody, who listens, and each pool with its servers.
//
// Each pool is drawn on its own when it changes; those out of sight later, as there is time.

import {h, render} from "./dom.js";
import {empty, name, pill, poolLink, sessions} from "./parts.js";
import {concerns, standing, standsBy} from "./sentence.js";
import {number, plural, short, span, took} from "./format.js";
import {series, sum, want} from "./series.js";
import {refresh, serversTable} from "./servers.js";
import {together} from "./together.js";
import {since} from "./clock.js";
import {soon} from "./pace.js";
import {store} from "./store.js";

const filter = {text: "", ill: false};

export function open(main) {
  const cards = new Map(), near = new Set();
  const watch = new IntersectionObserver(entries => {
    for (const {target, isIntersecting} of entries) {
      if (isIntersecting) near.add(target.dataset.pool);
      else near.delete(target.dataset.pool);
      soon(`pool ${target.dataset.pool}`, () => card(target.dataset.pool), isIntersecting);
    }
  }, {rootMargin: "400px 0px"});

  const [top, bar, list] = ["top", "toolbar", "pools"].map(kind => Object.assign(document.createElement("div"), {className: kind}));
  main.replaceChildren(top, bar, list);

  const head = () => {
    render(top, needs(), store.head ? together(store.head) : null, listeners());
    render(bar, h("h2", null, "Pools"), toolbar(() => { for (const pool of store.pools.keys()) soon(`pool ${pool}`, () => card(pool)); }));
  };

  function card(pool) {
    const known = store.pools.get(pool), old = cards.get(pool);
    if (!known) {
      if (old) { watch.unobserve(old); old.remove(); cards.delete(pool); near.delete(pool); }
      return;
    }
    const element = old || place(pool);
    const shown = known.servers.filter(server => fits(known, server));
    element.hidden = shown.length === 0 && Boolean(filter.text || filter.ill);
    if (near.has(pool)) want(pool, SERIES_AGE);
    render(element, poolHead(known), shown.length ? serversTable(known, shown, near.has(pool)) : empty("No servers."), departed(known));
  }

  function place(pool) {
    const element = document.createElement("section");
    element.className = "card pool";
    element.dataset.pool = pool;
    element.setAttribute("aria-label", `Pool ${pool}`);
    cards.set(pool, element);
    sort();
    watch.observe(element);
    return element;
  }

  function sort() {
    const order = [...store.pools.keys()].map(pool => cards.get(pool)).filter(Boolean);
    order.forEach((element, index) => { if (list.children[index] !== element) list.insertBefore(element, list.children[index] || null); });
  }

  head();
  for (const pool of store.pools.keys()) soon(`pool ${pool}`, () => card(pool), false);
  const timer = setInterval(() => {
    if (document.hidden) return;
    for (const pool of near) {
      want(pool, SERIES_AGE);
      if (store.pools.has(pool)) refresh(store.pools.get(pool));
    }
  }, 5000);

  return {
    title: "Overview",
    hear(what) {
      if (what === "order") sort();
      const pool = what.pool ?? what.series ?? what.probes;
      if (pool !== undefined) soon(`pool ${pool}`, () => card(pool), near.has(pool));
      soon("head", head);
    },
    close() { watch.disconnect(); clearInterval(timer); },
  };
}

function fits(pool, server) {
  if (filter.ill && server.health === "up" && server.admin === "ready") return false;
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  const text = `${pool.name}/${server.name} ${server.address} ${server.health} ${server.admin} ${server.reason} ${pool.service}`.toLowerCase();
  return words.every(word => text.includes(word));
}

function toolbar(redraw) {
  const all = [...store.pools.values()].reduce((total, pool) => total + pool.servers.length, 0);
  return h("div", {class: "tools"},
    h("input", {type: "search", class: "filter", "data-filter": true, placeholder: "Filter: name, address, down…   /", "aria-label": "Filter servers",
      value: filter.text, oninput: event => { filter.text = event.target.value; redraw(); }}),
    h("label", {class: "check"}, h("input", {type: "checkbox", checked: filter.ill,
      onchange: event => { filter.ill = event.target.checked; redraw(); }}), "only what is not well"),
    h("span", {class: "soft"}, `${plural(store.pools.size, "pool")}, ${plural(all, "server")}`));
}

function needs() {
  const all = concerns(store), first = all.slice(0, CONCERNS);
  if (!all.length) return null;
  return h("section", {class: "needs card", "aria-label": "What needs somebody"},
    h("ul", null, first.map(one => h("li", {class: `need ${one.level}`, key: `${one.pool} ${one.place} ${one.text}`},
      h("span", {class: "sign", "aria-hidden": "true"}, {bad: "✕", warn: "!", note: "·"}[one.level]),
      h("span", {class: "need-text"},
        one.place ? [name(one.place, {href: one.to}), " "] : null,
        one.pool ? ["of ", name(one.pool, {class: "plain"}), " "] : null,
        one.place ? one.text : one.to ? h("a", {href: one.to}, one.text) : one.text,
        one.since ? [" for ", since(one.since, "for")] : null,
        one.cause ? [": ", h("b", null, one.cause)] : null))),
    all.length > CONCERNS ? h("li", {class: "need note", key: "more"}, h("span", {class: "sign"}), `and ${number(all.length - CONCERNS)} more`) : null));
}

function listeners() {
  const all = [...store.listeners.values()];
  return h("details", {class: "listeners", open: all.length <= LISTENERS},
    h("summary", null, h("h2", null, plural(all.length, "listener"))),
    h("ul", null, all.map(one => h("li", {class: "card", key: one.name},
      name(one.name), sessions(one.sessions_active, one.max_connections),
      h("span", {class: "mono soft"}, one.bind.length ? one.bind.join("  ") : standsBy(store.head) ? pill("waiting", "stands by") : pill("down", "not bound"), one.protocol?.includes("udp") ? ` ${one.protocol.join("+")}` : null,
        (one.pools || []).filter(pool => pool !== one.name).map(pool => [" → ", poolLink(pool)])),
      h("span", {class: "soft n"}, `${number(one.sessions_total)} in all`)))));
}

function poolHead(pool) {
  const {total, serving, standby, onBackup} = standing(pool);
  const level = serving === 0 ? "down" : serving + standby < total || onBackup ? "alive" : "up";
  return h("div", {class: "pool-head"},
    h("h3", null, poolLink(pool.name)),
    pill(level, `${serving} of ${total} serve`),
    standby ? h("span", {class: "tag"}, plural(standby, "backup stands", "backups stand"), " by") : null,
    onBackup ? h("span", {class: "tag"}, "on backup") : null,
    h("span", {class: "soft grow"}, `${pool.service} · ${pool.balance}`),
    numbers(pool));
}

export function numbers(pool) {
  const active = pool.servers.reduce((total, one) => total + one.sessions_active, 0);
  const told = series(pool.name);
  const opened = told ? sum(told, "opened").at(-1) : null;
  const connects = told ? [...told.servers.values()].map(one => one.connect_seconds?.findLast(value => value !== null)).filter(value => value !== undefined) : [];
  return h("div", {class: "numbers"},
    h("span", null, h("b", null, number(active)), active === 1 ? " session" : " sessions"),
    opened === null || opened === undefined ? null : h("span", null, h("b", null, short(opened / told.step)), " new/s"),
    connects.length ? h("span", null, "connect ", h("b", null, took(Math.max(...connects)))) : null,
    pool.queue ? h("span", {class: "warned"}, h("b", null, number(pool.queue)), " waiting") : null,
    pool.sticky_entries === null || pool.sticky_entries === undefined ? null : h("span", null, h("b", null, number(pool.sticky_entries)), " sticky"),
    pool.discovery ? h("span", {class: pool.discovery.state === "live" ? "" : "warned", title: pool.discovery.target},
      `listed by ${pool.discovery.source}${pool.discovery.state === "live" ? "" : ", stale"}`) : null);
}

export function departed(pool) {
  if (!pool.departed?.length) return null;
  return h("p", {class: "note"}, pool.departed.map((one, index) => [index ? "; " : "Left the file: ", h("b", null, one.name),
    ` with ${plural(one.sessions_active, "session")}`, one.seconds_left === null ? "" : `, ended in ${span(one.seconds_left)}`]));
}

const CONCERNS = 6;
/** More than so many are folded away. */
const LISTENERS = 8;
const SERIES_AGE = 30;
