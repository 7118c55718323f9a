"use strict";
const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { spawn } = require("node:child_process");
const subject = require("../lib/subject");
const { breakAt, daemon, endOf, initialized, launch, refused, test, topFrame } = require("../lib/world");

const quoted = (word) => `'${word.replace(/'/g, "'\\''")}'`;

// Runs what the adapter asks for as a terminal does: in a session of its own on a pty (script(1) holds the other side).
function openTerminal(request) {
  const { args, cwd, env = {} } = request.arguments;
  const merged = { ...process.env, ...env };
  for (const [name, value] of Object.entries(env)) if (value === null) delete merged[name];
  const child = spawn("script", ["-qec", args.map(quoted).join(" "), "/dev/null"], { cwd, env: merged, stdio: ["pipe", "pipe", "inherit"] });
  const terminal = { request, child, text: "" };
  child.stdout.on("data", (chunk) => (terminal.text += chunk.toString().replace(/\r\n/g, "\n")));
  terminal.ended = new Promise((resolve) => child.once("close", (code) => resolve(code)));
  return terminal;
}

// A client with a terminal: `terminals` are those that were opened.
async function withTerminal(open = openTerminal) {
  const client = await initialized({ supportsRunInTerminalRequest: true });
  client.terminals = [];
  client.onReverse = (request) => {
    assert.equal(request.command, "runInTerminal");
    const terminal = open(request);
    client.terminals.push(terminal);
    return { shellProcessId: terminal.child?.pid };
  };
  return client;
}

const socketOf = (request) => request.arguments.args[request.arguments.args.indexOf("--wait-for-tracer") + 1];

