// Draws what has changed, a little in each frame, so that a thousand servers never hold up a scroll or a key.

const waiting = new Map();
let asked = false;

/** Calls `draw` in one of the next frames; a later call under the same key takes its place. Urgent ones go first. */
export function soon(key, draw, urgent = true) {
  const was = waiting.get(key);
  waiting.set(key, {draw, urgent: urgent || Boolean(was?.urgent)});
  if (!asked) {
    asked = true;
    requestAnimationFrame(work);
    // A page that is not seen has no frames, and should still know.
    if (document.hidden) setTimeout(() => asked && work(performance.now()), HIDDEN);
  }
}

/** What was asked for a view that is gone. */
export const forget = () => waiting.clear();

function work() {
  asked = false;
  const begun = performance.now();
  const order = [...waiting].sort(([, one], [, other]) => other.urgent - one.urgent);
  for (const [key, {draw}] of order) {
    if (performance.now() - begun > SLICE) break;
    waiting.delete(key);
    draw();
  }
  if (waiting.size && !asked) {
    asked = true;
    requestAnimationFrame(work);
  }
}

/** Milliseconds in a frame. */
const SLICE = 8;
const HIDDEN = 1000;
