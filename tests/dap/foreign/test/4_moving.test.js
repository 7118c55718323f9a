"use strict";
const assert = require("node:assert/strict");
const subject = require("../lib/subject");
const { attach, breakAt, endOf, evaluate, goOn, initialized, launch, launchTo, refused, spinning, stack, stopAfter, test, topFrame } = require("../lib/world");

const step = (client, command, more = {}) => stopAfter(client, () => client.send(command, { threadId: client.stop.threadId, ...more }));
const place = async (client, stop) => {
  const frame = await topFrame(client, stop.threadId);
  return [frame.name.replace(/\(.*/, ""), frame.line];
};

describe("stepping", () => {
  test("next goes over a call to the next line", async () => {
    const client = await launchTo("loop", "loop body");
    await breakAt(client);
    const stop = await step(client, "next");
    assert.equal(stop.reason, "step");
    const [name, line] = await place(client, stop);
    assert.equal(name, "loop");
    assert.equal(line, subject.mark("loop body") - 1, "the loop's head");
  });

  test("stepIn goes into a call, past its prologue", async () => {
    const client = await launchTo("loop", "loop body");
    const stop = await step(client, "stepIn");
    assert.equal(stop.reason, "step");
    assert.deepEqual(await place(client, stop), ["add", subject.mark("add")]);
    const frame = await topFrame(client, stop.threadId);
    assert.equal((await evaluate(client, "a + b", { frameId: frame.id })).result, "0");
  });

  test("stepOut returns to the caller", async () => {
    const client = await launchTo("loop", "add");
    await breakAt(client);
    const stop = await step(client, "stepOut");
    assert.equal(stop.reason, "step");
    assert.deepEqual(await place(client, stop), ["loop", subject.mark("loop body")]);
  });

  test("a breakpoint on the way wins", async () => {
    const client = await launchTo("loop", "loop body");
    const [, inner] = await breakAt(client, "loop body", "add");
    const stop = await step(client, "next");
    assert.equal(stop.reason, "breakpoint");
    assert.deepEqual(stop.hitBreakpointIds, [inner.id]);
    assert.deepEqual(await place(client, stop), ["add", subject.mark("add")]);
  });

  test("by instruction moves by one instruction", async () => {
    const client = await launchTo("loop", "add");
    const before = (await topFrame(client, client.stop.threadId)).instructionPointerReference;
    const stop = await step(client, "next", { granularity: "instruction" });
    assert.equal(stop.reason, "step");
    const after = (await topFrame(client, stop.threadId)).instructionPointerReference;
    const moved = Number(after) - Number(before);
    assert.ok(moved > 0 && moved < 16, `${before} -> ${after}`);
  });

  test("over the end of main ends the program", async () => {
    const client = await launchTo("loop", "after loop");
    const from = client.mark();
    await client.send("continue", { threadId: client.stop.threadId });
    assert.equal(await endOf(client), 3);
    assert.equal(client.received.slice(from).filter((m) => m.event === "stopped").length, 0);
  });

  test("a step into a library without sources ends in the next line of the program", async () => {
    const client = await launchTo("values", "values");
    const stop = await step(client, "stepIn");
    assert.deepEqual(await place(client, stop), ["values", subject.mark("values") + 1]);
  });
});

describe("running and pausing", () => {
  test("pause stops a running program within the time that a person notices", async () => {
    const client = await launch("spin");
    await client.outputHas("stdout", "ready");
    const [thread] = (await client.send("threads")).body.threads;
    const began = Date.now();
    const stop = await stopAfter(client, () => client.send("pause", { threadId: thread.id }));
    assert.ok(Date.now() - began < 1000);
    assert.equal(stop.reason, "pause");
    assert.ok((await stack(client, stop.threadId)).stackFrames.some((f) => f.name.startsWith("main")));
  });

  test("continue says that all threads go on, and other clients hear it", async () => {
    const client = await launchTo("loop", "add");
    const answer = await client.send("continue", { threadId: client.stop.threadId });
    assert.notEqual(answer.body?.allThreadsContinued, false);
  });

  test("a program that runs is changed by a paused assignment", async () => {
    const client = await launch("spin");
    await client.outputHas("stdout", "ready");
    const [thread] = (await client.send("threads")).body.threads;
    const stop = await stopAfter(client, () => client.send("pause", { threadId: thread.id }));
    const { stackFrames } = await stack(client, stop.threadId);
    const spin = stackFrames.find((f) => /^(spin|main)/.test(f.name));
    await evaluate(client, "enough = 1", { frameId: spin.id, context: "repl" });
    await client.send("continue", { threadId: stop.threadId });
    assert.equal(await endOf(client), 9);
    assert.match(client.output("stdout"), /enough after some/);
  });

  test("continue while running, and step while running, are refused", async () => {
    const client = await launch("spin");
    await client.outputHas("stdout", "ready");
    const [thread] = (await client.send("threads")).body.threads;
    await refused(client, "continue", { threadId: thread.id }, /running|stopped/i);
    await refused(client, "next", { threadId: thread.id }, /running|stopped/i);
  });

  test("pause of a stopped program is answered and changes nothing", async () => {
    const client = await launchTo("loop", "add");
    const response = await client.request("pause", { threadId: client.stop.threadId });
    if (!response.success) assert.match(response.body?.error?.format ?? response.message, /stopped|running/i);
    assert.equal((await topFrame(client, client.stop.threadId)).line, subject.mark("add"));
  });
});

describe("signals", () => {
  test("a crash stops where it happens, with its reason", async () => {
    const client = await launch("crash");
    const stop = (await client.event("stopped")).body;
    assert.equal(stop.reason, "exception");
    assert.match(`${stop.description} ${stop.text}`, /SIGSEGV/);
    assert.equal((await topFrame(client, stop.threadId)).line, subject.mark("crash"));
    const info = (await client.send("exceptionInfo", { threadId: stop.threadId })).body;
    assert.equal(info.exceptionId, "SIGSEGV");
    assert.ok(["never", "always", "unhandled", "userUnhandled"].includes(info.breakMode));
    assert.match(info.description, /0x0|address 0|segmentation/i);
    await client.send("continue", { threadId: stop.threadId });
    assert.equal(await endOf(client), 128 + 11);
  });

  test("abort stops, with its caller on the stack", async () => {
    const client = await launch("abort");
    const stop = (await client.event("stopped")).body;
    assert.equal(stop.reason, "exception");
    assert.equal((await client.send("exceptionInfo", { threadId: stop.threadId })).body.exceptionId, "SIGABRT");
    const names = (await stack(client, stop.threadId)).stackFrames.map((f) => f.name.replace(/\(.*/, ""));
    assert.ok(names.includes("main"), names.join(" "));
    await client.send("continue", { threadId: stop.threadId });
    assert.equal(await endOf(client), 128 + 6);
  });

  test("exceptionInfo at a stop without a signal is refused", async () => {
    const client = await launchTo("loop", "add");
    await refused(client, "exceptionInfo", { threadId: client.stop.threadId });
  });
});
