// What a debugger knows of a stopped program: values as people write them, expressions, completions.
"use strict";
const assert = require("node:assert/strict");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const subject = require("../lib/subject");
const { children, evaluate, launch, launchTo, locals, refused, scope, stack, stopAfter, test, topFrame } = require("../lib/world");

const at = async (mode, mark, options) => {
  const client = await launchTo(mode, mark, options);
  client.frame = await topFrame(client, client.stop.threadId);
  return client;
};

// A folder that goes with its case.
const inFolder = async (body) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "trapline-values-"));
  try {
    return await body(folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
};

describe("values as people write them", () => {
  test("a step out shows what the function returned", async () => {
    const client = await at("loop", "add");
    client.stop = await stopAfter(client, () => client.send("stepOut", { threadId: client.stop.threadId }));
    assert.equal(client.stop.reason, "step");
    const frame = await topFrame(client, client.stop.threadId);
    const shown = (await children(client, (await scope(client, frame.id, "locals")).variablesReference)).find((v) => /return/i.test(v.name));
    assert.ok(shown, "a variable for it");
    assert.equal(shown.value, "0");
    assert.equal(shown.type, "int");
    // It is this stop's only.
    client.stop = await stopAfter(client, () => client.send("next", { threadId: client.stop.threadId }));
    const later = await locals(client, (await topFrame(client, client.stop.threadId)).id);
    assert.ok(!Object.keys(later).some((name) => /return/i.test(name)), Object.keys(later).join());
  });

  test("a returned string reads as one", async () => {
    const client = await at("containers", "greeting");
    client.stop = await stopAfter(client, () => client.send("stepOut", { threadId: client.stop.threadId }));
    const frame = await topFrame(client, client.stop.threadId);
    const shown = Object.values(await locals(client, frame.id)).find((v) => /return/i.test(v.name));
    assert.equal(shown?.value, '"number 7"');
  });

  test("a container's page is what is asked for, by named and indexed children", async () => {
    const client = await at("containers", "containers");
    const { squares } = await locals(client, client.frame.id);
    assert.equal(squares.indexedVariables, 1000);
    const indexed = await children(client, squares.variablesReference, { filter: "indexed", start: 500, count: 3 });
    assert.deepEqual(indexed.map((v) => [v.name, v.value]), [["[500]", "250000"], ["[501]", "251001"], ["[502]", "252004"]]);
    const named = await children(client, squares.variablesReference, { filter: "named" });
    assert.equal(named.length, squares.namedVariables);
    assert.ok(named.every((v) => !/^\[\d+\]$/.test(v.name)), named.map((v) => v.name).join());
    assert.ok(named.some((v) => v.name === "[Raw View]"), named.map((v) => v.name).join());
    assert.deepEqual(await children(client, squares.variablesReference, { filter: "indexed", start: 1000, count: 10 }), []);
    assert.equal((await children(client, squares.variablesReference, { filter: "indexed", start: 990, count: 100 })).length, 10);
  });

  test("formats are asked for by the request or behind the expression", async () => {
    const client = await at("values", "values");
    const frameId = client.frame.id;
    const shown = async (expression, more = {}) => (await evaluate(client, expression, { frameId, ...more })).result;
    assert.equal(await shown("shape.corner.x + 252,x"), "0xff");
    assert.equal(await shown("shape.corner.x,d"), "3");
    assert.equal(await shown("shape.corner.x + 7,o"), "012");
    assert.match(await shown("shape.corner.x,b"), /^0b0*11$/);
    assert.equal(await shown("(const char*)text,s"), await shown("text,s"));
    assert.match(await shown("text,na"), /hello/);
    assert.equal(await shown("numbers[4]", { format: { hex: true } }), "0x10");
    const hexed = await children(client, (await locals(client, frameId)).shape.variablesReference, { format: { hex: true } });
    const corner = hexed.find((v) => v.name === "corner");
    assert.equal((await children(client, corner.variablesReference, { format: { hex: true } })).find((v) => v.name === "x").value, "0x3");
    await refused(client, "evaluate", { expression: "whole,nonsense", frameId });
  });

  test("visualisers that change on disk are told, and used, in the stop that stands", () =>
    inFolder(async (folder) => {
      const file = path.join(folder, "own.natvis");
      const write = (word) =>
        fs.writeFileSync(
          file,
          `<?xml version="1.0"?><AutoVisualizer xmlns="http://schemas.microsoft.com/vstudio/debugger/natvis/2010">
             <Type Name="Shape"><DisplayString>${word} at {corner.x}</DisplayString></Type></AutoVisualizer>`,
        );
      write("figure");
      const client = await at("values", "values", { args: { visualizers: [file] } });
      const shown = async () => (await evaluate(client, "shape", { frameId: client.frame.id })).result;
      assert.equal(await shown(), "figure at 3");
      const from = client.mark();
      write("another figure");
      const told = await client.event("invalidated", () => true, { from });
      assert.deepEqual(told.body.areas, ["variables"]);
      assert.equal(await shown(), "another figure at 3");
      fs.writeFileSync(file, "<AutoVisualizer><Type>");
      await client.outputHas("important", /own\.natvis:1/);
    }));

  test("an uncaught exception has its type and its words", async () => {
    const client = await launch("throw");
    const stop = (await client.event("stopped")).body;
    assert.equal(stop.reason, "exception");
    const info = (await client.send("exceptionInfo", { threadId: stop.threadId })).body;
    assert.equal(info.details.typeName, "std::runtime_error");
    assert.equal(info.details.message, "not today");
    assert.match(info.description, /not today/);
    assert.equal(info.breakMode, "unhandled");
    const names = (await stack(client, stop.threadId)).stackFrames.map((f) => f.name.replace(/\(.*/, ""));
    assert.ok(names.filter((name) => name === "fail").length === 4, names.join(" "));
  });
});

describe("expressions as people type them", () => {
  test("completions come from the frame, from members and from types", async () => {
    const client = await at("values", "values");
    const completed = async (text, column = text.length + 1) =>
      (await client.send("completions", { text, column, frameId: client.frame.id })).body.targets;
    const labels = (targets) => targets.map((t) => t.label);
    assert.ok(labels(await completed("num")).includes("numbers"));
    assert.deepEqual(labels(await completed("shape.co")).sort(), ["colour", "corner"]);
    assert.deepEqual(labels(await completed("pointer->corner.")).sort(), ["x", "y"]);
    const [item] = await completed("1 + shape.wei + 2", "1 + shape.wei".length + 1);
    assert.deepEqual([item.label, item.type, item.start, item.length], ["weight", "field", "1 + shape.".length + 1, 3]);
    assert.deepEqual(labels(await completed("nothing_that_is_there")), []);
  });

  test("setExpression sets what an expression names, and says the new value", async () => {
    const client = await at("values", "values");
    const frameId = client.frame.id;
    const set = async (expression, value, more = {}) => (await client.send("setExpression", { expression, value, frameId, ...more })).body;
    assert.equal((await set("pointer->corner.y", "40 + 2")).value, "42");
    assert.equal((await evaluate(client, "shape.corner.y", { frameId })).result, "42");
    assert.equal((await set("numbers[3]", "0x10", { format: { hex: true } })).value, "0x10");
    assert.equal((await set("shape.colour", "Colour::blue")).value, (await evaluate(client, "shape.colour", { frameId })).result);
    assert.equal((await set("shape.narrow", "7")).value, "7");
    await refused(client, "setExpression", { expression: "whole + 1", value: "2", frameId });
    await refused(client, "setExpression", { expression: "shape.nobody", value: "2", frameId }, /nobody/);
    assert.equal((await evaluate(client, "whole", { frameId })).result, "-42");
  });

  test("what is wrong is said in words that help", async () => {
    const client = await at("values", "values");
    await refused(client, "evaluate", { expression: "shape.cornr", frameId: client.frame.id }, /did you mean .?corner/);
    await refused(client, "evaluate", { expression: "whol", frameId: client.frame.id }, /did you mean .?whole/);
  });
});
