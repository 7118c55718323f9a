// The program under the debugger: where it is, and where its marks are.
"use strict";
const { execFileSync, spawn } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");

const source = path.join(__dirname, "../fixtures/subject.cpp");
const lines = fs.readFileSync(source, "utf8").split("\n");

// The line (from 1) of the comment `MARK: name`.
exports.mark = (name) => {
  const found = lines.flatMap((line, index) => (new RegExp(`MARK: ${name}$`).test(line) ? [index + 1] : []));
  if (found.length !== 1) throw new Error(`${found.length} marks "${name}" in ${source}`);
  return found[0];
};
exports.source = source;

// Compiled once a run, beside the other things that the build made.
exports.build = (folder) => {
  fs.mkdirSync(folder, { recursive: true });
  const program = path.join(folder, "subject");
  if (!fs.existsSync(program) || fs.statSync(program).mtimeMs < fs.statSync(source).mtimeMs)
    execFileSync(process.env.CXX_FIXTURES ?? "g++", ["-std=c++20", "-g", "-O0", "-pthread", source, "-o", program], { stdio: "inherit" });
  exports.program = program;
};

// One that runs on its own, for attaching. Resolves when it says that it is ready.
exports.startSpinning = async () => {
  const child = spawn(exports.program, ["spin"], { stdio: ["ignore", "pipe", "inherit"] });
  child.ended = new Promise((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
  child.text = "";
  await new Promise((resolve, reject) => {
    child.stdout.on("data", (chunk) => {
      child.text += chunk;
      if (child.text.includes("\n")) resolve();
    });
    child.once("error", reject);
    child.ended.then((how) => reject(new Error(`the subject ended: ${JSON.stringify(how)}`)));
  });
  return child;
};

// Fields of /proc/PID/status; undefined once it is gone.
exports.status = (pid) => {
  try {
    return Object.fromEntries(
      fs
        .readFileSync(`/proc/${pid}/status`, "utf8")
        .split("\n")
        .map((line) => line.split(/:\s*/, 2)),
    );
  } catch {
    return undefined;
  }
};

// True while `pid` is a process that is not a zombie.
exports.lives = (pid) => {
  const state = exports.status(pid)?.State;
  return state !== undefined && !state.startsWith("Z");
};

// Resolves when `holds()` is true; asked anew every few milliseconds, since /proc tells nobody of its changes.
exports.until = async (what, holds, timeout = 5000) => {
  const end = Date.now() + timeout;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`not within ${timeout} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};
