"use strict";
const assert = require("node:assert/strict");
const subject = require("../lib/subject");
const { attach, breakAt, endOf, evaluate, goOn, initialized, launch, launchTo, spinning, stack, stopAfter, test, topFrame } = require("../lib/world");

const pidOf = async (client) => (await client.event("process")).body.systemProcessId;
const untouched = (pid) => {
  const status = subject.status(pid);
  assert.ok(status, `process ${pid} lives`);
  assert.equal(status.TracerPid, "0");
  assert.match(status.State, /^[RS]/);
};

// Runs on: the counter in its memory moves. Read through /proc, not through the code under test.
const runsOn = async (child) => {
  const cpu = () => require("node:fs").readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1].split(" ");
  const switches = () => Number(subject.status(child.pid)?.voluntary_ctxt_switches);
  const before = switches();
  await subject.until("the subject goes on", () => switches() > before + 5);
  assert.notEqual(cpu()[0], "T");
};

describe("attaching", () => {
  test("leaves the program running until something is asked", async () => {
    const child = await spinning();
    const client = await attach({ pid: child.pid });
    assert.equal(client.events("stopped").length, 0);
    const { body } = await client.event("process");
    assert.equal(body.startMethod, "attach");
    assert.equal(body.systemProcessId, child.pid);
    await runsOn(child);
  });

  test("takes a pid as text, as a variable in launch.json gives it", async () => {
    const child = await spinning();
    const client = await attach({ processId: String(child.pid) });
    assert.equal(await pidOf(client), child.pid);
  });

  test("finds a process by name", async () => {
    const child = await spinning();
    const client = await attach({ type: "trapline", request: "attach", name: "a title", processName: "subject" });
    assert.equal(await pidOf(client), child.pid);
  });

  test("with stopOnAttach stops, and the stack reaches main", async () => {
    const child = await spinning();
    const client = await attach({ pid: child.pid, stopOnAttach: true });
    const stop = (await client.event("stopped")).body;
    const names = (await stack(client, stop.threadId)).stackFrames.map((f) => f.name.replace(/\(.*/, ""));
    assert.ok(names.includes("main"), names.join(" "));
  });

  test("ten stops at a breakpoint, then away: the program is as it was found", async () => {
    const child = await spinning();
    const code = codeOf(child.pid);
    const client = await attach({ pid: child.pid }, { configure: (c) => breakAt(c, "tick") });
    client.stop = (await client.event("stopped")).body;
    for (let i = 0; i < 9; ++i) client.stop = await goOn(client);
    await client.send("disconnect", {});
    await client.whenClosed;
    untouched(child.pid);
    await runsOn(child);
    assert.ok(code.equals(codeOf(child.pid)), "its code is byte for byte what it was");
  });
});

// The text of the subject as its memory has it.
function codeOf(pid) {
  const fs = require("node:fs");
  const line = fs
    .readFileSync(`/proc/${pid}/maps`, "utf8")
    .split("\n")
    .find((l) => / r-xp /.test(l) && l.endsWith("/subject"));
  const [begin, end] = line.split(" ")[0].split("-").map((hex) => parseInt(hex, 16));
  const handle = fs.openSync(`/proc/${pid}/mem`, "r");
  const bytes = Buffer.alloc(end - begin);
  fs.readSync(handle, bytes, 0, bytes.length, begin);
  fs.closeSync(handle);
  return bytes;
}

describe("leaving", () => {
  test("disconnect from a launched program ends it", async () => {
    const client = await launchTo("spin", "tick");
    const pid = await pidOf(client);
    await client.send("disconnect", {});
    await client.whenClosed;
    await subject.until("the program is gone", () => !subject.lives(pid));
  });

  test("disconnect with terminateDebuggee false leaves a launched program running", async () => {
    const client = await launchTo("spin", "tick");
    const pid = await pidOf(client);
    await client.send("disconnect", { terminateDebuggee: false });
    await client.whenClosed;
    untouched(pid);
    process.kill(pid, "SIGKILL");
  });

  test("disconnect from an attached program leaves it running, also out of a stop", async () => {
    const child = await spinning();
    const client = await attach({ pid: child.pid }, { configure: (c) => breakAt(c, "tick") });
    await client.event("stopped");
    await client.send("disconnect", {});
    await client.whenClosed;
    untouched(child.pid);
    await runsOn(child);
  });

  test("disconnect with terminateDebuggee true ends an attached program", async () => {
    const child = await spinning();
    const client = await attach({ pid: child.pid });
    await client.send("disconnect", { terminateDebuggee: true });
    await child.ended;
  });

  test("a client that hangs up leaves an attached program running", async () => {
    const child = await spinning();
    const client = await attach({ pid: child.pid }, { configure: (c) => breakAt(c, "tick") });
    await client.event("stopped");
    await client.hangUp();
    await subject.until("the subject is let go", () => subject.status(child.pid)?.TracerPid === "0");
    await runsOn(child);
  });

  test("terminate ends the program by a signal that it could handle", async () => {
    const client = await launch("spin");
    await client.outputHas("stdout", "ready");
    await client.send("terminate", {});
    assert.equal(await endOf(client), 128 + 15);
  });

  test("restart runs the program again, with the breakpoints kept", async () => {
    const client = await launchTo("loop", "add");
    const first = await pidOf(client);
    const from = client.mark();
    await client.send("restart", {});
    const second = (await client.event("process", () => true, { from })).body.systemProcessId;
    assert.notEqual(second, first);
    const stop = (await client.event("stopped", () => true, { from })).body;
    assert.deepEqual(stop.hitBreakpointIds, [client.breakpoints[0].id]);
    assert.ok(!subject.lives(first));
    assert.equal(client.events("terminated").length, 0, "a restart is no end of the session");
    await breakAt(client);
    await client.send("continue", { threadId: stop.threadId });
    assert.equal(await endOf(client), 3);
  });

  test("nothing comes after terminated but the answer to disconnect", async () => {
    const client = await launch("loop");
    await endOf(client);
    const from = client.received.findIndex((m) => m.event === "terminated") + 1;
    await client.send("disconnect", {});
    await client.whenClosed;
    assert.deepEqual(
      client.received.slice(from).map((m) => m.command ?? m.event),
      ["disconnect"],
    );
  });
});
