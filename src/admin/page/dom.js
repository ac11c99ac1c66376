// Elements from descriptions, kept in place: what is the same stays the same node, so that focus, selection, scroll
// position and open dialogs outlive every update.
//
// A view describes what it shows with `h(tag, properties, ...children)` and hands it to `render`, which compares it with
// what it described last and touches what differs. `memo` leaves out the comparison where its inputs are the same.
// A child with a `key` is found again by it, wherever it moves.

const SVG = "http://www.w3.org/2000/svg";
const NONE = Object.freeze({});

/** An element: properties are attributes; `on…` are listeners, `style` sets properties of style, `value` is live. */
export function h(tag, properties, ...children) {
  const given = properties || NONE;
  return {tag, properties: given, children: children.flat(Infinity).filter(shown), key: given.key};
}

/** What `make()` describes, made again only when one of `inputs` is another than last time. */
export function memo(key, inputs, make) {
  return {key, inputs, make};
}

/** Makes the children of `parent` what `children` describe. */
export function render(parent, ...children) {
  reconcile(parent, children.flat(Infinity).filter(shown));
}

const shown = child => child !== null && child !== undefined && child !== false && child !== "";

function reconcile(parent, wanted) {
  const [keyed, plain] = sort(parent);
  let next = 0;
  const nodes = wanted.map(child => {
    const old = child.key === undefined ? plain[next++] : keyed.get(child.key);
    keyed.delete(child.key);
    return old && fits(old, child) ? old : null;
  });
  const kept = new Set(nodes);
  for (const node of [...parent.childNodes]) if (!kept.has(node)) node.remove();
  let place = parent.firstChild;
  wanted.forEach((child, index) => {
    let node = nodes[index];
    if (node) update(node, child);
    else node = create(child, parent);
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
  });
}

/** The children that are there: by key, and the others in order. */
function sort(parent) {
  const keyed = new Map(), plain = [];
  for (const node of parent.childNodes) {
    const key = node.described?.key;
    if (key === undefined) plain.push(node);
    else keyed.set(key, node);
  }
  return [keyed, plain];
}

function fits(node, child) {
  const old = node.described;
  if (old === undefined) return false;
  if (typeof child !== "object") return typeof old !== "object";
  return typeof old === "object" && Boolean(old.make) === Boolean(child.make) && old.tag === child.tag;
}

function create(child, parent) {
  if (typeof child !== "object") {
    const node = document.createTextNode(String(child));
    node.described = String(child);
    return node;
  }
  if (child.make) {
    const made = child.make(), node = create(made, parent);
    node.described = {...child, made};
    return node;
  }
  const svg = child.tag === "svg" || (parent.namespaceURI === SVG && parent.localName !== "foreignObject");
  const node = svg ? document.createElementNS(SVG, child.tag) : document.createElement(child.tag);
  node.described = child;
  set(node, NONE, child.properties);
  for (const inner of child.children) node.append(create(inner, node));
  if ("value" in child.properties) node.value = child.properties.value;
  return node;
}

function update(node, child) {
  if (typeof child !== "object") {
    if (node.data !== String(child)) node.data = String(child);
    node.described = String(child);
  } else if (child.make) {
    const old = node.described;
    if (same(old.inputs, child.inputs)) return;
    const made = child.make();
    if (made.tag !== old.made.tag) throw new Error("a memo keeps its tag");
    change(node, old.made, made);
    node.described = {...child, made};
  } else {
    change(node, node.described, child);
    node.described = child;
  }
}

function change(node, old, child) {
  set(node, old.properties, child.properties);
  reconcile(node, child.children);
}

const same = (one, other) => one.length === other.length && one.every((value, index) => Object.is(value, other[index]));

function set(node, old, properties) {
  for (const name in old) if (!(name in properties)) put(node, name, null, old[name]);
  for (const name in properties) if (properties[name] !== old[name]) put(node, name, properties[name], old[name]);
}

function put(node, name, value, old) {
  if (name === "key") return;
  if (name.startsWith("on")) node[name] = value;
  else if (name === "style") for (const one in value) node.style.setProperty(one, value[one]);
  else if (name === "value") { if (old === undefined || document.activeElement !== node) node.value = value; }
  else if (name === "checked") node.checked = Boolean(value);
  else if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else node.setAttribute(name, value === true ? "" : value);
}
