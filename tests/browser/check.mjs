// What tests say: this must be so.

export function must(so, text) {
  if (!so) throw new Error(text);
}

export function same(is, wanted, what) {
  const [one, other] = [JSON.stringify(is), JSON.stringify(wanted)];
  if (one !== other) throw new Error(`${what}: is ${one}, must be ${other}`);
}
