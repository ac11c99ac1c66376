// The page of events: all that happened, filtered, and as a file for a post-mortem.

import {h, render} from "./dom.js";
import {eventList, wantEvents} from "./happened.js";
import {number} from "./format.js";
import {soon} from "./pace.js";
import {store} from "./store.js";

const filter = {text: "", severity: ""};

export function open(main) {
  const fits = one => (!filter.severity || one.severity === filter.severity || (filter.severity === "warning" && one.severity === "error")) &&
    filter.text.toLowerCase().split(/\s+/).every(word => `${one.kind} ${one.pool}/${one.server} ${one.listener} ${one.text} ${one.by}`.toLowerCase().includes(word));
  const draw = () => render(main,
    h("div", {class: "page-head"}, h("h2", null, "Events"), h("p", {class: "soft"}, "Transitions, orders, reloads: what changed, when, and by whom.")),
    h("div", {class: "tools"},
      h("input", {type: "search", class: "filter", "data-filter": true, placeholder: "Filter: server, kind, word…   /", "aria-label": "Filter events", value: filter.text,
        oninput: event => { filter.text = event.target.value; draw(); }}),
      h("select", {"aria-label": "Severity", value: filter.severity, onchange: event => { filter.severity = event.target.value; draw(); }},
        h("option", {value: ""}, "all"), h("option", {value: "warning"}, "warnings and errors"), h("option", {value: "error"}, "errors")),
      h("span", {class: "soft grow"}, `${number(store.events.filter(fits).length)} of ${number(store.events.length)}`),
      h("a", {href: "/api/v1/events?limit=100000", download: "howdah-events.json"}, "Save as JSON")),
    h("div", {class: "card"}, eventList(fits, 500)));
  wantEvents();
  draw();
  const timer = setInterval(wantEvents, 2000);
  return {title: "Events", hear(what) { if (what === "events" || what === "features") soon("events", draw); }, close: () => clearInterval(timer)};
}
