// Small things that every page shows: pills, bars, names that are too long, tables.

import {h} from "./dom.js";
import {number, tailOf} from "./format.js";
import {since} from "./clock.js";
import {poolHash, serverHash, why} from "./sentence.js";

/** Each state has a sign as well as a colour. */
const SIGNS = {up: "✓", alive: "◐", down: "✕", unknown: "…", ready: "✓", draining: "↓", maintenance: "■", error: "✕", warning: "!", info: "·"};

export const pill = (word, text = word) =>
  h("span", {class: `pill is-${word}`}, h("span", {class: "sign", "aria-hidden": "true"}, SIGNS[word] || "·"), text);

/** A name whose middle goes where room is short; whole in the title and for those who hear it. */
export function name(text, more = {}) {
  const tail = tailOf(text, SHORT);
  const parts = tail
    ? [h("span", {class: "name-head"}, text.slice(0, -tail)), h("span", {class: "name-tail"}, text.slice(-tail))]
    : [h("span", {class: "name-head"}, text)];
  return h(more.href ? "a" : "span", {...more, class: `name ${more.class || ""}`.trim(), title: text}, parts);
}

export const poolLink = pool => name(pool, {href: poolHash(pool)});
export const serverLink = (pool, server) => name(server, {href: serverHash(pool, server)});

/** Sessions as a bar against their bound; without one, a number alone. */
export function sessions(active, most) {
  const full = most ? Math.min(1, active / most) : 0;
  const count = h("span", {class: "count"}, h("b", null, number(active)), most ? h("span", {class: "most"}, ` / ${number(most)}`) : null);
  if (!most) return h("div", {class: "load", title: "no bound"}, count);
  const level = full >= 1 ? "full" : full >= 0.8 ? "high" : "some";
  return h("div", {class: "load", title: `${number(active)} of ${number(most)} sessions`}, count,
    h("span", {class: `bar ${level}`, "aria-hidden": "true"}, h("i", {style: {width: `${active ? Math.max(1.5, full * 100) : 0}%`}})));
}

/** Health with its reason and since when. */
export function health(server) {
  const cause = why(server);
  const text = server.role === "standby" && server.health === "alive" ? "standby" : server.health;
  return h("div", {class: "health"},
    h("div", {class: "health-line"}, pill(server.health, text),
      server.admin !== "ready" ? pill(server.admin) : null,
      server.backup ? h("span", {class: "tag"}, "backup") : null,
      server.role && server.role !== text ? h("span", {class: "tag"}, server.role) : null,
      server.since ? h("span", {class: "soft"}, "for ", since(server.since, "for")) : null),
    cause ? h("div", {class: "reason", title: server.last_probe?.detail || cause}, cause) : null);
}

/** A table: columns are [title, class]; its place in a list of cards on a phone. */
export function table(label, columns, rows, more = {}) {
  return h("div", {class: "scroll", tabindex: more.scrolls ? "0" : null, role: more.scrolls ? "region" : null, "aria-label": more.scrolls ? label : null},
    h("table", {class: more.class || "", role: "table", "aria-label": label},
      h("thead", {role: "rowgroup"}, h("tr", {role: "row"},
        columns.map(([title, kind]) => h("th", {scope: "col", role: "columnheader", class: kind || ""}, title)))),
      h("tbody", {role: "rowgroup"}, rows)));
}

export const row = (key, more, ...cells) => h("tr", {key, role: "row", ...more}, cells);

/** A cell; `label` is what a phone writes before it. */
export const cell = (label, kind, ...inside) => h("td", {role: "cell", class: kind || "", "data-label": label}, inside);

export const empty = (...text) => h("p", {class: "empty"}, text);

export const fact = (label, ...value) => h("div", {class: "fact"}, h("dt", null, label), h("dd", null, value));

export const section = (title, more, ...inside) =>
  h("section", {class: "block", "aria-label": title}, h("div", {class: "block-head"}, h("h2", null, title), more), inside);

const SHORT = 20;
