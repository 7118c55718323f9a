"use strict";
// The command line tool as people and their scripts use it, against the suite's daemon.
const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { spawn } = require("node:child_process");
const subject = require("../lib/subject");
const { connect, daemon, spinning, test } = require("../lib/world");

// What `trapline WORDS` said, with `input` on its stdin; bounded.
async function trapline(words, input = "") {
  if (daemon() === undefined) await connect();
  const where = words[0] === "--socket" ? [] : ["--socket", `unix:${daemon().socket}`];
  const child = spawn(process.env.TRAPLINE, [...where, ...words], { cwd: daemon().folder, stdio: ["pipe", "pipe", "pipe"] });
  const said = { out: "", err: "" };
  child.stdout.on("data", (chunk) => (said.out += chunk));
  child.stderr.on("data", (chunk) => (said.err += chunk));
  child.stdin.on("error", () => undefined); // it may end before it has read all
  child.stdin.end(input);
  const timer = setTimeout(() => child.kill("SIGKILL"), 15_000);
  [said.code, said.signal] = await new Promise((resolve) => child.once("close", (...how) => resolve(how)));
  clearTimeout(timer);
  assert.equal(said.signal, null, `trapline ${words.join(" ")} ended by itself; it said ${said.out}${said.err}`);
  return said;
}

// A file of the daemon's folder, and its path.
function file(name, content, mode = 0o755) {
  const full = path.join(daemon().folder, name);
  fs.writeFileSync(full, content, { mode });
  return full;
}

// The head of an ELF file of another kind: class 1 is 32-bit; machine 183 is aarch64 (elf(5)).
function elf({ bits = 64, machine }) {
  const head = Buffer.alloc(200);
  head.write("\x7fELF", "latin1");
  head[4] = bits === 32 ? 1 : 2;
  head[5] = 1;
  head[6] = 1;
  head.writeUInt16LE(2, 16);
  head.writeUInt16LE(machine, 18);
  head.writeUInt32LE(1, 20);
  if (bits === 32) [[52, 28], [52, 40], [32, 42], [0, 44]].forEach(([value, at]) => head.writeUInt16LE(value, at));
  else [[64, 32], [64, 52], [56, 54]].forEach(([value, at]) => head.writeUInt16LE(value, at));
  return head;
}

describe("the command line's refusals", () => {
  const cases = [
    ["a program that is not there", () => ["run", "--", "./nothere"], /cannot run '.*\/nothere': there is no such file/],
    ["a name that is not on PATH", () => ["run", "--", "no-such-program-here"], /no such program in PATH[^]*\.\/no-such-program-here/],
    ["a file without permission", () => ["run", "--", file("plain", "text\n", 0o644)], /no permission to execute it[^]*chmod \+x/],
    ["a text file", () => ["run", "--", file("text", "text\n")], /neither an ELF program nor a script/],
    ["a 32-bit program", () => ["run", "--", file("bits32", elf({ bits: 32, machine: 3 }))], /32-bit program/],
    ["another machine's program", () => ["run", "--", file("arm", elf({ machine: 183 }))], /aarch64/],
    ["a cut file", () => ["run", "--", file("cut", "\x7fELF\x02\x01")], /cut off/],
    ["a folder", () => ["run", "--", "/usr"], /it is a folder/],
    ["a pid that is gone", () => ["attach", "4194303"], /there is no process 4194303/],
    ["a kernel thread", () => ["attach", "2"], /kernel thread|there is no process 2|belongs to another user/],
    ["no pid at all", () => ["attach", "0"], /0 is no process number/],
    ["a name that nobody has", () => ["attach", "no-such-name-here"], /no process is named `no-such-name-here`[^]*--wait/],
    ["a session that is not there", () => ["join", "4711"], /no session 4711[^]*trapline sessions/],
    ["a script that is not there", () => ["rpc", "--script", "/nowhere"], /\/nowhere cannot be read/],
    ["parameters that are no JSON", () => ["rpc", "session.list", "{bad"], /no JSON[^]*quote/],
  ];
  for (const [what, words, expected] of cases)
    test(what, async () => {
      if (daemon() === undefined) await connect();
      const said = await trapline(words());
      assert.match(said.err, expected);
      assert.match(said.err, /^trapline: /);
      assert.equal(said.code, 1);
      assert.equal(said.out, "");
    });

  test("wrong usage is 2, and says what is right", async () => {
    for (const [words, expected] of [
      [[], /Subcommands:[^]*attach/],
      [["sesions"], /no verb `sesions`[^]*trapline sessions/],
      [["record", "--", "x"], /`record` is not available in this version/],
      [["run"], /program is required/],
      [["run", "--no-such-option", "x"], /no-such-option/],
    ]) {
      const said = await trapline(words);
      assert.match(said.err, expected);
      assert.equal(said.code, 2, words.join(" "));
    }
  });

  test("a daemon that is not there", async () => {
    const said = await trapline(["--socket", "unix:/nowhere/d.sock", "sessions"]);
    assert.match(said.err, /no daemon answers at \/nowhere\/d\.sock/);
    assert.equal(said.code, 1);
  });

  test("errors are JSON where that was asked for", async () => {
    const said = await trapline(["--json", "attach", "4194303"]);
    const { error } = JSON.parse(said.out);
    assert.match(error.message, /there is no process 4194303/);
    assert.equal(error.data.blame, "user");
    assert.equal(said.code, 1);
  });
});

