// The page of availability: of each pool and listener how much of the time it could be reached, against what was promised.

import {h, render} from "./dom.js";
import {cell, empty, name, pill, row, section, table} from "./parts.js";
import {day, moment, number, span, took} from "./format.js";
import {look} from "./api.js";
import {soon} from "./pace.js";

const WINDOWS = [["1d", "24 hours"], ["7d", "7 days"], ["30d", "30 days"], ["90d", "90 days"], ["365d", "a year"]];

export function open(main) {
  let told = null, fault = "", length = "30d", chosen = "";
  const draw = () => render(main,
    h("div", {class: "page-head"}, h("h2", null, "Availability"), h("p", {class: "soft"},
      "The share of time in which a session could be had, and of sessions that got a server. Planned work counts neither way.")),
    h("div", {class: "tools"},
      h("div", {class: "tabs plain", role: "group", "aria-label": "Window"}, WINDOWS.map(([value, text]) =>
        h("button", {type: "button", key: value, "aria-pressed": String(length === value), onclick: () => { length = value; fetchAll(); draw(); }}, text))),
      told ? h("span", {class: "soft"}, `since ${moment(told.from)}`) : null),
    fault ? h("p", {class: "outcome bad"}, fault) : null,
    told ? [h("div", {class: "card"}, summary(told.targets, pick)), details(told.targets)] : h("div", {class: "card"}, empty("Looking…")));
  const pick = key => { chosen = chosen === key ? "" : key; draw(); };
  const details = targets => {
    const shown = targets.filter(one => chosen ? id(one) === chosen : one.outages.length);
    return shown.map(one => detail(one));
  };
  async function fetchAll() {
    const asked = length;
    try {
      const answer = await look(`/api/v1/availability?window=${asked}`, "availability");
      if (asked !== length) return;
      told = answer || {targets: [], from: ""};
      fault = "";
    } catch (error) { fault = error.message; }
    soon("availability", draw);
  }
  draw();
  fetchAll();
  const timer = setInterval(fetchAll, 30_000);
  return {title: "Availability", hear() {}, close: () => clearInterval(timer)};
}

const id = one => `${one.kind} ${one.name}`;

/** Never rounded up to a hundred. */
export function percent(value) {
  if (value === null || value === undefined) return "–";
  if (value >= 100) return "100 %";
  return `${(Math.floor(value * 1000) / 1000).toFixed(value > 99 ? 3 : 2)} %`;
}

function summary(targets, pick) {
  if (!targets.length) return empty("Nothing is known yet.");
  const rows = targets.map(one => row(id(one), null,
    cell("Of", "c-name", h("button", {type: "button", class: "plain", title: "Its outages and periods", onclick: () => pick(id(one))}, name(one.name)), h("div", {class: "soft"}, one.kind)),
    cell("Available", "", available(one)),
    cell("Budget", "", budget(one)),
    cell("Periods", "c-periods", periods(one)),
    cell("Sessions served", "n", percent(one.sessions_percent), h("div", {class: "soft"}, `${number(one.sessions_failed)} of ${number(one.sessions_served + one.sessions_failed)} failed`)),
    cell("Down", "n", one.down_seconds ? span(one.down_seconds) : "0", one.planned_seconds ? h("div", {class: "soft"}, `${span(one.planned_seconds)} planned`) : null),
    cell("First byte p50 / p99", "n", one.latency.first_byte.count ? `${took(one.latency.first_byte.p50)} / ${took(one.latency.first_byte.p99)}` : "–")));
  return table("Availability", [["Of", "c-name"], ["Available"], ["Budget"], ["Periods", "c-periods"], ["Sessions served", "n"], ["Down", "n"], ["First byte p50 / p99", "n"]], rows, {class: "availability", scrolls: true});
}

function available(one) {
  const value = one.available_percent, goal = one.slo;
  const level = value === null ? "unknown" : goal === null || goal === undefined ? value >= 100 ? "up" : "alive" : value >= goal ? "up" : "down";
  return [pill(level, percent(value)), goal ? h("div", {class: "soft"}, `goal ${goal} %`) : null,
    one.unwatched_seconds > one.watched_seconds / 20 ? h("div", {class: "soft"}, `watched for ${span(one.watched_seconds)}`) : null];
}

function budget(one) {
  if (!one.budget_seconds) return h("span", {class: "soft"}, "no goal");
  const left = one.budget_left_seconds, part = Math.max(0, Math.min(1, left / one.budget_seconds));
  return h("div", {class: "load", title: `${span(Math.max(0, left))} of ${span(one.budget_seconds)} left`},
    h("span", null, left < 0 ? [h("b", {class: "warned"}, "used up"), ` by ${span(-left)}`] : [h("b", null, span(left)), " left"]),
    h("span", {class: `bar ${part === 0 ? "full" : part < 0.25 ? "high" : ""}`, "aria-hidden": "true"}, h("i", {style: {width: `${part * 100}%`}})));
}

/** A tick for each hour, day or month; its height is the share that was lost, on a scale that shows a little. */
function periods(one) {
  const all = one.periods.slice(-90);
  if (!all.length) return h("span", {class: "soft"}, "–");
  const bad = all.filter(each => each.down_seconds > 0).length;
  return h("div", {class: "strip periods", role: "img", "aria-label": `${all.length} periods, ${bad} with an outage`}, all.map(each => {
    const state = each.available_percent === null ? "unknown" : each.down_seconds > 0 ? (each.available_percent < 99 ? "down" : "alive") : "up";
    return h("i", {class: `tick is-${state}`, key: each.start, title: `${each.step === "hour" ? moment(each.start) : day(each.start)}: ${percent(each.available_percent)}${each.down_seconds ? `, down ${span(each.down_seconds)}` : ""}`});
  }));
}

function detail(one) {
  const outages = [...one.outages].reverse().map(each => row(`${each.start} ${each.planned}`, null,
    cell("Began", "mono nowrap", moment(each.start)), cell("Ended", "mono nowrap", each.end ? moment(each.end) : h("b", {class: "warned"}, "lasts")),
    cell("For", "n", span(each.seconds)), cell("Kind", "", pill(each.planned ? "maintenance" : "error", each.planned ? "planned" : "failure")), cell("Cause", "wide", each.cause)));
  const latency = ["connect", "first_byte", "turn"].map(what => row(what, null, cell("What", "", {connect: "connect", first_byte: "first byte", turn: "each answer"}[what]),
    ["p50", "p90", "p99"].map(part => cell(part, "n", took(one.latency[what][part]))), cell("Measured", "n", number(one.latency[what].count))));
  return section(`${one.kind === "pool" ? "Pool" : "Listener"} ${one.name}`, null,
    h("div", {class: "card spaced"}, outages.length ? table(`Outages of ${one.name}`, [["Began"], ["Ended"], ["For", "n"], ["Kind"], ["Cause", "wide"]], outages, {class: "outages"}) : empty("No outage in this window.")),
    one.kind === "pool" ? h("div", {class: "card"}, table(`Latency of ${one.name}`, [["Latency"], ["half", "n"], ["nine of ten", "n"], ["99 of a hundred", "n"], ["measured", "n"]], latency, {class: "latency"})) : null);
}
