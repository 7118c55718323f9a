// Writes the schema of the launch and attach arguments into package.json, from the table that the daemon validates with.
//
//   node scripts/launch_schema.mjs TRAPLINED           update package.json
//   node scripts/launch_schema.mjs TRAPLINED --check   exit 1 where package.json is not what the daemon prints
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const [daemon, mode] = process.argv.slice(2);
if (daemon === undefined) {
  console.error("usage: node scripts/launch_schema.mjs TRAPLINED [--check]");
  process.exit(2);
}
const file = fileURLToPath(new URL("../package.json", import.meta.url));
const manifest = JSON.parse(readFileSync(file, "utf8"));
const printed = JSON.parse(execFileSync(daemon, ["--print-launch-schema"], { encoding: "utf8", timeout: 10_000 }));
const attributes = manifest.contributes.debuggers[0].configurationAttributes;
if (JSON.stringify(attributes) === JSON.stringify(printed)) process.exit(0);
if (mode === "--check") {
  console.error("configurationAttributes in package.json differ from `traplined --print-launch-schema`; run this script without --check");
  process.exit(1);
}
manifest.contributes.debuggers[0].configurationAttributes = printed;
writeFileSync(file, JSON.stringify(manifest, null, 2) + "\n");
