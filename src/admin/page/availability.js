// The page of availability.

import {h, render} from "./dom.js";
import {empty} from "./parts.js";

export function open(main) {
  render(main, h("div", {class: "page-head"}, h("h2", null, "Availability")), h("div", {class: "card"}, empty("Looking…")));
  return {title: "Availability", hear() {}, close() {}};
}
