// What this howdah is together with others: the addresses that it may hold, its cluster, its peers, and those it took over from.

import {h} from "./dom.js";
import {number, plural, span} from "./format.js";
import {name, pill} from "./parts.js";
import {since} from "./clock.js";

/** A card each; nothing where it stands alone. */
export function together({vips = [], cluster, peers = [], predecessors = []}) {
  const cards = [...vips.map(address), ...(cluster ? [howdahs(cluster)] : []), ...peers.map(peer), ...predecessors.map(former)];
  if (!cards.length) return null;
  return h("section", {class: "together", "aria-label": "With others"}, h("h2", null, "With others"), h("ul", null, cards));
}

const card = (kind, title, word, level, ...lines) => h("li", {class: "card", key: `${kind} ${title}`},
  h("div", {class: "together-head"}, h("span", {class: "soft"}, kind), name(title), pill(level, word)),
  lines.filter(Boolean).map(line => h("p", {class: "soft"}, line)));

const lasting = text => ["for ", since(text, "for")];

function address(vip) {
  const level = {master: "up", backup: "ready", fault: "down"}[vip.state] || "unknown";
  return card("virtual address", vip.name, vip.state, level,
    [h("span", {class: "mono"}, vip.addresses.join("  ")), ` on ${vip.interface}`],
    [...lasting(vip.since), `, priority ${vip.priority}`, vip.peer ? `; ${vip.peer} has ${vip.peer_priority}` : ""],
    vip.why);
}

function howdahs(cluster) {
  const isAlone = cluster.state === "alone";
  const reached = isAlone ? ["no ZooKeeper ", ...lasting(cluster.since), cluster.why ? `: ${cluster.why}` : ""]
    : [`ZooKeeper ${cluster.zookeeper ?? "reached"}, `, ...lasting(cluster.since)];
  const leads = cluster.mode !== "active-standby" ? "all take sessions" : cluster.leader ? `${cluster.leader} leads` : "nobody leads yet";
  return card("cluster", cluster.name, cluster.state, isAlone ? "alive" : "up", reached, leads,
    h("span", null, cluster.members.map((one, index) => [index ? "; " : "", h("b", null, one.name), one.here ? " (this one)" : "", one.ready ? "" : " not ready",
      `, ${plural(one.sessions, "session")}`])));
}

function peer(one) {
  const level = {connected: "up", syncing: "alive"}[one.state] || "down";
  return card("peer", one.name, one.state, level,
    [h("span", {class: "mono"}, one.address), " ", ...lasting(one.since)],
    `${number(one.entries_sent)} sticky entries sent, ${number(one.entries_received)} received`,
    one.why);
}

function former(one) {
  return card("predecessor", `process ${one.pid}`, "drains", "draining",
    [plural(one.sessions, "session"), " left, ended in ", span(one.seconds_left), " at the latest"],
    [`howdah ${one.version}, taken over from `, since(one.since)]);
}
