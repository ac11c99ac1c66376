// Orders: one dialog that says what will happen, asks once, and shows what came of it.
//
// Who may order, howdah decides: the first try goes without a token where none is known, and the dialog asks for one when
// it is refused. The token stays in this tab.

import {h, render} from "./dom.js";
import {order, serverPath, token} from "./api.js";
import {number, plural} from "./format.js";
import {store} from "./store.js";

const TIMES = [["", "until they end by themselves"], ["10m", "10 minutes"], ["30m", "30 minutes"], ["2h", "2 hours"], ["8h", "8 hours"]];

/** What can be asked: its words, what it says of itself, what it sends. */
const ORDERS = {
  drain: {
    title: "Drain", verb: "Drain",
    says: ({active, form}) => `It takes no new sessions from now on. ${held(active, "goes on", "go on")}` +
      (form.timeout ? `; what is left after ${time(form.timeout)} is ended.` : active ? untilTheirEnd(active) : "."),
    send: ({path, form}) => order("POST", `${path}/drain`, form.timeout ? {timeout: form.timeout} : undefined),
  },
  maintenance: {
    title: "Maintenance", verb: "Take out",
    says: ({active}) => `It takes no new sessions until somebody puts it back; probes go on. ${held(active, "goes on", "go on")}${active ? untilTheirEnd(active) : "."}`,
    send: ({path}) => order("POST", `${path}/maintenance`),
  },
  ready: {
    title: "Ready", verb: "Put back",
    says: ({server}) => server.health === "up" ? "It takes new sessions at once." : `It takes new sessions as soon as its probes find it up; now it is ${server.health}.`,
    send: ({path}) => order("POST", `${path}/ready`),
  },
  weight: {
    title: "Weight", verb: "Set weight",
    says: ({server}) => `New sessions follow it from now on; its present weight is ${server.weight}. Sessions that are open stay.`,
    send: ({path, form}) => order("PUT", `${path}/weight`, {weight: Number(form.weight)}),
  },
};

const time = chosen => TIMES.find(([value]) => value === chosen)[1];

const held = (active, one, many) =>
  active ? `${active === 1 ? "Its one session" : `Its ${number(active)} sessions`} ${active === 1 ? one : many}` : "It has no sessions that could be hurt";

const untilTheirEnd = active => active === 1 ? " until it ends by itself." : " until they end by themselves.";

const find = (pool, server) => store.pools.get(pool)?.servers.find(one => one.name === server);

/** Orders for a server; `first` is chosen already. */
export function give(pool, name, first) {
  const at = find(pool, name);
  if (!at) return;
  const form = {what: first || (at.admin === "ready" ? "drain" : "ready"), timeout: "", weight: String(at.weight)};
  ask({
    title: () => `Order for ${name}`,
    place: `of pool ${pool}`,
    body() {
      const server = find(pool, name);
      if (!server) return h("p", null, "This server has left its pool.");
      return [
        h("div", {class: "choices", role: "radiogroup", "aria-label": "Order"}, Object.entries(ORDERS).map(([word, one]) =>
          h("label", {class: "choice", key: word}, h("input", {type: "radio", name: "what", value: word, checked: form.what === word,
            onchange: () => { form.what = word; redraw(); }}), h("span", null, one.title)))),
        h("p", {class: "says", key: "says"}, ORDERS[form.what].says({server, active: server.sessions_active, form})),
        form.what === "drain" ? h("label", {class: "field", key: "timeout"}, "Sessions may stay", h("select", {name: "timeout", value: form.timeout,
          onchange: event => { form.timeout = event.target.value; redraw(); }}, TIMES.map(([value, text]) => h("option", {value}, text)))) : null,
        form.what === "weight" ? h("label", {class: "field", key: "weight"}, "Weight, 1 to 256", h("input", {type: "number", name: "weight", min: "1", max: "256",
          step: "1", required: true, value: form.weight, oninput: event => { form.weight = event.target.value; }})) : null,
      ];
    },
    verb: () => ORDERS[form.what].verb,
    grave: () => form.what === "drain" || form.what === "maintenance",
    send: () => ORDERS[form.what].send({path: serverPath(pool, name), form}),
    done(answer) {
      const server = find(pool, name) || answer;
      const left = plural(server.sessions_active, "session");
      if (answer.admin === "draining") return server.sessions_active
        ? [`${name} is draining: `, h("b", null, `${left} left`), form.timeout ? `, ended after ${time(form.timeout)} at the latest.` : "."]
        : `${name} is drained: no session is left.`;
      if (answer.admin === "maintenance") return `${name} is in maintenance${server.sessions_active ? `, ${left} left` : ""}.`;
      if (form.what === "weight") return `${name} has the weight ${answer.weight} now.`;
      return answer.health === "up" ? `${name} is ready and takes sessions.` : `${name} is ready and takes sessions as soon as it is up; now it is ${answer.health}.`;
    },
  });
}

/** Ends one session. */
export function endSession(session, after) {
  ask({
    title: () => "End a session",
    place: `${session.client} at ${session.pool}/${session.server}`,
    body: () => h("p", {class: "says"}, `The session ${session.id} of ${session.client} is cut now: what it is doing is lost, and its client sees a broken connection unless it was silent. No other session is touched.`),
    verb: () => "End it",
    grave: () => true,
    send: () => order("DELETE", `/api/v1/sessions/${encodeURIComponent(session.id)}`),
    done: () => { after?.(); return `The session ${session.id} is ended.`; },
  });
}

