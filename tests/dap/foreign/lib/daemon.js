// The daemon under test: one for the whole run, on sockets of its own.
"use strict";
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

class Daemon {
  static async start(program, extraArguments = []) {
    const daemon = new Daemon();
    daemon.folder = fs.mkdtempSync(path.join(os.tmpdir(), "trapline-foreign-"));
    daemon.socket = path.join(daemon.folder, "d.sock");
    daemon.tokenFile = path.join(daemon.folder, "token");
    const args = ["--listen", `unix:${daemon.socket}`, "--listen", "tcp:127.0.0.1:0", "--token-file", daemon.tokenFile, ...extraArguments];
    daemon.log = path.join(daemon.folder, "log");
    const log = fs.openSync(daemon.log, "w");
    daemon.process = spawn(program, args, {
      stdio: ["ignore", "pipe", log],
      env: { ...process.env, DEBUGINFOD_URLS: "", XDG_RUNTIME_DIR: daemon.folder, TRAPLINE_LOG: process.env.TRAPLINE_LOG ?? "info" },
    });
    fs.closeSync(log);
    daemon.ended = new Promise((resolve) => daemon.process.once("exit", (code, signal) => resolve({ code, signal })));
    daemon.ended.then((how) => (daemon.end = how));
    await daemon.untilListening(2);
    return daemon;
  }

  // Waits for `listening on ADDR`, a line per listener.
  untilListening(listeners) {
    return new Promise((resolve, reject) => {
      let text = "";
      const timer = setTimeout(() => reject(new Error(`the daemon does not listen after 10 s; it said: ${text}${this.logTail()}`)), 10_000);
      this.process.stdout.on("data", (chunk) => {
        text += chunk;
        const lines = [...text.matchAll(/^listening on (\S+)$/gm)].map((m) => m[1]);
        if (lines.length < listeners) return;
        this.tcpPort = Number(lines.find((line) => line.startsWith("tcp:"))?.split(":").at(-1));
        clearTimeout(timer);
        resolve();
      });
      this.process.once("error", reject);
      this.ended.then((how) => reject(new Error(`the daemon ended at its start: ${JSON.stringify(how)}${this.logTail()}`)));
    });
  }

  logTail(lines = 40) {
    const all = fs.readFileSync(this.log, "utf8").trim().split("\n");
    return `\n-- the daemon's log, its last ${lines} lines:\n${all.slice(-lines).join("\n")}`;
  }

  async stop() {
    if (this.end === undefined) {
      this.process.kill("SIGTERM");
      const timer = setTimeout(() => this.process.kill("SIGKILL"), 10_000);
      await this.ended;
      clearTimeout(timer);
    }
    const how = this.end ?? (await this.ended);
    fs.rmSync(this.folder, { recursive: true, force: true });
    return how;
  }
}

exports.Daemon = Daemon;
