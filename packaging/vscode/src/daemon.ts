// Finding and starting traplined. No vscode in here, so that node's test runner can drive it.
import { type ChildProcess, spawn } from "child_process";
import * as fs from "fs";
import * as net from "net";
import * as os from "os";
import * as path from "path";

export interface DaemonOptions {
  socket: string;
  candidates: string[]; // paths of traplined; the first executable one is started
  idleExitSeconds: number;
  logLevel: string;
  onLog: (line: string) => void;
  startTimeoutMs?: number;
}

export class DaemonError extends Error {
  constructor(
    message: string,
    readonly missing = false, // no traplined was found at all
  ) {
    super(message);
  }
}

// The daemon's own default (traplined --help).
export function defaultSocket(env: NodeJS.ProcessEnv = process.env): string {
  const given = env["TRAPLINE_SOCKET"];
  if (given) return given.replace(/^unix:/, "");
  const runtime = env["XDG_RUNTIME_DIR"];
  const folder = runtime ? path.join(runtime, "trapline") : `/tmp/trapline-${os.userInfo().uid}`;
  return path.join(folder, "trapline.sock");
}

export function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect(socket);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
}

// Returns the path of the daemon that was started, or undefined where one was listening already.
export async function ensureDaemon(options: DaemonOptions): Promise<string | undefined> {
  if (await answers(options.socket)) return undefined;
  const program = options.candidates.find(isExecutable);
  if (program === undefined) {
    const where = options.candidates.length === 1 ? `${options.candidates[0]} is not an executable file` : "it is neither in the extension nor on PATH";
    throw new DaemonError(`traplined was not found: ${where}. Install trapline, or set trapline.daemonPath.`, true);
  }
  return (await start(program, options)) ? program : undefined;
}

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

// False where another daemon took the socket while ours was starting (two windows opened at once): that one serves.
async function start(program: string, options: DaemonOptions): Promise<boolean> {
  const args = ["--listen", `unix:${options.socket}`, "--idle-exit", String(options.idleExitSeconds), "--log-level", options.logLevel];
  // The daemon outlives this window; its stderr goes to a file, since a pipe would break with us.
  const logFile = path.join(os.tmpdir(), `traplined-${os.userInfo().uid}-${process.pid}-${Date.now()}.log`);
  const logTo = fs.openSync(logFile, "wx", 0o600);
  const child = spawn(program, args, { detached: true, stdio: ["ignore", "pipe", logTo], cwd: "/" });
  fs.closeSync(logTo);
  options.onLog(`${program} ${args.join(" ")}; its log: ${logFile}`);
  const outcome = await firstOf(child, options.startTimeoutMs ?? 10_000);
  child.stdout?.destroy();
  child.unref();
  if (outcome === "listening") return true;
  if (await answers(options.socket)) return false;
  const said = fs.readFileSync(logFile, "utf8").trim().split("\n").slice(-5).join("\n");
  if (outcome === "silent") child.kill("SIGTERM");
  const what = outcome === "silent" ? "did not start listening in time" : `ended at once (${outcome})`;
  throw new DaemonError(`${program} ${what}${said === "" ? "." : `: ${said}`}`);
}

function firstOf(child: ChildProcess, timeoutMs: number): Promise<string> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve("silent"), timeoutMs);
    const done = (outcome: string) => {
      clearTimeout(timer);
      resolve(outcome);
    };
    let text = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (/^listening on /m.test(text)) done("listening");
    });
    child.once("error", (error) => done(error.message));
    child.once("exit", (code, signal) => done(signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
}
