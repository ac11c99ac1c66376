// What the tests stand on: servers that can die, the real howdah before them, and the browser.
//
// Each process and socket ends with the run; ports are free ones of loopback, and each server has an address of its own.

import {spawn} from "node:child_process";
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from "node:fs";
import net from "node:net";
import {tmpdir} from "node:os";
import path from "node:path";

/** A TCP server that answers each line with one, until it dies. */
export class Server {
  constructor(host, port) { this.host = host; this.port = port; this.open = new Set(); }

  async start() {
    this.listener = net.createServer(socket => {
      this.open.add(socket);
      socket.on("data", data => socket.write(data));
      socket.on("error", () => {});
      socket.on("close", () => this.open.delete(socket));
    });
    await new Promise((good, bad) => this.listener.once("error", bad).listen(this.port, this.host, good));
    this.port = this.listener.address().port;
    return this;
  }

  async die() {
    if (!this.listener) return;
    for (const socket of this.open) socket.resetAndDestroy();
    await new Promise(good => this.listener.close(good));
    this.listener = null;
  }
}

/** The program under test, with a file of its own. */
export class Howdah {
  static living = new Set();

  constructor(text) {
    this.folder = mkdtempSync(path.join(tmpdir(), "howdah-browser-"));
    this.file = path.join(this.folder, "howdah.toml");
    this.write(text);
  }

  write(text) { writeFileSync(this.file, text); }

  /** The howdah that takes over from it, with the same file. */
  async successor() {
    const next = Object.assign(Object.create(Howdah.prototype), {folder: this.folder, file: this.file, headers: this.headers});
    await next.start("--takeover");
    await until("it has taken over", async () => (await next.status().catch(() => null))?.predecessors, 8000, () => next.said);
    return next;
  }

  async start(...more) {
    const env = {...process.env, RUNTIME_DIRECTORY: this.folder};
    this.child = spawn(process.env.HOWDAH_BINARY, ["run", "--config", this.file, ...more], {cwd: this.folder, env, stdio: ["ignore", "pipe", "pipe"]});
    this.said = "";
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on("data", data => { this.said = (this.said + data).slice(-2000); });
    Howdah.living.add(this);
    this.ended = new Promise(good => this.child.once("exit", good));
    const port = /^bind = "127\.0\.0\.1:(\d+)" # admin/m.exec(readFileSync(this.file, "utf8"))[1];
    this.url = `http://127.0.0.1:${port}`;
    await until("howdah answers", async () => this.child.exitCode !== null || (await fetch(`${this.url}/healthz`).catch(() => null))?.ok, 8000, () => this.said);
    if (this.child.exitCode !== null) throw new Error(`howdah ended:\n${this.said}`);
    return this;
  }

  /** Each on a connection of its own: one that is there goes on asking the howdah that was taken over from. */
  async status() { return (await fetch(`${this.url}/api/v1/status`, {headers: {...this.headers, Connection: "close"}, signal: AbortSignal.timeout(5000)})).json(); }

  async server(pool, name) {
    return (await this.status()).pools.find(one => one.name === pool)?.servers.find(one => one.name === name);
  }

  /** Until each of its servers has a verdict. */
  async settled() {
    await until("all servers are up", async () => (await this.status()).pools.every(pool => pool.servers.every(one => one.health === "up")), 30_000, () => this.said);
    return this;
  }

  async stop(signal = "SIGKILL") {
    this.child.kill(signal);
    await this.ended;
    Howdah.living.delete(this);
  }

  static async end() {
    for (const one of [...Howdah.living]) { await one.stop(); rmSync(one.folder, {recursive: true, force: true}); }
  }
}

/** Asks again and again until it is so. */
export async function until(what, condition, milliseconds = 5000, more = () => "") {
  const end = Date.now() + milliseconds;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${milliseconds} ms: ${what}\n${more()}`);
    await new Promise(good => setTimeout(good, 20));
  }
}

/** A port that nothing listens on, below those that the kernel hands out. */
export async function freePort() {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 17_000);
    const probe = net.createServer();
    const free = await new Promise(good => probe.once("error", () => good(false)).listen(port, "0.0.0.0", () => good(true)));
    if (free) { await new Promise(good => probe.close(good)); return port; }
  }
}

/** A name of 60 characters that begins with this. */
export const long = start => `${start}.`.padEnd(48, "warehouse-production.region-north-1.").slice(0, 48) + ".example.com";
