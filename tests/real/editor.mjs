// Taplo's language server as VS Code's Even Better TOML runs it; one JSON-RPC message a line, in and out.
import { createRequire } from "node:module";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const { TaploLsp } = createRequire(join(process.argv[2], "x.js"))("@taplo/lsp");
const server = await TaploLsp.initialize(
  {
    now: () => new Date(),
    envVar: (name) => process.env[name],
    envVars: () => Object.entries(process.env),
    stdErrAtty: () => false,
    stdin: process.stdin,
    stdout: process.stderr,
    stderr: process.stderr,
    glob: () => [],
    readFile,
    writeFile,
    urlToFilePath: (url) => fileURLToPath(url),
    isAbsolute,
    cwd: () => process.cwd(),
    findConfigFile: (from) => ["taplo.toml", ".taplo.toml"].map((name) => join(from, name)).find(existsSync),
    fetch: { fetch, Headers, Request, Response },
  },
  { onMessage: (message) => console.log(JSON.stringify(message)) },
);
for await (const line of createInterface({ input: process.stdin })) server.send(JSON.parse(line));
