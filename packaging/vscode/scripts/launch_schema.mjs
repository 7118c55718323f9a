// Writes the schema of the launch and attach arguments into package.json, from the table that the daemon validates with
// (JSON-RPC's rpc.discover shows it).
//
//   node scripts/launch_schema.mjs TRAPLINED           update package.json
//   node scripts/launch_schema.mjs TRAPLINED --check   exit 1 where package.json is not what the daemon says
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const patience = 10_000; // milliseconds
const onlyForScripts = new Set(["hold"]); // arguments that JSON-RPC has besides

async function discover(program) {
  const folder = mkdtempSync(path.join(tmpdir(), "trapline-schema-"));
  const socket = path.join(folder, "socket");
  const daemon = spawn(program, ["--listen", `unix:${socket}`], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(daemon, "exit");
  const timer = setTimeout(() => daemon.kill("SIGKILL"), patience);
  try {
    await Promise.race([once(daemon.stdout, "data"), ended.then(() => Promise.reject(new Error("the daemon ended at its start")))]);
    const connection = net.connect(socket);
    connection.write('{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}\n');
    let text = "";
    for await (const chunk of connection) {
      text += chunk;
      if (text.includes("\n")) break;
    }
    return JSON.parse(text.slice(0, text.indexOf("\n"))).result;
  } finally {
    daemon.kill("SIGTERM");
    await ended;
    clearTimeout(timer);
    rmSync(folder, { recursive: true });
  }
}

function attributesOf(document, method) {
  const { params } = document.methods.find((m) => m.name === method);
  const properties = {};
  for (const { name, schema } of params.filter((p) => !onlyForScripts.has(p.name))) {
    // Names that other debuggers use are valid, but no suggestions.
    properties[name] = schema.description?.startsWith("Another name for") ? { ...schema, doNotSuggest: true } : schema;
  }
  const required = params.filter((p) => p.required).map((p) => p.name);
  return required.length > 0 ? { required, properties } : { properties };
}

const [daemon, mode] = process.argv.slice(2);
if (daemon === undefined) {
  console.error("usage: node scripts/launch_schema.mjs TRAPLINED [--check]");
  process.exit(2);
}
const file = fileURLToPath(new URL("../package.json", import.meta.url));
const manifest = JSON.parse(readFileSync(file, "utf8"));
const document = await discover(path.resolve(daemon));
const wanted = { launch: attributesOf(document, "session.launch"), attach: attributesOf(document, "session.attach") };
const debuggers = manifest.contributes.debuggers[0];
if (JSON.stringify(debuggers.configurationAttributes) !== JSON.stringify(wanted)) {
  if (mode === "--check") {
    console.error("configurationAttributes in package.json are not what the daemon says; run this script without --check");
    process.exit(1);
  }
  debuggers.configurationAttributes = wanted;
  writeFileSync(file, JSON.stringify(manifest, null, 2) + "\n");
}
