// What every file of cases shares: the daemon, clients that are closed after their case, and the ways into a session.
"use strict";
const assert = require("node:assert/strict");
const { Client } = require("./client");
const { Daemon } = require("./daemon");
const subject = require("./subject");

const clients = [];
const children = [];
let daemon;

// What VS Code says of itself; `more` overrides.
const editor = (more) => ({
  clientID: "foreign-suite",
  clientName: "foreign suite",
  adapterID: "trapline",
  pathFormat: "path",
  linesStartAt1: true,
  columnsStartAt1: true,
  supportsVariableType: true,
  supportsVariablePaging: true,
  supportsMemoryReferences: true,
  supportsProgressReporting: true,
  supportsInvalidatedEvent: true,
  ...more,
});

// A case: what it asks for, and after it, whatever its outcome: no message broke the protocol, the daemon lives, and
// nothing that it started is left.
exports.test = (name, body) =>
  it(name, async () => {
    if (daemon === undefined || daemon.end !== undefined) daemon = await Daemon.start(process.env.TRAPLINED);
    let trouble;
    try {
      await body();
    } catch (error) {
      trouble = error;
    }
    const complaints = await tidy();
    if (trouble !== undefined || daemon?.end !== undefined) console.log(daemon?.logTail());
    if (trouble !== undefined) throw trouble;
    assert.deepEqual(complaints, [], "messages that break the protocol");
    assert.equal(daemon?.end, undefined, "the daemon ended");
  });

async function tidy() {
  const pids = clients.flatMap((c) => c.events("process").map((e) => e.body.systemProcessId)).filter((pid) => pid > 0);
  const complaints = clients.flatMap((c) => c.complaints);
  for (const client of clients.splice(0)) await client.hangUp();
  for (const child of children.splice(0)) {
    child.kill("SIGKILL");
    await child.ended;
  }
  for (const pid of pids) if (subject.lives(pid)) killQuietly(pid);
  return complaints;
}

exports.stopDaemon = async () => {
  const how = await daemon?.stop();
  daemon = undefined;
  return how;
};

function killQuietly(pid) {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It was faster.
  }
}

exports.daemon = () => daemon;

exports.connect = async (address) => {
  if (address === undefined && daemon === undefined) daemon = await Daemon.start(process.env.TRAPLINED);
  const client = await Client.connect(address ?? daemon.socket);
  clients.push(client);
  return client;
};

exports.initialized = async (more) => {
  const client = await exports.connect();
  client.capabilities = (await client.send("initialize", editor(more))).body;
  return client;
};

exports.spinning = async () => {
  const child = await subject.startSpinning();
  children.push(child);
  return child;
};

// Launches the subject in `mode`; `configure(client)` runs between `initialized` and configurationDone.
exports.launch = async (mode, { args = {}, configure = async () => undefined, client, init } = {}) => {
  client ??= await exports.initialized(init);
  const launched = client.send("launch", { program: subject.program, args: [].concat(mode), ...args });
  await configured(client, launched, configure);
  return client;
};

exports.attach = async (args, { configure = async () => undefined, client } = {}) => {
  client ??= await exports.initialized();
  await configured(client, client.send("attach", args), configure);
  return client;
};

async function configured(client, started, configure) {
  started.catch(() => undefined); // looked at below; a refusal may come while we wait for `initialized`
  await Promise.race([client.event("initialized"), started]);
  await configure(client);
  await client.send("configurationDone");
  client.started = await started;
}

exports.breakAt = async (client, ...places) => {
  const breakpoints = places.map((place) =>
    typeof place === "string" ? { line: subject.mark(place) } : { ...place, line: subject.mark(place.mark), mark: undefined },
  );
  return (await client.send("setBreakpoints", { source: { path: subject.source }, breakpoints })).body.breakpoints;
};

// Runs the subject to the first hit of `mark`.
exports.launchTo = async (mode, mark, options = {}) => {
  const client = await exports.launch(mode, {
    ...options,
    configure: async (c) => {
      client_breakpoints.set(c, await exports.breakAt(c, mark));
      await options.configure?.(c);
    },
  });
  client.breakpoints = client_breakpoints.get(client);
  client.stop = (await client.event("stopped")).body;
  return client;
};
const client_breakpoints = new WeakMap();

exports.stack = async (client, threadId, more = {}) => (await client.send("stackTrace", { threadId, ...more })).body;

exports.topFrame = async (client, threadId) => (await exports.stack(client, threadId, { startFrame: 0, levels: 1 })).stackFrames[0];

// The next stop after `act` was sent.
exports.stopAfter = async (client, act) => {
  const from = client.mark();
  await act();
  return (await client.event("stopped", () => true, { from })).body;
};

exports.goOn = (client, threadId = client.stop.threadId) => exports.stopAfter(client, () => client.send("continue", { threadId }));

exports.scope = async (client, frameId, hint) => {
  const { scopes } = (await client.send("scopes", { frameId })).body;
  const found = scopes.find((s) => s.presentationHint === hint || s.name.toLowerCase() === hint);
  assert.ok(found, `a scope ${hint} among ${scopes.map((s) => s.name)}`);
  return found;
};

exports.children = async (client, variablesReference, more = {}) =>
  (await client.send("variables", { variablesReference, ...more })).body.variables;

exports.locals = async (client, frameId) => {
  const { variablesReference } = await exports.scope(client, frameId, "locals");
  const list = await exports.children(client, variablesReference);
  return Object.fromEntries(list.map((variable) => [variable.name, variable]));
};

exports.evaluate = async (client, expression, more = {}) => (await client.send("evaluate", { expression, ...more })).body;

// Asserts a refusal: success false, words for a person, and optionally what they say.
exports.refused = async (client, command, args, words) => {
  const response = await client.request(command, args);
  assert.equal(response.success, false, `${command} is refused`);
  const said = response.body?.error?.format ?? response.message ?? "";
  assert.ok(said.length > 0, "with words");
  if (words !== undefined) assert.match(said, words);
  return response;
};

exports.endOf = async (client) => {
  const exited = (await client.event("exited")).body;
  await client.event("terminated");
  return exited.exitCode;
};
