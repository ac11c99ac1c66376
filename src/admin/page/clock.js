// How long ago: elements that say so, and the one timer that keeps them true.
//
// The server's clock counts; `skew` is what the browser's own differs from it.

import {h} from "./dom.js";
import {inWords, moment, span} from "./format.js";

let skew = 0;

export const now = () => Date.now() + skew;

/** The server said in an answer what time it is. */
export function heard(date) {
  const said = Date.parse(date);
  // The header has whole seconds: a small difference says nothing.
  if (!Number.isNaN(said)) skew = Math.abs(said - Date.now()) > 1500 ? said - Date.now() : 0;
}

export const secondsSince = text => Math.max(0, (now() - Date.parse(text)) / 1000);

const FORMS = {
  for: seconds => span(seconds),
  ago: seconds => seconds < 2 ? "just now" : `${span(seconds)} ago`,
  words: seconds => `${inWords(seconds)} ago`,
  left: seconds => span(seconds),
};

/** `<time>` that says how long ago `text` was; forms: for, ago, words. */
export function since(text, form = "ago") {
  return h("time", {datetime: text, "data-form": form, title: moment(text)}, FORMS[form](secondsSince(text)));
}

/** Sets what has become another text; called once a second. */
export function tick(root = document) {
  for (const one of root.querySelectorAll("time[data-form]")) {
    const text = FORMS[one.dataset.form](secondsSince(one.dateTime));
    if (one.firstChild && one.firstChild.data !== text) one.firstChild.data = text;
  }
}
