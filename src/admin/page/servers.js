// The servers of a pool as a table: on the overview, and on the pool's own page.

import {h, memo} from "./dom.js";
import {sessions, cell, health, row, serverLink, table} from "./parts.js";
import {number, short, took} from "./format.js";
import {probes, strip, wantProbes} from "./probes.js";
import {series} from "./series.js";
import {spark} from "./chart.js";
import {give} from "./orders.js";

const COLUMNS = [
  ["Server", "c-name"], ["Health and reason", "c-health"], ["Sessions", "c-sessions"], ["Last hour", "c-hour"],
  ["Last probes", "c-probes"], ["Weight", "c-weight n"], [h("span", {class: "hear"}, "Orders"), "c-orders"],
];

/** `near`: they are in sight, or soon will be; only then are they asked for more than the status tells. */
export function serversTable(pool, shown, near) {
  const told = series(pool.name);
  const columns = COLUMNS.filter(([, kind]) => kind !== "c-hour" || told);
  return table(`Servers of ${pool.name}`, columns, shown.map(server => {
    const seen = probes(pool.name, server);
    if (near) wantProbes(pool.name, server.name, PROBES_AGE);
    return memo(server.name, [server, seen, told, near], () => serverRow(pool.name, server, told, near));
  }), {class: "servers"});
}

function serverRow(pool, server, told, near) {
  const well = server.health === "up" && server.admin === "ready";
  return row(undefined, {class: well ? "" : `not-well is-${server.health}`, "data-server": `${pool}/${server.name}`},
    cell("Server", "c-name", serverLink(pool, server.name), address(server)),
    cell("Health", "c-health", health(server)),
    cell("Sessions", "c-sessions", sessions(server.sessions_active, server.max_connections),
      h("div", {class: "soft"}, `${number(server.sessions_total)} in all`)),
    told ? cell("Last hour", "c-hour", near ? hour(told.servers.get(server.name), server.sessions_active) : null) : null,
    cell("Last probes", "c-probes", near ? strip(pool, server) : null),
    cell("Weight", "c-weight n", weight(server)),
    cell("Orders", "c-orders", h("button", {
      class: "quiet", type: "button", "aria-label": `Orders for ${server.name} of ${pool}`, title: "Orders",
      onclick: () => give(pool, server.name),
    }, "Orders…")));
}

/** Where it differs from the name. */
function address(server) {
  if (server.address === server.name || server.address.startsWith(`${server.name}:`)) {
    const port = server.address.slice(server.name.length);
    return port ? h("div", {class: "mono soft"}, `port ${port.slice(1)}`) : null;
  }
  return h("div", {class: "mono soft clip", title: server.address}, server.address);
}

function weight(server) {
  const factor = server.load && server.load.factor < 1 ? h("div", {class: "soft", title: server.load.detail}, `× ${Math.round(server.load.factor * 100)} %`) : null;
  return [number(server.weight), factor];
}

function hour(own, now) {
  if (!own) return h("span", {class: "soft"}, "–");
  return h("div", {class: "hour"}, spark("sessions", [...own.sessions, now], short), spark("connect", own.connect_seconds || [], took, "line"));
}

/** Asks again for what is in sight, where it has become old. */
export const refresh = pool => { for (const server of pool.servers) wantProbes(pool.name, server.name, PROBES_AGE); };

const PROBES_AGE = 12;
