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
const discount = lineOf(orders, "a tenth off");
const mainLine = lineOf(orders, "Shop shop;");
const launchJson = (...configurations) => {
  fs.mkdirSync(path.join(workspace, ".vscode"), { recursive: true });
  fs.writeFileSync(path.join(workspace, ".vscode/launch.json"), JSON.stringify({ version: "0.2.0", configurations }, null, 2));
};
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
    // VS Code reads the top frame first, and the others a moment later.
    const frames = await code.until("three frames", async () => {
      const seen = await code.callStack();
      return seen.length >= 3 ? seen : undefined;
    });
    const names = frames.map((f) => f.name.replace(/\(.*/, ""));
    assert.deepEqual(names.slice(0, 3), ["price_of", "fill", "serve"]);
    assert.equal(frames[0].line, total);
    assert.deepEqual(await code.complaints(), []);
  });
  await step("the variables", async () => {
    await code.expandScope("Locals");
    await code.until("total among the locals", async () => "total" in (await code.variables()));
    await code.expandVariable("order");
    const opened = await code.until("the members of order", async () => {
      const seen = await code.variables();
      return "number" in seen ? seen : undefined;
    });
    assert.equal(opened.number, "1", JSON.stringify(opened));
    assert.equal(opened.quantity, "1");
    assert.equal(opened.cents, "12900");
    await code.expandVariable("item"); // raw members: the visualisers are a later matter
    await code.until("the string's text", async () => Object.values(await code.variables()).some((value) => value.includes("anvil")));
  });
  await step("F10 steps", async () => {
    await code.press("F10");
    assert.equal(await code.stoppedLine({ after: total }), total + 1);
    await code.until("the new value of total", async () => (await code.variables()).total === "12900");
  });
  await step("the watch view", async () => {
    await code.watch("order.quantity * 100 + order.number");
    await code.until("its value", async () => (await code.watches())["order.quantity * 100 + order.number"] === "101");
    await code.watch("no_such_name");
    await code.until("its error", async () => /no_such_name/.test((await code.watches())["no_such_name"] ?? ""));
  });
  await step("the debug console evaluates", async () => {
    assert.match(await code.evaluate("total + order.quantity"), /12901/);
    assert.match(await code.evaluate("order.no_such_member"), /no_such_member/);
    assert.deepEqual(await code.complaints(), []);
  });
  await step("Shift+F11 steps out, and the watch follows", async () => {
    await code.press("Shift+F11");
    await code.until("the caller", async () => (await code.callStack())[0]?.name.startsWith("fill"));
  });
  await step("a breakpoint with a condition", async () => {
    await code.removeAllBreakpoints();
    await code.open("orders.cpp");
    await code.goToLine(discount);
    await code.breakpointWidget("Debug: Add Conditional Breakpoint", "order.quantity >= 10");
    await code.press("F5");
    assert.equal(await code.stoppedLine({ after: lineOf(orders, "= price_of(order)") }), discount);
    await code.until("the order of ten or more", async () => (await code.watches())["order.quantity * 100 + order.number"] === "1202");
  });
  await step("a log point writes and does not stop", async () => {
    await code.removeAllBreakpoints();
    await code.open("orders.cpp");
    await code.goToLine(discount);
    await code.breakpointWidget("Debug: Add Logpoint", "order {order.number} costs {total}");
  });
  await step("the program's output and its end", async () => {
    await code.press("F5");
    await code.terminalHas(/order 1: 1 anvil for 129\.00[^]*1 refused/);
    await code.sessionEnded();
    await code.consoleHas(/order 3 costs 8500[^]*order 6 costs 17000/);
    assert.deepEqual(await code.complaints(), []);
    await code.removeAllBreakpoints();
  });
  for (const [console, lookFor] of [
    ["internalConsole", () => code.consoleHas(/order 1: 1 anvil for 129\.00[^]*1 refused/)],
    ["integratedTerminal", () => code.terminalHas(/order 1: 1 anvil for 129\.00[^]*1 refused/)],
  ])
    await step(`launch.json: ${console}, stop at main`, async () => {
      launchJson({ name: console, type: "trapline", request: "launch", program: "${workspaceFolder}/build/orders", console, stopOnEntry: "main" });
      await code.hasConfiguration(`${console} (shop)`);
      await code.press("Control+Shift+D"); // a stop on entry, unlike one at a breakpoint, does not bring the view up
      await code.press("F5");
      assert.equal(await code.stoppedLine(), mainLine);
      await code.press("F5");
      await lookFor();
      await code.sessionEnded();
      assert.deepEqual(await code.complaints(), []);
    });
  await step("a program that is not there is told in a dialog", async () => {
    launchJson({ name: "gone", type: "trapline", request: "launch", program: "${workspaceFolder}/build/nothing" });
    await code.hasConfiguration("gone (shop)");
    await code.press("F5");
    await code.dialogHas(/build\/nothing/);
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
    assert.deepEqual(await code.complaints(), []);
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
