// Time lines as inline drawings. Each says its own scale in words: the largest value in it.

import {h} from "./dom.js";
import {span} from "./format.js";

/** A small line of the last hour, for a table. `say(value)` writes a value. */
export function spark(label, values, say, kind = "area") {
  const most = top(values);
  if (most === null) return h("div", {class: "spark none"}, h("span", {class: "soft"}, "no data yet"));
  const last = values.findLast(value => value !== null);
  const text = `${label} in the last hour: now ${say(last)}, at most ${say(most)}`;
  return h("div", {class: "spark", title: text},
    h("svg", {viewBox: "0 0 100 24", preserveAspectRatio: "none", role: "img", "aria-label": text}, curve(values, most, 24, kind)),
    h("span", {class: "soft", "aria-hidden": "true"}, `${label} ≤ ${say(most)}`));
}

/** A larger one with its scale, for a page of its own. Each of `lines` is {label, values, kind}. */
export function chart(title, lines, say, step) {
  const tops = lines.map(line => top(line.values)).filter(value => value !== null);
  const most = tops.length ? Math.max(...tops) : null;
  const length = Math.max(0, ...lines.map(line => line.values.length));
  const ago = span(length * step);
  const legend = lines.map((line, index) => h("span", {class: `legend line-${index}`},
    h("i", {"aria-hidden": "true"}), `${line.label} `, h("b", null, say(line.values.findLast(value => value !== null) ?? null))));
  const text = lines.map(line => `${line.label} at most ${say(top(line.values))}`).join(", ");
  return h("figure", {class: "chart"},
    h("figcaption", null, h("h3", null, title), h("span", {class: "legends"}, legend)),
    most === null ? h("p", {class: "empty"}, "No data in the last hour.") :
      h("div", {class: "plot"},
        h("svg", {viewBox: "0 0 300 80", preserveAspectRatio: "none", role: "img", "aria-label": `${title}, last ${ago}: ${text}`},
          h("path", {class: "grid", d: "M0 1H300M0 40H300M0 79H300"}),
          lines.map((line, index) => h("g", {class: `line-${index}`}, curve(line.values, most, 80, line.kind || "line")))),
        h("span", {class: "scale top", "aria-hidden": "true"}, say(most)),
        h("span", {class: "scale from", "aria-hidden": "true"}, `${ago} ago`),
        h("span", {class: "scale to", "aria-hidden": "true"}, "now")));
}

const top = values => {
  const known = values.filter(value => value !== null && value !== undefined);
  return known.length ? Math.max(...known) : null;
};

/** Paths of the known stretches; at most as many points as can be seen. */
function curve(all, most, height, kind) {
  const values = thin(all, POINTS), width = height === 24 ? 100 : 300;
  const x = index => (values.length < 2 ? width : index / (values.length - 1) * width).toFixed(1);
  const y = value => (most > 0 ? height - 1 - value / most * (height - 2) : height - 1).toFixed(1);
  let line = "", area = "", begun = null;
  const close = end => {
    if (begun !== null) area += `L${x(end)} ${height}L${x(begun)} ${height}Z`;
    // One value alone is a dot.
    if (begun === end) line += "h.5";
    begun = null;
  };
  values.forEach((value, index) => {
    if (value === null || value === undefined) return close(index - 1);
    const point = `${begun === null ? "M" : "L"}${x(index)} ${y(value)}`;
    line += point;
    area += point;
    if (begun === null) begun = index;
  });
  close(values.length - 1);
  return [kind === "area" ? h("path", {class: "fill", d: area}) : null, h("path", {class: "stroke", d: line})];
}

/** The largest of each group, so that no peak is lost. */
function thin(values, most) {
  if (values.length <= most) return values;
  const size = Math.ceil(values.length / most), groups = [];
  for (let index = 0; index < values.length; index += size) groups.push(top(values.slice(index, index + size)));
  return groups;
}

const POINTS = 120;
