import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { findPrograms } from "../src/elf";
import { listProcesses, quoted, startTicks } from "../src/processes";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "trapline-ext-"));
after(() => fs.rmSync(folder, { recursive: true }));

function fakeProcess(pid: number, comm: string, cmdline: string, uid: number, start: number): void {
  const dir = path.join(folder, "proc", String(pid));
  fs.mkdirSync(dir, { recursive: true });
  fs.writeFileSync(path.join(dir, "cmdline"), cmdline);
  fs.writeFileSync(path.join(dir, "status"), `Name:\t${comm}\nUid:\t${uid}\t${uid}\t${uid}\t${uid}\n`);
  fs.writeFileSync(path.join(dir, "stat"), `${pid} (${comm}) S ${"0 ".repeat(18)}${start} 0 0\n`);
}

test("own processes come first, the youngest on top; kernel threads are left out", () => {
  fs.writeFileSync(path.join(folder, "passwd"), "root:x:0:0::/:/bin/sh\nann:x:7:7::/:/bin/sh\n");
  fakeProcess(10, "old", "/usr/bin/old\0--flag\0", 7, 100);
  fakeProcess(11, "kthread", "", 0, 1);
  fakeProcess(12, "young) S (x", "young\0a b\0", 7, 900);
  fakeProcess(13, "others", "others\0", 0, 5000);
  const list = listProcesses(path.join(folder, "proc"), path.join(folder, "passwd"), 7);
  assert.deepEqual(list.map((p) => p.pid), [12, 10, 13]);
  assert.deepEqual(list[0], { pid: 12, name: "young) S (x", user: "ann", own: true, commandLine: "young 'a b'", startTicks: 900 });
  assert.equal(list[2]?.user, "root");
});

test("a real child is listed by its program's file name", async () => {
  const child = spawn("sleep", ["61"]);
  await new Promise((ready) => child.once("spawn", ready));
  try {
    const entry = listProcesses().find((p) => p.pid === child.pid);
    assert.match(entry?.commandLine ?? "", /^sleep 61$/);
    assert.ok(entry?.own);
    assert.ok(["sleep", "coreutils", "busybox"].includes(entry?.name ?? ""));
  } finally {
    child.kill("SIGKILL");
  }
});

test("a name with parentheses and blanks does not shift the fields of stat", () => {
  assert.equal(startTicks(`5 (a) b) (c) R ${"1 ".repeat(18)}4242 7 8`), 4242);
});

test("arguments are quoted as a shell takes them", () => {
  assert.equal(quoted("plain-1.2/x"), "plain-1.2/x");
  assert.equal(quoted("it's"), "'it'\\''s'");
  assert.equal(quoted(""), "''");
});

test("programs of a folder are found, objects and scripts are not", () => {
  const dir = path.join(folder, "tree/build/sub");
  fs.mkdirSync(dir, { recursive: true });
  fs.copyFileSync(process.execPath, path.join(dir, "program"));
  fs.chmodSync(path.join(dir, "program"), 0o755);
  fs.copyFileSync(process.execPath, path.join(dir, "libx.so.1"));
  fs.writeFileSync(path.join(dir, "script"), "#!/bin/sh\n".padEnd(100), { mode: 0o755 });
  fs.mkdirSync(path.join(folder, "tree/node_modules"));
  fs.copyFileSync(process.execPath, path.join(folder, "tree/node_modules/hidden"));
  assert.deepEqual(findPrograms(path.join(folder, "tree")).map((p) => p.file), [path.join(dir, "program")]);
  assert.deepEqual(findPrograms(path.join(folder, "nowhere")), []);
});
