"use strict";
const assert = require("node:assert/strict");
const subject = require("../lib/subject");
const { breakAt, endOf, evaluate, goOn, initialized, launch, launchTo, locals, spinning, attach, stopAfter, test, topFrame } = require("../lib/world");

const firstStop = async (client) => (client.stop = (await client.event("stopped")).body);

describe("breakpoints", () => {
  test("the start of the client's own library, in its order", async () => {
    const client = await require("../lib/world").connect();
    // It may ask before the program is there: the answer is pending then, and a breakpoint event tells of the binding.
    await Promise.all([
      client.waitForEvent("initialized").then(() => breakAt(client, "add")).then(() => client.configurationDoneRequest()),
      client.launch({ program: subject.program, args: ["loop"] }),
      client.assertStoppedLocation("breakpoint", { path: subject.source, line: subject.mark("add") }),
    ]);
  });

  test("stop at the line, every time round, with the breakpoint's id", async () => {
    const client = await launchTo("loop", "add");
    const [breakpoint] = client.breakpoints;
    assert.equal(breakpoint.verified, true);
    assert.equal(breakpoint.line, subject.mark("add"));
    for (const expected of [0, 1, 2]) {
      assert.equal(client.stop.reason, "breakpoint");
      assert.deepEqual(client.stop.hitBreakpointIds, [breakpoint.id]);
      assert.equal(client.stop.allThreadsStopped, true);
      const frame = await topFrame(client, client.stop.threadId);
      assert.equal(frame.line, subject.mark("add"));
      assert.equal(frame.source.path, subject.source);
      assert.equal((await locals(client, frame.id)).b?.value ?? (await evaluate(client, "b", { frameId: frame.id })).result, String(expected));
      client.stop = await goOn(client);
    }
  });

  test("ids stay while a line stays in the list", async () => {
    const client = await launchTo("loop", "add");
    const before = await breakAt(client, "add", "after loop");
    const after = await breakAt(client, "after loop", "add");
    assert.equal(after[0].id, before[1].id);
    assert.equal(after[1].id, before[0].id);
    assert.equal(before[0].id, client.breakpoints[0].id);
  });

  test("an empty list removes them", async () => {
    const client = await launchTo("loop", "add");
    await breakAt(client);
    await client.send("continue", { threadId: client.stop.threadId });
    assert.equal(await endOf(client), 3);
  });

  test("a condition decides", async () => {
    const client = await launch("loop", { configure: (c) => breakAt(c, { mark: "add", condition: "b == 6" }) });
    await firstStop(client);
    const frame = await topFrame(client, client.stop.threadId);
    assert.equal((await evaluate(client, "b", { frameId: frame.id })).result, "6");
    await client.send("continue", { threadId: client.stop.threadId });
    assert.equal(await endOf(client), 3);
  });

  test("a condition that is never true costs no stop", async () => {
    const client = await launch("loop", { configure: (c) => breakAt(c, { mark: "add", condition: "a < 0 && b > 100" }) });
    assert.equal(await endOf(client), 3);
    assert.equal(client.events("stopped").length, 0);
  });

  test("a condition that cannot be read is told, and does not pass unseen", async () => {
    const client = await launch("loop", {
      configure: async (c) => (c.breakpoints = await breakAt(c, { mark: "add", condition: "no_such_name ==" })),
    });
    const breakpoint = client.breakpoints[0];
    if (breakpoint.verified) {
      const stop = await firstStop(client);
      assert.match(`${stop.text} ${stop.description} ${client.output("important")} ${client.output("console")}`, /no_such_name|condition/);
    } else {
      assert.match(breakpoint.message, /no_such_name|condition|expression/);
    }
  });

  for (const [condition, values] of [
    ["4", [3]],
    ["== 4", [3]],
    [">= 8", [7, 8, 9]],
    ["> 8", [8, 9]],
    ["< 3", [0, 1]],
    ["<= 2", [0, 1]],
    ["% 4", [3, 7]],
  ])
    test(`the hit condition ${condition}`, async () => {
      const client = await launch("loop", { configure: (c) => breakAt(c, { mark: "add", hitCondition: condition }) });
      const seen = [];
      for (const _ of values) {
        const stop = seen.length === 0 ? await firstStop(client) : await goOn(client);
        client.stop = stop;
        const frame = await topFrame(client, stop.threadId);
        seen.push(Number((await evaluate(client, "b", { frameId: frame.id })).result));
      }
      assert.deepEqual(seen, values);
      await client.send("continue", { threadId: client.stop.threadId });
      assert.equal(await endOf(client), 3);
    });

  test("a log point writes with its expressions and does not stop", async () => {
    const client = await launch("loop", {
      configure: (c) => breakAt(c, { mark: "add", logMessage: "adding {b} to {a}", condition: "b < 3" }),
    });
    assert.equal(await endOf(client), 3);
    assert.equal(client.events("stopped").length, 0);
    const logged = client
      .events("output")
      .map((m) => m.body.output)
      .join("");
    assert.deepEqual(logged.match(/adding \d+ to \d+/g), ["adding 0 to 0", "adding 1 to 0", "adding 2 to 1"]);
  });

  test("a function breakpoint stops after the prologue", async () => {
    const client = await launch("loop", {
      configure: async (c) => (c.breakpoints = (await c.send("setFunctionBreakpoints", { breakpoints: [{ name: "add" }] })).body.breakpoints),
    });
    await firstStop(client);
    assert.equal(client.breakpoints[0].verified, true);
    assert.equal(client.stop.reason, "function breakpoint");
    assert.deepEqual(client.stop.hitBreakpointIds, [client.breakpoints[0].id]);
    assert.equal((await topFrame(client, client.stop.threadId)).line, subject.mark("add"));
  });

  test("a function that does not exist is not verified and says so", async () => {
    const client = await launch("loop", {
      configure: async (c) => (c.breakpoints = (await c.send("setFunctionBreakpoints", { breakpoints: [{ name: "no_such_function" }] })).body.breakpoints),
    });
    assert.equal(client.breakpoints[0].verified, false);
    assert.match(client.breakpoints[0].message, /no_such_function/);
    assert.equal(await endOf(client), 3);
  });

  test("a line without code moves to the next one with code", async () => {
    const client = await launch("loop", {
      configure: async (c) => {
        const line = subject.mark("add") - 1; // the function's head is code too, its line before is not
        c.breakpoints = (await c.send("setBreakpoints", { source: { path: subject.source }, breakpoints: [{ line: line - 1 }] })).body.breakpoints;
      },
    });
    const [breakpoint] = client.breakpoints;
    assert.equal(breakpoint.verified, true);
    assert.ok(breakpoint.line >= subject.mark("add") - 1, `line ${breakpoint.line}`);
    await firstStop(client);
  });

  test("a file that is not part of the program is not verified and says so", async () => {
    const client = await launch("loop", {
      configure: async (c) =>
        (c.breakpoints = (await c.send("setBreakpoints", { source: { path: "/elsewhere/other.cpp" }, breakpoints: [{ line: 3 }] })).body.breakpoints),
    });
    assert.equal(client.breakpoints[0].verified, false);
    assert.ok(client.breakpoints[0].message.length > 0);
    assert.equal(await endOf(client), 3);
  });

  test("two breakpoints on one address are both told", async () => {
    const client = await launch("loop", {
      configure: async (c) => {
        const [line] = await breakAt(c, "add");
        const [byName] = (await c.send("setFunctionBreakpoints", { breakpoints: [{ name: "add" }] })).body.breakpoints;
        c.ids = [line.id, byName.id].sort();
      },
    });
    await firstStop(client);
    assert.deepEqual([...client.stop.hitBreakpointIds].sort(), client.ids);
  });

  test("breakpoints are set while the program runs, with no stop to be seen", async () => {
    const child = await spinning();
    const client = await attach({ pid: child.pid });
    const [breakpoint] = await breakAt(client, "tick");
    assert.equal(breakpoint.verified, true);
    await firstStop(client);
    assert.deepEqual(client.stop.hitBreakpointIds, [breakpoint.id]);
    assert.equal(client.events("stopped").length, 1);
  });

  test("a breakpoint on the line where the program stands does not hold it", async () => {
    const client = await launchTo("loop", "loop body");
    await breakAt(client, "loop body", "after loop");
    const stop = await goOn(client);
    assert.equal((await topFrame(client, stop.threadId)).line, subject.mark("loop body"));
    await breakAt(client, "after loop");
    client.stop = stop;
    const last = await goOn(client);
    assert.equal((await topFrame(client, last.threadId)).line, subject.mark("after loop"));
  });

  test("every thread stops at a line that all of them run", async () => {
    const client = await launch("threads", { configure: (c) => breakAt(c, "worker") });
    const seen = new Set();
    for (let i = 0; i < 3; ++i) {
      const stop = i === 0 ? await firstStop(client) : await goOn(client);
      client.stop = stop;
      const frame = await topFrame(client, stop.threadId);
      assert.equal(frame.line, subject.mark("worker"));
      seen.add((await evaluate(client, "mine", { frameId: frame.id })).result);
    }
    assert.deepEqual([...seen].sort(), ["10", "20", "30"]);
    await client.send("continue", { threadId: client.stop.threadId });
    assert.equal(await endOf(client), 0);
    assert.match(client.output("stdout"), /worker 30/);
  });
});
