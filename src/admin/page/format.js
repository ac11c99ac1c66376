// Numbers, times and names as people read them; pure.

const WORDS = new Intl.NumberFormat("en-US");

export const number = value => WORDS.format(value);

export const plural = (count, one, many = one + "s") => `${number(count)} ${count === 1 ? one : many}`;

/** A number in few characters: 940, 12.4k, 3.1M. */
export function short(value) {
  const steps = [[1e9, "G"], [1e6, "M"], [1e3, "k"]];
  const step = steps.find(([size]) => Math.abs(value) >= size);
  if (!step) return Number.isInteger(value) ? String(value) : value.toFixed(value < 10 ? 1 : 0);
  const scaled = value / step[0];
  return (scaled < 10 ? scaled.toFixed(1) : Math.round(scaled)) + step[1];
}

/** 0 B, 12 KiB, 3.4 GiB. */
export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0, rest = value;
  while (rest >= 1024 && unit < units.length - 1) { rest /= 1024; unit += 1; }
  return `${unit && rest < 10 ? rest.toFixed(1) : Math.round(rest)} ${units[unit]}`;
}

/** A span that something took: 0.4 ms, 12 ms, 3.2 s, 4 min. */
export function took(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds > 0 && seconds < 0.0005) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 0.00995) return `${(seconds * 1000).toFixed(1)} ms`;
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  return seconds < 9.95 ? `${seconds.toFixed(1)} s` : span(seconds);
}

/** A span between two moments, in its two largest units at most. */
export function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const minutes = Math.floor(whole / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
  if (whole < 60) return `${whole} s`;
  if (minutes < 60) return `${minutes} min`;
  if (hours < 10) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  if (hours < 48) return `${hours} h`;
  return days < 10 && hours % 24 ? `${days} d ${hours % 24} h` : `${number(days)} d`;
}

/** The same in words: 4 minutes, 1 hour, 12 days. */
export function inWords(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  for (const [size, word] of [[86400, "day"], [3600, "hour"], [60, "minute"]])
    if (whole >= size) return plural(Math.floor(whole / size), word);
  return plural(whole, "second");
}

/** A moment of today as a time, of another day with its date; the reader's time zone. */
export function moment(text, now = Date.now()) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return "–";
  const time = at.toLocaleTimeString("en-GB");
  const today = at.toDateString() === new Date(now).toDateString();
  return today ? time : `${day(at)} ${time}`;
}

export function day(text) {
  const at = new Date(text);
  const two = value => String(value).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** A stable word as words: connect-refused → connection refused. */
export const spoken = word => (word || "").replace(/^connect-/, "connection-").replaceAll("-", " ");

/** Where the end of a name begins that stays when its middle goes; 0: it is short enough. */
export function tailOf(text, room) {
  if (text.length <= room) return 0;
  const end = text.slice(-TAIL), at = end.search(/[.\-/_]/);
  return at > 0 && at < TAIL - 4 ? TAIL - at - 1 : TAIL - 4;
}

/** A name within a sentence, without its middle where it is long. */
export function brief(text) {
  const tail = tailOf(text, BRIEF);
  return tail ? `${text.slice(0, BRIEF - tail - 1)}…${text.slice(-tail)}` : text;
}

const TAIL = 14;
const BRIEF = 34;