describe("the client's terminal", () => {
  test("is where the program is, with its tty, and its breakpoints work", async () => {
    const client = await withTerminal();
    await launch("loop", { client, configure: (c) => breakAt(c, "after loop") });
    const stop = (await client.event("stopped")).body;
    assert.equal(stop.reason, "breakpoint");
    const [terminal] = client.terminals;
    assert.equal(terminal.request.arguments.kind, "integrated");
    assert.equal(terminal.request.arguments.title, "subject");
    assert.equal((await topFrame(client, stop.threadId)).line, subject.mark("after loop"));
    const { systemProcessId: pid } = (await client.event("process")).body;
    assert.match(fs.readlinkSync(`/proc/${pid}/fd/1`), /^\/dev\/pts\//);
    assert.equal(fs.readlinkSync(`/proc/${pid}/exe`), subject.program);
    assert.equal(fs.existsSync(socketOf(terminal.request)), false, "the gate is gone once it was passed");
    await client.send("continue", { threadId: stop.threadId });
    assert.equal(await endOf(client), 3);
    await terminal.ended;
    assert.equal(terminal.text, "total=45\n");
    assert.equal(client.output("stdout"), "");
  });

  for (const [console, kind] of [
    ["integratedTerminal", "integrated"],
    ["externalTerminal", "external"],
  ])
    test(`console: ${console} asks for kind ${kind}`, async () => {
      const client = await withTerminal();
      await launch("surroundings", { client, args: { console } });
      assert.equal(await endOf(client), 0);
      assert.equal(client.terminals[0].request.arguments.kind, kind);
      await client.terminals[0].ended;
      assert.match(client.terminals[0].text, /tty=1\n/);
    });

  test("console: internalConsole asks for no terminal", async () => {
    const client = await withTerminal();
    await launch("surroundings", { client, args: { console: "internalConsole" } });
    assert.equal(await endOf(client), 0);
    assert.equal(client.terminals.length, 0);
    assert.match(client.output("stdout"), /tty=1\n/);
  });

  test("gets arguments, folder and environment as they were asked for", async () => {
    process.env.TRAPLINE_SUBJECT = "inherited";
    const file = path.join(daemon().folder, "some.env");
    fs.writeFileSync(file, "TRAPLINE_SUBJECT='from a file'\n");
    const client = await withTerminal();
    await launch(["surroundings", "two words", "it's"], { client, args: { cwd: "/usr", envFile: file } });
    assert.equal(await endOf(client), 0);
    await client.terminals[0].ended;
    assert.equal(client.terminals[0].text, "arg=two words\narg=it's\nenv=from a file\ncwd=/usr\ntty=1\n");

    const unset = await withTerminal();
    await launch("surroundings", { client: unset, args: { env: { TRAPLINE_SUBJECT: null } } });
    await endOf(unset);
    await unset.terminals[0].ended;
    assert.match(unset.terminals[0].text, /^env=\(unset\)$/m);

    const empty = await withTerminal();
    await launch("surroundings", { client: empty, args: { inheritEnv: false } });
    await endOf(empty);
    await empty.terminals[0].ended;
    assert.match(empty.terminals[0].text, /^env=\(unset\)$/m);
  });

  test("gives way to files where the launch names some", async () => {
    const file = path.join(daemon().folder, "terminal-out.txt");
    const client = await withTerminal();
    await launch("output", { client, args: { stdio: [null, file, file] } });
    assert.equal(await endOf(client), 0);
    await client.terminals[0].ended;
    assert.equal(client.terminals[0].text, "");
    assert.equal(fs.readFileSync(file, "utf8"), "to stdout\nto stderr\n");
  });

  test("stopOnEntry main, a wrapper, and addresses that stay", async () => {
    const addresses = [];
    for (let round = 0; round < 2; ++round) {
      const client = await withTerminal();
      await launch("loop", { client, args: { stopOnEntry: "main", wrapper: ["/usr/bin/env", "WRAPPED=1"] } });
      const stop = (await client.event("stopped")).body;
      const frame = await topFrame(client, stop.threadId);
      assert.equal(frame.name.replace(/\(.*/, ""), "main");
      addresses.push(frame.instructionPointerReference);
      await client.send("continue", { threadId: stop.threadId });
      assert.equal(await endOf(client), 3);
      await client.terminals[0].ended;
    }
    assert.equal(addresses[0], addresses[1]);
  });

  test("is opened anew by a restart", async () => {
    const client = await withTerminal();
    await launch("loop", { client, configure: (c) => breakAt(c, "after loop") });
    await client.event("stopped");
    const from = client.mark();
    await client.send("restart");
    const stop = (await client.event("stopped", () => true, { from })).body;
    assert.equal(client.terminals.length, 2);
    await client.send("continue", { threadId: stop.threadId });
    assert.equal(await endOf(client), 3);
    await client.terminals[1].ended;
    assert.equal(client.terminals[1].text, "total=45\n");
    await client.terminals[0].ended;
  });

  test("loses its program with the session that ends it", async () => {
    const client = await withTerminal();
    await launch("spin", { client, configure: (c) => breakAt(c, "tick") });
    await client.event("stopped");
    await client.send("disconnect", { terminateDebuggee: true });
    await client.terminals[0].ended;
    assert.match(client.terminals[0].text, /^ready \d+\n/);
  });
});

describe("a terminal that does not come", () => {
  test("refused by the client: the launch says so, and the next one works", async () => {
    const client = await initialized({ supportsRunInTerminalRequest: true });
    client.onReverse = () => Promise.reject(new Error("no display"));
    const refusal = refused(client, "launch", { program: subject.program }, /opened no terminal: no display/);
    await client.request("configurationDone");
    await refusal;
    const again = await launch("loop");
    assert.equal(await endOf(again), 3);
  });

  test("never answered: the launch gives up after `timeout`, and a late helper is told", async () => {
    const client = await initialized({ supportsRunInTerminalRequest: true });
    let asked;
    client.onReverse = (request) => {
      asked = request;
      return new Promise(() => undefined);
    };
    const refusal = refused(client, "launch", { program: subject.program, timeout: 1 }, /did not start the program within 1 s.*internalConsole/);
    await client.request("configurationDone");
    await refusal;
    const late = openTerminal(asked);
    assert.equal(await late.ended, 1);
    assert.match(late.text, /the debugger that asked for this terminal is gone/);
  });

  test("answered, and nothing runs in it: the same", async () => {
    const client = await withTerminal(() => ({}));
    const refusal = refused(client, "launch", { program: subject.program, timeout: 1 }, /did not start the program within 1 s/);
    await client.request("configurationDone");
    await refusal;
  });

  test("a hang-up while it is awaited lets a helper go at once", async () => {
    const client = await initialized({ supportsRunInTerminalRequest: true });
    let asked;
    const seen = new Promise((resolve) => {
      client.onReverse = (request) => {
        asked = request;
        resolve();
        return new Promise(() => undefined);
      };
    });
    client.request("launch", { program: subject.program }).catch(() => undefined);
    client.request("configurationDone").catch(() => undefined);
    await seen;
    await client.hangUp();
    await subject.until("the gate is gone", () => !fs.existsSync(socketOf(asked)));
    const late = openTerminal(asked);
    assert.equal(await late.ended, 1);
  });

  test("a program that is none is refused before a terminal is opened", async () => {
    const client = await withTerminal();
    const refusal = refused(client, "launch", { program: "/nowhere/at/all" }, /\/nowhere\/at\/all/);
    await client.request("configurationDone");
    await refusal;
    assert.equal(client.terminals.length, 0);
  });

  test("threads, asked while the terminal opens, are none", async () => {
    const client = await initialized({ supportsRunInTerminalRequest: true });
    const answer = new Promise((resolve) => {
      client.onReverse = (request) => {
        resolve(client.send("threads"));
        return new Promise(() => undefined);
      };
    });
    client.request("launch", { program: subject.program }).catch(() => undefined);
    client.request("configurationDone").catch(() => undefined);
    assert.deepEqual((await answer).body.threads, []);
  });
});
