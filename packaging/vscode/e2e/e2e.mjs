// The end-to-end test. See run.sh.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { createRequire } from "node:module";
import * as os from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { VsCode } from "./vscode.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const { TRAPLINE_E2E_TOOLS: tools, TRAPLINED: traplined, VSIX: vsix } = process.env;
const { chromium } = createRequire(path.join(tools, "package.json"))("playwright-core");
const shots = path.join(here, "shots");
fs.rmSync(shots, { recursive: true, force: true });
fs.mkdirSync(shots);

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "trapline-e2e-"));
const workspace = path.join(folder, "shop");
const target = path.join(folder, "elsewhere", "counter");
fs.mkdirSync(path.join(workspace, "build"), { recursive: true });
fs.mkdirSync(path.dirname(target));
const orders = path.join(workspace, "orders.cpp");
const counter = path.join(workspace, "counter.cpp");
fs.copyFileSync(path.join(here, "../../sample/orders.cpp"), orders);
fs.copyFileSync(path.join(here, "workspace/counter.cpp"), counter);
const compile = (source, program) => execFileSync("g++", ["-std=c++20", "-g", "-O0", "-pthread", source, "-o", program]);
compile(orders, path.join(workspace, "build/orders"));
compile(counter, target); // outside the workspace, so that F5 has one program to start

const lineOf = (file, text) => {
  const line = fs.readFileSync(file, "utf8").split("\n").findIndex((l) => l.includes(text)) + 1;
  assert.ok(line > 0, `${text} is in ${file}`);
  return line;
};

let passed = 0;
let failed = 0;
const code = await VsCode.start({
  tools,
  folder,
  workspace,
  vsix,
  shots,
  chromium,
  settings: { "trapline.daemonPath": traplined, "trapline.socket": path.join(folder, "trapline.sock"), "trapline.idleExit": 5, "trapline.logLevel": "info" },
});

async function step(name, body) {
  if (failed > 0) return; // a later one would only show the earlier one's trouble
  try {
    await body();
    console.log(`  ok    ${name}`);
    ++passed;
  } catch (error) {
    console.log(`  FAIL  ${name}\n${error.stack}`);
    ++failed;
  }
  await code.shoot(name);
}

const total = lineOf(orders, "order.quantity * order.cents");
const ticking = spawn(target, { stdio: ["ignore", "pipe", "inherit"] });
try {
  await step("the extension is there", async () => {
    assert.ok(code.extensions.includes("trapline.trapline"), code.extensions.join(" "));
    await code.knows("trapline: Attach to Process");
    await code.open("orders.cpp");
  });
  await step("F9 sets a breakpoint", async () => {
    await code.goToLine(total);
    await code.press("F9");
    await code.page.waitForSelector(".codicon-debug-breakpoint, .codicon-debug-breakpoint-unverified");
  });
  await step("F5 starts and stops at the breakpoint", async () => {
    await code.press("F5");
    assert.equal(await code.stoppedLine(), total);
  });
  await step("the call stack", async () => {
    const frames = await code.callStack();
    const names = frames.map((f) => f.name.replace(/\(.*/, ""));
    assert.deepEqual(names.slice(0, 3), ["price_of", "fill", "serve"]);
    assert.equal(frames[0].line, total);
  });
  await step("the variables", async () => {
    await code.expandScope("Locals");
    const variables = await code.variables();
    assert.ok("total" in variables, JSON.stringify(variables));
    await code.expandScope("Arguments").catch(() => undefined);
    await code.expandVariable("order");
    const opened = await code.variables();
    assert.equal(opened.number, "1", JSON.stringify(opened));
    assert.match(opened.item, /anvil/);
  });
  await step("F10 steps", async () => {
    await code.press("F10");
    assert.equal(await code.stoppedLine({ after: total }), total + 1);
    await code.until("the new value of total", async () => (await code.variables()).total === "12900");
  });
  await step("the debug console evaluates", async () => {
    assert.match(await code.evaluate("total + order.quantity"), /12901/);
  });
  await step("the program's output and its end", async () => {
    await code.removeAllBreakpoints();
    await code.press("F5");
    await code.terminalHas(/order 1: 1 anvil for 129\.00[^]*1 refused/);
    await code.sessionEnded();
  });
  await step("attach through the process picker", async () => {
    await once(ticking.stdout, "data");
    await code.open("counter.cpp");
    await code.goToLine(lineOf(counter, "MARK: count"));
    await code.press("F9");
    await code.command("trapline: Attach to Process");
    await code.pick(String(ticking.pid), "counter");
    assert.equal(await code.stoppedLine(), lineOf(counter, "MARK: count"));
    assert.match((await code.callStack())[0].name, /^count/);
  });
  await step("disconnecting leaves the process running", async () => {
    await code.press("Shift+F5");
    await code.sessionEnded();
    const status = fs.readFileSync(`/proc/${ticking.pid}/status`, "utf8");
    assert.match(status, /^TracerPid:\t0$/m);
    assert.match(status, /^State:\t[RS]/m);
  });
} finally {
  ticking.kill("SIGKILL");
  await code.stop();
  if (failed === 0) fs.rmSync(folder, { recursive: true, force: true });
  else console.log(`left for a look: ${folder}`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
