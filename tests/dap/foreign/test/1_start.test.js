"use strict";
const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { spawn } = require("node:child_process");
const subject = require("../lib/subject");
const { attach, breakAt, connect, daemon, endOf, initialized, launch, launchTo, refused, test, topFrame } = require("../lib/world");

describe("starting", () => {
  test("initialize answers with capabilities, and `initialized` follows it", async () => {
    const client = await initialized();
    await client.event("initialized");
    const answer = client.received.findIndex((m) => m.type === "response" && m.command === "initialize");
    const event = client.received.findIndex((m) => m.event === "initialized");
    assert.ok(answer < event, "the answer comes first");
    for (const capability of [
      "supportsConfigurationDoneRequest",
      "supportsFunctionBreakpoints",
      "supportsConditionalBreakpoints",
      "supportsHitConditionalBreakpoints",
      "supportsLogPoints",
      "supportsEvaluateForHovers",
      "supportsSetVariable",
      "supportsModulesRequest",
      "supportsLoadedSourcesRequest",
      "supportsRestartRequest",
      "supportsTerminateRequest",
      "supportTerminateDebuggee",
      "supportsExceptionInfoRequest",
      "supportsDelayedStackTraceLoading",
      "supportsCancelRequest",
      "supportsSteppingGranularity",
    ])
      assert.equal(client.capabilities[capability], true, capability);
  });

  test("a launched program runs to its end and its exit code is told", async () => {
    const client = await launch("loop");
    assert.equal(await endOf(client), 3);
    assert.match(await client.outputHas("stdout", "total=45\n"), /total=45/);
  });

  test("the answer to launch waits for configurationDone", async () => {
    const client = await initialized();
    const launched = client.send("launch", { program: subject.program, args: ["loop"] });
    await client.event("initialized");
    // A request that is answered shows that everything before it was read; launch must still be open.
    await client.send("threads").catch(() => undefined);
    const answers = () => client.received.filter((m) => m.type === "response" && m.command === "launch").length;
    assert.equal(answers(), 0);
    await client.send("configurationDone");
    await launched;
    assert.equal(answers(), 1);
    assert.equal(await endOf(client), 3);
  });

  test("breakpoints may be set before launch", async () => {
    const client = await initialized();
    await client.event("initialized");
    const [breakpoint] = await breakAt(client, "add");
    const launched = client.send("launch", { program: subject.program, args: ["loop"] });
    await client.send("configurationDone");
    await launched;
    const stop = (await client.event("stopped")).body;
    assert.deepEqual(stop.hitBreakpointIds, [breakpoint.id]);
  });

  test("arguments, environment and working directory reach the program", async () => {
    process.env.TRAPLINE_SUBJECT = "inherited";
    const client = await launch(["surroundings", "one", "two words", "--three"], {
      args: { cwd: "/usr", env: { TRAPLINE_SUBJECT: "given" } },
    });
    const text = await client.outputHas("stdout", "tty=");
    assert.match(text, /arg=one\narg=two words\narg=--three\n/);
    assert.match(text, /env=given\n/);
    assert.match(text, /cwd=\/usr\n/);
    assert.equal(await endOf(client), 0);
  });

  test("null unsets a variable, and args may be one string as a shell splits it", async () => {
    const client = await launch([], { args: { args: "surroundings 'two words' plain", env: { TRAPLINE_SUBJECT: null } } });
    const text = await client.outputHas("stdout", "tty=");
    assert.match(text, /arg=two words\narg=plain\nenv=\(unset\)/);
  });

  test("stdout and stderr of the program are told apart", async () => {
    const client = await launch("output", { args: { console: "internalConsole" } });
    await endOf(client);
    assert.match(client.output("stdout") + client.output("stderr"), /to stderr/);
    assert.match(client.output("stdout"), /to stdout\n/);
    assert.doesNotMatch(client.output("console"), /to std/);
  });

  test("output files take the program's output", async () => {
    const file = path.join(daemon().folder, "out.txt");
    const client = await launch("loop", { args: { stdio: [null, file, null] } });
    assert.equal(await endOf(client), 3);
    assert.equal(fs.readFileSync(file, "utf8"), "total=45\n");
    assert.equal(client.output("stdout"), "");
  });

  test("stopOnEntry stops before the program's own code", async () => {
    const client = await launch("loop", { args: { stopOnEntry: true } });
    const stop = (await client.event("stopped")).body;
    assert.equal(stop.reason, "entry");
    assert.equal(stop.allThreadsStopped, true);
    assert.equal(client.output("stdout"), "");
    await client.send("continue", { threadId: stop.threadId });
    assert.equal(await endOf(client), 3);
  });

  test("stopOnEntry: main stops at main's first line", async () => {
    const client = await launch("loop", { args: { stopOnEntry: "main" } });
    const stop = (await client.event("stopped")).body;
    assert.equal(stop.reason, "entry");
    const frame = await topFrame(client, stop.threadId);
    assert.equal(frame.name.replace(/\(.*/, ""), "main");
    assert.equal(frame.source.path, subject.source);
  });

  test("the process event names the program", async () => {
    const client = await launchTo("loop", "add");
    const { body } = await client.event("process");
    assert.equal(body.name, subject.program);
    assert.equal(body.startMethod, "launch");
    assert.equal(body.isLocalProcess ?? true, true);
    assert.match(subject.status(body.systemProcessId).Name, /subject/);
  });

  test("noDebug runs without breakpoints", async () => {
    const client = await launch("loop", { args: { noDebug: true }, configure: (c) => breakAt(c, "add") });
    assert.equal(await endOf(client), 3);
    assert.equal(client.events("stopped").length, 0);
  });

  test("an unknown argument is named with the nearest known one", async () => {
    const client = await launch("loop", { args: { stopOnEnty: true, zzqqxx: 1 } });
    await endOf(client);
    const said = client.output("important") + client.output("console");
    assert.match(said, /stopOnEnty.*stopOnEntry/);
    assert.match(said, /zzqqxx/);
  });

  test("a configuration written for cppdbg works", async () => {
    const client = await launch("surroundings", {
      args: {
        type: "trapline",
        request: "launch",
        name: "(gdb) Launch",
        stopAtEntry: false,
        environment: [{ name: "TRAPLINE_SUBJECT", value: "listed" }],
        externalConsole: false,
        MIMode: "gdb",
        miDebuggerPath: "/usr/bin/gdb",
        setupCommands: [{ text: "-enable-pretty-printing", ignoreFailures: true }],
        sourceFileMap: {},
      },
    });
    assert.match(await client.outputHas("stdout", "tty="), /env=listed/);
    assert.equal(await endOf(client), 0);
    assert.match(client.output("console"), /MIMode/);
  });
});

describe("a start that cannot be", () => {
  const notExecutable = () => {
    const file = path.join(daemon().folder, "plain.txt");
    fs.writeFileSync(file, "text", { mode: 0o644 });
    return file;
  };
  const script = () => {
    const file = path.join(daemon().folder, "not-elf");
    fs.writeFileSync(file, "\x7fELX not a program", { mode: 0o755 });
    return file;
  };
  for (const [what, args, words] of [
    ["no program", () => ({}), /program/],
    ["a program that is not there", () => ({ program: "/nowhere/at/all" }), /\/nowhere\/at\/all/],
    ["a program that is not executable", () => ({ program: notExecutable() }), /execut|permission/i],
    ["a file that is no program", () => ({ program: script() }), /ELF|format|program/i],
    ["a folder", () => ({ program: "/usr" }), /director|folder|file|program/i],
    ["a wrong type", () => ({ program: 17 }), /program/],
    ["a working directory that is not there", () => ({ program: subject.program, cwd: "/nowhere/dir" }), /\/nowhere\/dir/],
  ])
    test(`${what} is refused with words, and a right launch works after it`, async () => {
      const client = await initialized();
      const refusal = refused(client, "launch", args(), words);
      await client.event("initialized");
      // Some find out only when the program is started, which is after configurationDone.
      await client.request("configurationDone");
      const response = await refusal;
      assert.equal(response.body?.error?.showUser ?? true, true);
      const again = await launch("loop");
      assert.equal(await endOf(again), 3);
    });

  test("a pid that is gone is refused", async () => {
    const child = spawn("true");
    await new Promise((resolve) => child.once("exit", resolve));
    const client = await initialized();
    await refused(client, "attach", { pid: child.pid }, new RegExp(String(child.pid)));
  });

  test("a kernel thread is refused", async () => {
    const client = await initialized();
    await refused(client, "attach", { pid: 2 }, /kernel|permission|allowed|no process|process 2/i);
  });

  test("a process that is traced already is refused, and the tracer is named", async () => {
    const first = await launchTo("spin", "tick");
    const { systemProcessId: pid } = (await first.event("process")).body;
    const second = await initialized();
    await refused(second, "attach", { pid }, /trac|debug/i);
    assert.equal((await topFrame(first, first.stop.threadId)).line, subject.mark("tick"), "the first session is as it was");
  });

  test("attach without saying to what is refused", async () => {
    const client = await initialized();
    await refused(client, "attach", {}, /pid|name/);
  });

  test("attach to a name that nobody has is refused", async () => {
    const client = await initialized();
    await refused(client, "attach", { processName: "no-such-program-here" }, /no-such-program-here/);
  });

  test("a connection that leaves between launch and configurationDone leaves nothing behind", async () => {
    const client = await initialized();
    client.request("launch", { program: subject.program, args: ["spin"] }).catch(() => undefined);
    await client.event("initialized");
    await client.send("threads").catch(() => undefined);
    const pids = () => fs.readdirSync("/proc").filter((p) => /^\d+$/.test(p) && subject.status(p)?.Name === "subject" && subject.lives(p));
    await client.hangUp();
    await subject.until("the launched subject is gone", () => pids().length === 0);
    const next = await launch("loop");
    assert.equal(await endOf(next), 3);
  });
});

describe("the VS Code package", () => {
  test("has the launch arguments that the daemon knows", async () => {
    const script = path.join(__dirname, "../../../../packaging/vscode/scripts/launch_schema.mjs");
    const child = spawn(process.execPath, [script, process.env.TRAPLINED, "--check"], { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.on("data", (chunk) => (said += chunk));
    const code = await new Promise((resolve) => child.once("close", resolve));
    assert.equal(code, 0, said);
  });
});