/** Reads the file again; what would change is shown first, where this howdah can say it. */
export function reload(after) {
  let would = null;
  const unsaid = {changes: [], unknown: "What would change, this howdah does not say beforehand."};
  const dry = store.absent.has("dryRun") ? Promise.resolve(unsaid) : order("POST", "/api/v1/reload", {dry_run: true});
  ask({
    title: () => "Reload the configuration",
    place: "",
    body: () => [
      h("p", {class: "says", key: "says"}, "howdah reads its file again. Sessions go on; what a server that leaves the file still has, drains. A faulty file changes nothing."),
      would === null ? h("p", {class: "soft", key: "would"}, "Looking what would change…") : changes(would, "It would change:", "The file says what runs already."),
    ],
    verb: () => "Reload",
    grave: () => false,
    send: () => order("POST", "/api/v1/reload"),
    done: answer => { after?.(); return changes(answer, `Done, generation ${answer.generation}:`, "Done: the file says what runs already."); },
  });
  dry.then(answer => { would = answer; }, error => {
    // Whoever may not order is asked when it counts.
    would = error.status === 401 ? {unknown: "What would change is shown to operators."} : {faults: error.faults, error: error.message, unknown: error.faults.length ? null : error.message};
  }).finally(() => redraw());
}

function changes(answer, some, none) {
  if (answer.unknown) return h("p", {class: "soft", key: "would"}, answer.unknown);
  if (answer.faults?.length) return h("div", {key: "would"}, h("p", {class: "says"}, answer.error), h("pre", {class: "faults"}, answer.faults.join("\n\n")));
  const all = answer.changes || [];
  return h("div", {key: "would"}, h("p", {class: "says"}, all.length ? some : none),
    all.length ? h("ul", {class: "changes"}, all.map(one => h("li", null, typeof one === "string" ? one : one.text || JSON.stringify(one)))) : null,
    answer.warnings?.length ? h("ul", {class: "changes"}, answer.warnings.map(one => h("li", null, `warning: ${one}`))) : null);
}

/** The operator's token, entered or taken away without an order. */
export function askToken() {
  ask({
    title: () => "Operator's token",
    place: "",
    body: () => h("p", {class: "says"}, token.get()
      ? "This tab holds a token and sends it with each order. It is nowhere else, and gone when the tab is closed."
      : "Orders need the token that the file names as admin.token_file, unless you are root or howdah's own user on its machine. It stays in this tab."),
    wants: "always",
    verb: () => "Keep it",
    grave: () => false,
    send: async () => ({}),
    done: () => token.get() ? "The token is kept in this tab." : "No token is kept.",
  });
}

let asked = null;

function ask(what) {
  asked = {...what, state: "asking", fault: null, answer: null, wanted: what.wants === "always", typed: ""};
  redraw();
  const dialog = document.getElementById("order");
  if (!dialog.open) dialog.showModal();
}

/** Called when something changed that an open dialog may say: its sessions, for one. */
export function redraw() {
  const dialog = document.getElementById("order");
  if (!asked) return;
  render(dialog, h("form", {method: "dialog", onsubmit: submit},
    h("h2", {id: "order-title"}, asked.title()),
    asked.place ? h("p", {class: "place mono"}, asked.place) : null,
    h("div", {class: "order-body", key: "body"}, asked.state === "done"
      ? h("div", {class: "outcome good", role: "status", key: "done"}, h("span", {class: "sign", "aria-hidden": "true"}, "✓"), h("div", null, asked.done(asked.answer)))
      : h("div", {key: "asking"}, asked.body())),
    asked.fault ? h("div", {class: "outcome bad", role: "alert", key: "fault"}, h("span", {class: "sign", "aria-hidden": "true"}, "✕"), h("div", null, faultText(asked.fault))) : null,
    asked.wanted && asked.state !== "done" ? tokenField() : null,
    h("div", {class: "buttons", key: "buttons"}, asked.state === "done"
      ? h("button", {type: "button", class: "main", key: "close", onclick: close}, "Close")
      : [h("button", {type: "button", key: "cancel", onclick: close}, "Cancel"),
        h("button", {type: "submit", key: "go", class: asked.grave() ? "main grave" : "main", disabled: asked.state === "sending"},
          asked.state === "sending" ? "Asking…" : asked.verb())])));
}

const tokenField = () => h("label", {class: "field", key: "token"}, "Operator's token",
  h("input", {type: "password", name: "token", autocomplete: "off", spellcheck: "false", value: asked.typed, oninput: event => { asked.typed = event.target.value; }}));

function faultText(fault) {
  if (fault.status === 401) {
    const own = asked.sent ? "That is not the operator's token." : "This order needs the operator's token.";
    return [h("p", null, own), h("p", {class: "soft"}, `howdah says: ${fault.message}`)];
  }
  if (!fault.status) return h("p", null, "howdah does not answer: nothing is known of this order.");
  return [h("p", null, fault.message), fault.faults.length ? h("pre", {class: "faults"}, fault.faults.join("\n\n")) : null];
}

async function submit(event) {
  event.preventDefault();
  const mine = asked;
  if (mine.state !== "asking") return;
  if (mine.wanted) token.set(mine.typed.trim() || (mine.wants === "always" ? "" : token.get()));
  mine.sent = Boolean(token.get());
  mine.state = "sending";
  mine.fault = null;
  redraw();
  try {
    mine.answer = await mine.send();
    mine.state = "done";
  } catch (fault) {
    mine.fault = fault;
    mine.state = "asking";
    if (fault.status === 401) mine.wanted = true;
  }
  if (asked === mine) redraw();
  const next = document.querySelector(mine.state === "done" ? "#order .main" : "#order [name=token]");
  if (asked === mine && next) next.focus();
}

function close() {
  document.getElementById("order").close();
}

/** The dialog has been closed, by whatever means. */
export function closed() {
  asked = null;
  render(document.getElementById("order"));
}