describe("the command line's help", () => {
  test("each verb has its own", async () => {
    const { out, code } = await trapline(["--help"]);
    assert.equal(code, 0, out);
    for (const verb of ["dap", "run", "attach", "join", "stack", "sessions", "stats", "rpc", "doctor"]) {
      assert.match(out, new RegExp(`^  ${verb} `, "m"));
      const own = await trapline([verb, "--help"]);
      assert.equal(own.code, 0);
      assert.match(own.out, new RegExp(`Usage: trapline ${verb}`));
    }
  });

  test("--version", async () => {
    assert.match((await trapline(["--version"])).out, /^trapline \d+\.\d+\.\d+\n$/);
  });
});

describe("the prompt", () => {
  // The lines of one command's answer.
  const answer = (out, command) => {
    const at = out.indexOf(`(trapline) ${command}\n`);
    assert.ok(at >= 0, `${command} in ${out}`);
    const rest = out.slice(at + command.length + 12);
    const next = rest.indexOf("(trapline) ");
    return next < 0 ? rest : rest.slice(0, next);
  };

  test("breakpoints, steps, frames, values and the end, by gdb's names", async () => {
    const after = subject.mark("after loop");
    const script = ["list", `tbreak ${after}`, "b add if b == 3", "info b", "r", "bt", "up", "info locals", "p i", "p/x i", "down", "info args",
      "set var a = 1000", "n", "p sum", "fin", "info registers rip", "x/2xw $sp", "x/i $pc", "d 2", "c", "p total", "watch total", "c", "info threads"];
    const { out, code } = await trapline(["run", "--", subject.program, "loop"], script.join("\n") + "\n");
    assert.match(answer(out, "list"), /int main\(int argc/);
    assert.match(answer(out, `tbreak ${after}`), new RegExp(`^Temporary breakpoint 1: 0x\\w+ in loop.* at subject\\.cpp:${after}\\n$`));
    assert.match(answer(out, "info b"), /^1 +breakpoint, once\n +0x\w+ in loop[^]*^2 +breakpoint\n[^]*stops only if b == 3/m);
    assert.match(answer(out, "r"), /hit breakpoint 2\n#0 +add \(a=3, b=3\) at subject\.cpp:\d+/);
    assert.match(answer(out, "bt"), /^#0 +add .*\n#1 +loop \(rounds=10\).*\n#2 +main /);
    assert.match(answer(out, "up"), /^#1 +loop \(rounds=10\)/); // the frame alone: it hit nothing anew
    assert.match(answer(out, "info locals"), /^(total = 3\ni = 3|i = 3\ntotal = 3)\n$/);
    assert.equal(answer(out, "p i"), "i = 3\n");
    assert.equal(answer(out, "p/x i"), "i = 0x3\n");
    assert.equal(answer(out, "info args"), "a = 3\nb = 3\n");
    assert.equal(answer(out, "p sum"), "sum = 1003\n");
    assert.match(answer(out, "fin"), /^#0 +loop \(rounds=10\)/);
    assert.match(answer(out, "info registers rip"), /^rip +0x[0-9a-f]+/);
    assert.match(answer(out, "x/2xw $sp"), /^0x[0-9a-f]+: 0x[0-9a-f]{8} 0x[0-9a-f]{8}\n$/);
    assert.match(answer(out, "p total"), /^total = 1042\n$/);
    assert.match(answer(out, "watch total"), /`watch` is not available in this version/);
    assert.match(out, /total=1042\n[^]*\[The program ended with exit code 3\.\]/);
    assert.match(answer(out, "info threads"), /the program has ended/);
    assert.equal(code, 1, "a command was refused");
  });

  test("attach, look, and leave it running", async () => {
    const child = await spinning();
    const { out, code } = await trapline(["attach", String(child.pid)], "b tick\nc\nbt 1\ndelete\ndetach\nquit\n");
    assert.match(out, /^Attached to .*subject/);
    assert.match(out, /hit breakpoint 1\n#0 +tick \(\)/);
    assert.match(out, /\[Detached; the program runs on\.\]/);
    assert.equal(code, 0, out);
    assert.equal(subject.status(child.pid).TracerPid, "0");
    assert.ok(subject.lives(child.pid));
  });

  test("end of input leaves nothing that was launched behind", async () => {
    const { out, code } = await trapline(["run", "--", subject.program, "spin"], "b tick\nrun\n");
    assert.equal(code, 0, out);
    const pid = Number(/is process (\d+)/.exec(out)[1]);
    await subject.until("the subject is gone", () => !subject.lives(pid));
  });

  test("stack: all threads, and away again", async () => {
    const child = await spinning();
    const said = await trapline(["stack", String(child.pid)]);
    assert.match(said.out, /^Thread \d+ "subject"\n#0 [^]* main \(/);
    assert.match(said.out, /1 thread of process \d+; it stood still for [\d.]+ ms at most, and runs on\.\n$/);
    const json = JSON.parse((await trapline(["--json", "stack", String(child.pid)])).out);
    assert.equal(json.pid, child.pid);
    assert.ok(json.threads[0].frames.some((frame) => frame.function.startsWith("main")));
    assert.equal(subject.status(child.pid).TracerPid, "0");
  });
});
