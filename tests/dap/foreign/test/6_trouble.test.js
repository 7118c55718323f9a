"use strict";
const assert = require("node:assert/strict");
const subject = require("../lib/subject");
const { connect, endOf, evaluate, initialized, launch, launchTo, refused, test, topFrame } = require("../lib/world");

const framed = (text) => `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;

describe("bad input", () => {
  test("an unknown request is refused by its name and the session goes on", async () => {
    const client = await launchTo("loop", "add");
    await refused(client, "makeCoffee", { sugar: 2 }, /makeCoffee/);
    assert.equal((await topFrame(client, client.stop.threadId)).line, subject.mark("add"));
  });

  test("wrong types are refused with the way to the wrong place", async () => {
    const client = await launchTo("loop", "add");
    await refused(client, "stackTrace", { threadId: "one" }, /threadId/);
    await refused(client, "setBreakpoints", { source: { path: subject.source }, breakpoints: "all" }, /breakpoints/);
    await refused(client, "variables", {}, /variablesReference/);
    await refused(client, "evaluate", { frameId: 1 }, /expression/);
    assert.equal((await topFrame(client, client.stop.threadId)).line, subject.mark("add"));
  });

  test("references that were never given out are refused", async () => {
    const client = await launchTo("loop", "add");
    await refused(client, "variables", { variablesReference: 123456 }, /123456/);
    await refused(client, "scopes", { frameId: 123456 }, /123456/);
    await refused(client, "evaluate", { expression: "1", frameId: 123456 }, /123456/);
  });

  test("requests before a program is there are refused", async () => {
    const client = await initialized();
    await refused(client, "continue", { threadId: 1 });
    await refused(client, "stackTrace", { threadId: 1 });
    await refused(client, "evaluate", { expression: "1 + x" });
  });

  test("a second launch is refused and the first goes on", async () => {
    const client = await launchTo("loop", "add");
    await refused(client, "launch", { program: subject.program, args: ["loop"] });
    await client.send("setBreakpoints", { source: { path: subject.source }, breakpoints: [] });
    await client.send("continue", { threadId: client.stop.threadId });
    assert.equal(await endOf(client), 3);
  });

  test("requests after the program's end are refused", async () => {
    const client = await launch("loop");
    await endOf(client);
    await refused(client, "continue", { threadId: 1 });
    await refused(client, "stackTrace", { threadId: 1 });
  });

  test("text that is no JSON is told, and the daemon serves the next client", async () => {
    const client = await initialized();
    client.write(framed('{"seq": 2, "type": "request", '));
    await Promise.race([client.whenClosed, client.event("output").catch(() => undefined), untilErrorAnswer(client)]);
    assert.equal(await endOf(await launch("loop")), 3);
  });

  test("a message over the size limit ends its own connection only", async () => {
    const other = await launchTo("loop", "add");
    const client = await connect();
    client.write("Content-Length: 99999999999\r\n\r\n{");
    await client.whenClosed;
    assert.equal((await topFrame(other, other.stop.threadId)).line, subject.mark("add"));
  });

  test("half a message and a hang-up hurt nobody", async () => {
    const other = await launchTo("loop", "add");
    const client = await initialized();
    client.write('Content-Length: 100\r\n\r\n{"seq": 2, "ty');
    await client.hangUp();
    assert.equal((await topFrame(other, other.stop.threadId)).line, subject.mark("add"));
  });

  test("a message in many pieces, and many in one piece, are read", async () => {
    const client = await initialized();
    const text = framed(JSON.stringify({ seq: 50, type: "request", command: "threads" }));
    client.commands.set(50, "threads").set(51, "threads").set(52, "threads");
    for (const byte of text) client.write(byte);
    client.write(text.replace('"seq":50', '"seq":51') + text.replace('"seq":50', '"seq":52'));
    const answered = () => [50, 51, 52].every((seq) => client.received.some((m) => m.request_seq === seq));
    await subject.until("three answers", answered);
  });

  test("a header in an unusual spelling is read", async () => {
    const client = await connect();
    const text = JSON.stringify({ seq: 1, type: "request", command: "initialize", arguments: { adapterID: "trapline" } });
    client.commands.set(1, "initialize");
    client.sequence = 2;
    client.write(`Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length:${Buffer.byteLength(text)}\r\n\r\n${text}`);
    await client.event("initialized");
  });

  test("a breakpoint beyond the file's end is not verified", async () => {
    const client = await launchTo("loop", "add");
    const { breakpoints } = (
      await client.send("setBreakpoints", { source: { path: subject.source }, breakpoints: [{ line: 100000 }, { line: subject.mark("add") }] })
    ).body;
    assert.equal(breakpoints[0].verified, false);
    assert.ok(breakpoints[0].message.length > 0);
    assert.equal(breakpoints[1].verified, true);
  });

  test("a pointer into nowhere reads as such", async () => {
    const client = await launchTo("values", "values");
    const frame = await topFrame(client, client.stop.threadId);
    await refused(client, "evaluate", { expression: "*(int*)8", frameId: frame.id, context: "watch" }, /0x8|memory|read/i);
  });

  test("cancel of nothing is answered", async () => {
    const client = await launchTo("loop", "add");
    await client.request("cancel", { requestId: 424242 });
    assert.equal((await topFrame(client, client.stop.threadId)).line, subject.mark("add"));
  });
});

function untilErrorAnswer(client) {
  return subject.until("an error answer", () => client.received.some((m) => m.type === "response" && m.success === false)).catch(() => undefined);
}
