// The processes of this machine, from /proc. No vscode in here, so that node's test runner can drive it.
import * as fs from "fs";
import * as path from "path";

export interface ProcessEntry {
  pid: number;
  name: string;
  user: string;
  own: boolean; // the user's own
  commandLine: string;
  startTicks: number; // since boot; larger is younger
}

// Kernel threads, zombies and what vanished while we looked are left out. Own processes come first, the youngest on top.
export function listProcesses(procFolder = "/proc", passwdFile = "/etc/passwd", uid = process.getuid?.() ?? 0): ProcessEntry[] {
  const names = userNames(passwdFile);
  const entries: ProcessEntry[] = [];
  for (const folder of fs.readdirSync(procFolder)) {
    const entry = /^\d+$/.test(folder) ? readProcess(path.join(procFolder, folder), Number(folder), names, uid) : undefined;
    if (entry !== undefined) entries.push(entry);
  }
  return entries.sort((a, b) => Number(b.own) - Number(a.own) || b.startTicks - a.startTicks || b.pid - a.pid);
}

function readProcess(folder: string, pid: number, names: Map<number, string>, ownUid: number): ProcessEntry | undefined {
  try {
    // proc(5): cmdline is empty for kernel threads and zombies.
    const args = fs.readFileSync(path.join(folder, "cmdline"), "utf8").split("\0");
    while (args.length > 0 && args[args.length - 1] === "") args.pop();
    if (args.length === 0) return undefined;
    const status = fs.readFileSync(path.join(folder, "status"), "utf8");
    const uid = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1] ?? "-1");
    return {
      pid,
      name: programName(folder, args[0] ?? "", /^Name:\s+(.*)$/m.exec(status)?.[1] ?? ""),
      user: names.get(uid) ?? String(uid),
      own: uid === ownUid,
      commandLine: args.map(quoted).join(" "),
      startTicks: startTicks(fs.readFileSync(path.join(folder, "stat"), "utf8")),
    };
  } catch {
    return undefined;
  }
}

// The program's file name where we may read it; `comm` is cut at 15 bytes, and argv[0] is whatever the parent said.
function programName(folder: string, argv0: string, comm: string): string {
  try {
    return path.basename(fs.readlinkSync(path.join(folder, "exe")).replace(/ \(deleted\)$/, ""));
  } catch {
    return comm || path.basename(argv0);
  }
}

// proc(5): field 22 of stat; the second one is in parentheses and may itself hold any of them, and blanks.
export function startTicks(stat: string): number {
  const afterName = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(afterName[19] ?? "0");
}

export function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replace(/'/g, "'\\''")}'`;
}

function userNames(passwdFile: string): Map<number, string> {
  const names = new Map<number, string>();
  try {
    for (const line of fs.readFileSync(passwdFile, "utf8").split("\n")) {
      const [name, , uid] = line.split(":");
      if (name && uid) names.set(Number(uid), name);
    }
  } catch {
    // Numbers are shown where there are no names.
  }
  return names;
}
