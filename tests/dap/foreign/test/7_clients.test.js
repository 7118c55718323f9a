"use strict";
const assert = require("node:assert/strict");
const fs = require("node:fs");
const net = require("node:net");
const subject = require("../lib/subject");
const { attach, breakAt, connect, daemon, endOf, evaluate, goOn, initialized, launch, launchTo, refused, spinning, stopDaemon, test, topFrame } = require("../lib/world");

// One JSON-RPC call as a line, as a shell makes it.
const rpc = (method, params = {}) =>
  new Promise((resolve, reject) => {
    const socket = net.connect(daemon().socket);
    let text = "";
    const timer = setTimeout(() => reject(new Error(`no answer to ${method}: ${text}`)), 8000);
    socket.on("data", (chunk) => {
      text += chunk;
      const end = text.indexOf("\n");
      if (end < 0) return;
      clearTimeout(timer);
      socket.destroy();
      const answer = JSON.parse(text.slice(0, end));
      if (answer.error) reject(new Error(answer.error.message));
      else resolve(answer.result);
    });
    socket.once("error", reject);
    socket.write(JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }) + "\n");
  });

const sessionOf = async (pid) => {
  const list = await rpc("session.list");
  const found = (list.sessions ?? list).find((s) => s.pid === pid);
  assert.ok(found, `a session of process ${pid} in ${JSON.stringify(list)}`);
  return String(found.session ?? found.id);
};

describe("several clients", () => {
  test("two sessions at once do not meet", async () => {
    const one = await launchTo("loop", "add");
    const two = await launchTo("values", "values");
    const frames = await Promise.all([topFrame(one, one.stop.threadId), topFrame(two, two.stop.threadId)]);
    assert.deepEqual(
      frames.map((f) => f.line),
      [subject.mark("add"), subject.mark("values")],
    );
    await one.send("disconnect", {});
    assert.equal((await evaluate(two, "whole", { frameId: frames[1].id })).result, "-42");
  });

  test("a second editor joins a session and sees the same stop", async () => {
    const first = await launchTo("loop", "add");
    const pid = (await first.event("process")).body.systemProcessId;
    const second = await attach({ session: await sessionOf(pid) });
    const stop = (await second.event("stopped")).body;
    assert.equal(stop.threadId, first.stop.threadId);
    assert.equal((await topFrame(second, stop.threadId)).line, subject.mark("add"));
    const from = second.mark();
    await goOn(first);
    await second.event("continued", () => true, { from });
    await second.event("stopped", () => true, { from });
  });

  test("one of two that leaves takes its breakpoints along and nothing else", async () => {
    const first = await launchTo("loop", "add");
    const pid = (await first.event("process")).body.systemProcessId;
    const second = await attach({ session: await sessionOf(pid) }, { configure: (c) => breakAt(c, "after loop") });
    await second.send("disconnect", {});
    assert.ok(subject.lives(pid));
    assert.equal((await topFrame(first, first.stop.threadId)).line, subject.mark("add"));
    await breakAt(first);
    await first.send("continue", { threadId: first.stop.threadId });
    assert.equal(await endOf(first), 3);
    assert.equal(first.events("stopped").length, 1);
  });
});

describe("over tcp", () => {
  const hello = { adapterID: "trapline", linesStartAt1: true, columnsStartAt1: true, pathFormat: "path" };
  test("the token opens the door", async () => {
    const client = await connect({ port: daemon().tcpPort });
    const token = fs.readFileSync(daemon().tokenFile, "utf8").trim();
    await client.send("initialize", { ...hello, token });
    await launch("loop", { client });
    assert.equal(await endOf(client), 3);
  });

  for (const [what, more] of [
    ["no token", {}],
    ["a wrong token", { token: "0".repeat(64) }],
  ])
    test(`${what} is refused and the connection ends`, async () => {
      const client = await connect({ port: daemon().tcpPort });
      await refused(client, "initialize", { ...hello, ...more }, /token/);
      await client.whenClosed;
    });
});

describe("the daemon", () => {
  test("ends on SIGTERM: attached programs run on, launched ones end", async () => {
    const child = await spinning();
    await attach({ pid: child.pid }, { configure: (c) => breakAt(c, "tick") }).then((c) => c.event("stopped"));
    const launched = await launchTo("spin", "tick");
    const pid = (await launched.event("process")).body.systemProcessId;
    const how = await stopDaemon();
    assert.deepEqual(how, { code: 0, signal: null });
    await subject.until("the launched program is gone", () => !subject.lives(pid));
    assert.equal(subject.status(child.pid)?.TracerPid, "0");
    assert.match(subject.status(child.pid).State, /^[RS]/);
    const again = await launch("loop");
    assert.equal(await endOf(again), 3);
  });
});
