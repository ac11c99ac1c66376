// Configurations of the tests, as text.

import {writeFileSync} from "node:fs";
import path from "node:path";
import {Howdah, Server, freePort, long} from "./world.mjs";

export const TOKEN = "operators-secret";
export const READER = "readers-secret";
export const NAMES = {listener: long("front"), pool: long("hive"), other: long("impala"), servers: ["hs2-1", "hs2-2", "hs2-3"].map(long), others: ["impalad-1", "impalad-2"].map(long)};

/** Two pools with names of 60 characters, their servers, and howdah before them, which wants a token for orders. */
export async function longNames(admins = "") {
  const port = await freePort(), admin = await freePort(), front = await freePort();
  const start = (names, third) => Promise.all(names.map((_, index) => new Server(`127.0.${third}.${index + 1}`, port).start()));
  const [servers, others] = [await start(NAMES.servers, 21), await start(NAMES.others, 22)];
  const howdah = new Howdah("");
  writeFileSync(path.join(howdah.folder, "token"), TOKEN, {mode: 0o600});
  writeFileSync(path.join(howdah.folder, "reader"), READER, {mode: 0o600});
  const text = extra => `
[admin]
bind = "127.0.0.1:${admin}" # admin
token_file = "token"
${admins}

[log]
level = "error"
access = "off"

[[listener]]
name = "${NAMES.listener}"
bind = "127.0.0.1:${front}"
pool = "${NAMES.pool}"
max_connections = 100

[[listener]]
name = "impala"
bind = "127.0.0.1:0"
pool = "${NAMES.other}"
${pool(NAMES.pool, NAMES.servers, 21, port, 'sticky = { by = "source-ip" }')}
${pool(NAMES.other, NAMES.others, 22, port, extra)}`;
  howdah.write(text(""));
  howdah.again = text;
  howdah.front = front;
  howdah.headers = {Authorization: `Bearer ${TOKEN}`};
  await howdah.start();
  await howdah.settled();
  return {howdah, servers, others};
}

/** One of two howdahs that share an address and sticky entries; the other is away, and so is the link of the address. */
export async function pair() {
  const port = await freePort(), admin = await freePort(), front = await freePort(), peers = await freePort();
  const server = await new Server("127.0.23.1", port).start();
  const howdah = await new Howdah(`
[admin]
bind = "127.0.0.1:${admin}" # admin

[log]
level = "error"
access = "off"

[vip.front]
addresses = ["192.0.2.10/24"]
interface = "no-such-link"
router_id = 51

[cluster]
name = "lb-1"

[cluster.peers]
bind = "127.0.0.1:${peers}"
peers = { lb-2 = "127.0.0.1:${await freePort()}" }

[[listener]]
name = "hive"
bind = "127.0.0.1:${front}"
pool = "hive"
${pool("hive", ["hs2-1"], 23, port, 'sticky = { by = "source-ip" }')}`).start();
  await howdah.settled();
  return {howdah, front, server};
}

/** As many pools with as many servers each, all behind one socket. */
export async function many(pools, each) {
  const port = await freePort(), admin = await freePort();
  const server = await new Server("0.0.0.0", port).start();
  let text = `
[admin]
bind = "127.0.0.1:${admin}" # admin

[log]
level = "error"
access = "off"
`;
  for (let number = 1; number <= pools; number += 1) {
    const names = Array.from({length: each}, (_, index) => `server-${number}-${index + 1}.example.com`);
    text += pool(`pool-${number}`, names, 100 + number, port, "");
    text += `\n[[listener]]\nname = "listener-${number}"\nbind = "127.0.0.1:0"\npool = "pool-${number}"\n`;
  }
  const howdah = await new Howdah(text).start();
  await howdah.settled();
  return {howdah, server};
}

const pool = (name, servers, third, port, extra) => `
[pool."${name}"]
service = "tcp"
${extra}
servers = [${servers.map((server, index) => `{ name = "${server}", address = "127.0.${third}.${index + 1}:${port}", max_connections = 20 }`).join(",\n  ")}]
probe = { type = "tcp", interval = "500ms", timeout = "400ms", fall = 2, rise = 1 }
`;
