// The page of certificates: whose, for which names, and how long they last.

import {day, plural} from "./format.js";
import {h, render} from "./dom.js";
import {cell, empty, pill, row, table} from "./parts.js";
import {look} from "./api.js";
import {soon} from "./pace.js";

export function open(main) {
  let told = null, fault = "";
  const draw = () => render(main,
    h("div", {class: "page-head"}, h("h2", null, "Certificates"), h("p", {class: "soft"}, "Those that howdah shows to clients, to servers, and here; renew one in its last third, and reload.")),
    fault ? h("p", {class: "outcome bad"}, fault) : null,
    h("div", {class: "card"}, !told ? empty("Looking…") : told.certificates.length ? list(told.certificates) : empty("None: no listener and no pool has TLS of its own.")));
  const fetchAll = async () => {
    try { told = await look("/api/v1/certificates", "certificates") || {certificates: []}; fault = ""; } catch (error) { fault = error.message; }
    soon("certificates", draw);
  };
  draw();
  fetchAll();
  const timer = setInterval(fetchAll, 60_000);
  return {title: "Certificates", hear() {}, close: () => clearInterval(timer)};
}

function list(all) {
  const rows = [...all].sort((one, other) => one.days_left - other.days_left).map((one, index) => row(`${one.where} ${one.subject} ${index}`, null,
    cell("State", "", state(one.days_left)),
    cell("Ends", "nowrap", day(one.not_after), h("div", {class: "soft"}, `since ${day(one.not_before)}`)),
    cell("Where", "", one.where),
    cell("Subject", "wide", one.subject, h("div", {class: "soft"}, (one.names || []).join(", "))),
    cell("Issuer", "soft", one.issuer)));
  return table("Certificates", [["State"], ["Ends"], ["Where"], ["Subject and names", "wide"], ["Issuer"]], rows, {class: "certificates", scrolls: true});
}

function state(days) {
  if (days < 0) return pill("down", "ended");
  return pill(days < 7 ? "down" : days < 30 ? "alive" : "up", `${plural(Math.floor(days), "day")} left`);
}
