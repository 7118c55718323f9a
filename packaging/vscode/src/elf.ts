// Finds programs in a folder. No vscode in here, so that node's test runner can drive it.
import * as fs from "fs";
import * as path from "path";

export interface FoundProgram {
  file: string;
  modified: number; // milliseconds since the epoch
}

const skippedFolders = new Set(["node_modules", ".git", ".hg", ".svn", ".cache", "CMakeFiles"]);

// Executable ELF files below `folder`, the newest first. Looks at `limit` entries at most, nearest folders first, so that
// a huge tree costs a bounded time.
export function findPrograms(folder: string, limit = 20_000): FoundProgram[] {
  const found: FoundProgram[] = [];
  const folders = [folder];
  for (let seen = 0; folders.length > 0 && seen < limit; ) {
    const current = folders.shift() as string;
    let entries: fs.Dirent[];
    try {
      entries = fs.readdirSync(current, { withFileTypes: true });
    } catch {
      continue;
    }
    for (const entry of entries) {
      if (++seen > limit) break;
      const file = path.join(current, entry.name);
      if (entry.isDirectory() && !skippedFolders.has(entry.name)) folders.push(file);
      else if (entry.isFile()) {
        const modified = modifiedIfProgram(file);
        if (modified !== undefined) found.push({ file, modified });
      }
    }
  }
  return found.sort((a, b) => b.modified - a.modified);
}

// A program is an executable file of type EXEC or DYN that names an interpreter or is not a shared library by name.
// elf(5): e_type at 16, little endian on every machine we run on.
function modifiedIfProgram(file: string): number | undefined {
  if (/\.(so|o|a|py|sh|node)(\.[\d.]+)?$/.test(file)) return undefined;
  try {
    const stat = fs.statSync(file);
    if ((stat.mode & 0o111) === 0 || stat.size < 64) return undefined;
    const handle = fs.openSync(file, "r");
    try {
      const head = Buffer.alloc(18);
      fs.readSync(handle, head, 0, head.length, 0);
      const isElf = head.readUInt32BE(0) === 0x7f454c46;
      const type = head.readUInt16LE(16);
      return isElf && (type === 2 || type === 3) ? stat.mtimeMs : undefined;
    } finally {
      fs.closeSync(handle);
    }
  } catch {
    return undefined;
  }
}
