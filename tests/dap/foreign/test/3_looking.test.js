"use strict";
const assert = require("node:assert/strict");
const fs = require("node:fs");
const subject = require("../lib/subject");
const { children, endOf, evaluate, goOn, launch, launchTo, locals, refused, scope, stack, test, topFrame } = require("../lib/world");

const atValues = async () => {
  const client = await launchTo("values", "values");
  client.frame = await topFrame(client, client.stop.threadId);
  return client;
};

describe("the stack", () => {
  test("has names, lines and sources down to main", async () => {
    const client = await launchTo("loop", "add");
    const { stackFrames, totalFrames } = await stack(client, client.stop.threadId);
    const names = stackFrames.map((f) => f.name.replace(/\(.*/, ""));
    assert.deepEqual(names.slice(0, 3), ["add", "loop", "main"]);
    assert.deepEqual(
      stackFrames.slice(0, 2).map((f) => f.line),
      [subject.mark("add"), subject.mark("loop body")],
    );
    for (const frame of stackFrames.slice(0, 3)) assert.equal(frame.source.path, subject.source);
    assert.ok((totalFrames ?? stackFrames.length) >= 3);
    assert.equal(new Set(stackFrames.map((f) => f.id)).size, stackFrames.length, "ids differ");
  });

  test("comes in pages that fit together", async () => {
    const client = await launchTo(["deep", "1000"], "descend", { args: {} }).then(async (c) => c);
    // The innermost call: every hit before it is passed by a condition of its own.
    const line = subject.mark("descend");
    await client.send("setBreakpoints", { source: { path: subject.source }, breakpoints: [{ line, condition: "depth == 0" }] });
    client.stop = await goOn(client);
    const { threadId } = client.stop;
    const first = (await stack(client, threadId, { startFrame: 0, levels: 20 })).stackFrames;
    assert.equal(first.length, 20);
    const overlap = (await stack(client, threadId, { startFrame: 10, levels: 20 })).stackFrames;
    assert.deepEqual(
      overlap.slice(0, 10).map((f) => f.id),
      first.slice(10).map((f) => f.id),
    );
    const end = (await stack(client, threadId, { startFrame: 995, levels: 20 })).stackFrames.map((f) => f.name.replace(/\(.*/, ""));
    assert.deepEqual(end.slice(0, 7), ["descend", "descend", "descend", "descend", "descend", "descend", "main"]);
    const all = await stack(client, threadId);
    assert.ok(all.stackFrames.length >= 1002);
    assert.deepEqual((await stack(client, threadId, { startFrame: 5000, levels: 20 })).stackFrames, []);
  });

  test("of an outer frame gives that frame's values", async () => {
    const client = await launchTo("loop", "add");
    client.stop = await goOn(client);
    const { stackFrames } = await stack(client, client.stop.threadId);
    assert.equal((await evaluate(client, "i", { frameId: stackFrames[1].id })).result, "1");
    assert.equal((await evaluate(client, "rounds", { frameId: stackFrames[1].id })).result, "10");
  });

  test("of a running program is refused", async () => {
    const client = await launch("spin");
    await client.outputHas("stdout", "ready");
    const [thread] = (await client.send("threads")).body.threads;
    await refused(client, "stackTrace", { threadId: thread.id }, /running|stopped/i);
  });

  test("of a thread that does not exist is refused", async () => {
    const client = await launchTo("loop", "add");
    await refused(client, "stackTrace", { threadId: 999999999 }, /999999999/);
  });
});

describe("threads", () => {
  test("are listed with their names, and their coming and going is told", async () => {
    const client = await launchTo("threads", "worker");
    const { threads } = (await client.send("threads")).body;
    const stopped = threads.find((t) => t.id === client.stop.threadId);
    assert.match(stopped.name, /worker-\d/);
    assert.ok(threads.length >= 2);
    const started = new Set(client.events("thread").filter((m) => m.body.reason === "started").map((m) => m.body.threadId));
    for (const thread of threads) assert.ok(started.has(thread.id), `thread ${thread.id} was told`);
    await client.send("setBreakpoints", { source: { path: subject.source }, breakpoints: [{ line: subject.mark("join") + 1 }] });
    await client.send("continue", { threadId: client.stop.threadId });
    await client.event("thread", (b) => b.reason === "exited" && b.threadId === client.stop.threadId);
  });
});

describe("values", () => {
  test("of all basic kinds", async () => {
    const client = await atValues();
    const named = await locals(client, client.frame.id);
    assert.equal(named.whole.value, "-42");
    assert.match(named.letter.value, /65|'A'/);
    assert.equal(named.yes.value, "true");
    assert.equal(Number(named.real.value), 2.5);
    assert.match(named.text.value, /hello/);
    assert.equal(named.whole.type, "int");
    assert.match(named.numbers.type, /int ?\[300\]/);
    assert.equal(named.reference.value.match(/-?\d+$/)?.[0], "-42");
  });

  test("of a structure open to its members", async () => {
    const client = await atValues();
    const { shape } = await locals(client, client.frame.id);
    assert.ok(shape.variablesReference > 0);
    const members = Object.fromEntries((await children(client, shape.variablesReference)).map((m) => [m.name, m]));
    assert.match(members.colour.value, /green/);
    assert.equal(members.narrow.value, "5");
    const corner = await children(client, members.corner.variablesReference);
    assert.deepEqual(
      corner.map((m) => [m.name, m.value, m.type]),
      [
        ["x", "3", "int"],
        ["y", "4", "int"],
      ],
    );
    const again = await evaluate(client, corner[1].evaluateName, { frameId: client.frame.id });
    assert.equal(again.result, "4");
  });

  test("of an array come in pages", async () => {
    const client = await atValues();
    const { numbers } = await locals(client, client.frame.id);
    assert.equal(numbers.indexedVariables, 300);
    const page = await children(client, numbers.variablesReference, { filter: "indexed", start: 100, count: 50 });
    assert.equal(page.length, 50);
    assert.deepEqual(
      [page[0], page[49]].map((m) => [m.name, m.value]),
      [
        ["[100]", "10000"],
        ["[149]", "22201"],
      ],
    );
    assert.deepEqual(await children(client, numbers.variablesReference, { filter: "indexed", start: 300, count: 50 }), []);
  });

  test("registers are a scope", async () => {
    const client = await atValues();
    const registers = await scope(client, client.frame.id, "registers");
    const flat = async (reference, depth) =>
      (await Promise.all((await children(client, reference)).map(async (v) => (v.variablesReference && depth > 0 ? [v, ...(await flat(v.variablesReference, depth - 1))] : [v])))).flat();
    const names = (await flat(registers.variablesReference, 1)).map((v) => v.name);
    for (const name of ["rip", "rsp", "rax"]) assert.ok(names.includes(name), name);
    assert.match((await evaluate(client, "$rip", { frameId: client.frame.id })).result, /0x[0-9a-f]+|\d+/);
  });

  test("are set, and the program goes on with them", async () => {
    const client = await atValues();
    const { variablesReference } = await scope(client, client.frame.id, "locals");
    const set = (await client.send("setVariable", { variablesReference, name: "whole", value: "7" })).body;
    assert.equal(set.value, "7");
    assert.equal((await evaluate(client, "whole", { frameId: client.frame.id })).result, "7");
    const { shape } = await locals(client, client.frame.id);
    const corner = (await children(client, shape.variablesReference)).find((m) => m.name === "corner");
    await client.send("setVariable", { variablesReference: corner.variablesReference, name: "x", value: "99" });
    await client.send("continue", { threadId: client.stop.threadId });
    await client.outputHas("stdout", "whole=7 x=99");
    await endOf(client);
  });

  test("that cannot be set are refused and nothing changes", async () => {
    const client = await atValues();
    const { variablesReference } = await scope(client, client.frame.id, "locals");
    await refused(client, "setVariable", { variablesReference, name: "whole", value: "not a number" });
    await refused(client, "setVariable", { variablesReference, name: "nobody", value: "1" }, /nobody/);
    assert.equal((await evaluate(client, "whole", { frameId: client.frame.id })).result, "-42");
  });

  test("of an earlier stop are refused as such", async () => {
    const client = await launchTo("loop", "add");
    const frame = await topFrame(client, client.stop.threadId);
    const { variablesReference } = await scope(client, frame.id, "locals");
    client.stop = await goOn(client);
    await refused(client, "variables", { variablesReference }, /earlier|stale|no longer/i);
    await refused(client, "scopes", { frameId: frame.id }, /earlier|stale|no longer/i);
  });

  test("asked for in hex come in hex", async () => {
    const client = await atValues();
    assert.match((await evaluate(client, "shape.corner.x + 252", { frameId: client.frame.id, format: { hex: true } })).result, /0xff/);
  });
});

describe("expressions", () => {
  for (const [expression, expected] of [
    ["whole + 2", "-40"],
    ["shape.corner.x * shape.corner.y", "12"],
    ["pointer->corner.y", "4"],
    ["numbers[17]", "289"],
    ["*(&whole)", "-42"],
    ["real * 2 == 5.0", "true"],
    ["yes && whole < 0", "true"],
    ["(long)whole", "-42"],
    ["spins", "0"],
    ["launched_with", "2"],
  ])
    test(expression, async () => {
      const client = await atValues();
      for (const context of ["watch", "hover", "repl", "clipboard"])
        assert.equal((await evaluate(client, expression, { frameId: client.frame.id, context })).result, expected, context);
    });

  test("an assignment in the console changes the program", async () => {
    const client = await atValues();
    await evaluate(client, "whole = 123", { frameId: client.frame.id, context: "repl" });
    await client.send("continue", { threadId: client.stop.threadId });
    await client.outputHas("stdout", "whole=123");
  });

  test("a hover never changes the program", async () => {
    const client = await atValues();
    await refused(client, "evaluate", { expression: "whole = 123", frameId: client.frame.id, context: "hover" });
    assert.equal((await evaluate(client, "whole", { frameId: client.frame.id })).result, "-42");
  });

  test("an unknown name is refused by its name", async () => {
    const client = await atValues();
    await refused(client, "evaluate", { expression: "no_such_thing", frameId: client.frame.id, context: "watch" }, /no_such_thing/);
  });

  test("a result with members can be opened", async () => {
    const client = await atValues();
    const result = await evaluate(client, "*pointer", { frameId: client.frame.id, context: "watch" });
    assert.equal(result.type, "Shape");
    const names = (await children(client, result.variablesReference)).map((m) => m.name);
    assert.deepEqual(names, ["corner", "colour", "weight", "name", "narrow"]);
  });
});

describe("modules and sources", () => {
  test("modules are told as they come and listed", async () => {
    const client = await launchTo("loop", "add");
    const { modules, totalModules } = (await client.send("modules", { startModule: 0, moduleCount: 0 })).body;
    assert.equal(totalModules ?? modules.length, modules.length);
    const own = modules.find((m) => m.path === subject.program);
    assert.equal(own.symbolStatus, "debug information");
    assert.ok(modules.some((m) => /libc\.so/.test(m.name)));
    const told = new Set(client.events("module").map((m) => m.body.module.path));
    assert.ok(told.has(subject.program));
    const page = (await client.send("modules", { startModule: 1, moduleCount: 1 })).body.modules;
    assert.deepEqual(page.map((m) => m.id), [modules[1].id]);
  });

  test("loaded sources have the program's file", async () => {
    const client = await launchTo("loop", "add");
    const { sources } = (await client.send("loadedSources")).body;
    assert.ok(sources.some((s) => s.path === subject.source));
  });

  test("a source's text is given", async () => {
    const client = await launchTo("loop", "add");
    const frame = await topFrame(client, client.stop.threadId);
    const { content } = (
      await client.send("source", { source: frame.source, sourceReference: frame.source.sourceReference ?? 0 })
    ).body;
    assert.equal(content, fs.readFileSync(subject.source, "utf8"));
  });
});
