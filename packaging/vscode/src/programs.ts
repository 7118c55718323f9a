// The list behind `${command:pickProgram}`, and behind F5 without a launch.json.
import * as path from "path";
import * as vscode from "vscode";
import { findPrograms } from "./elf";

export async function pickProgram(folder?: vscode.WorkspaceFolder): Promise<string | undefined> {
  const folders = folder ? [folder] : (vscode.workspace.workspaceFolders ?? []);
  const programs = folders.flatMap((f) => findPrograms(f.uri.fsPath).map((p) => ({ ...p, root: f.uri.fsPath })));
  if (programs.length === 1) return programs[0]?.file;
  const browse: vscode.QuickPickItem = { label: "Another file…", alwaysShow: true };
  const picked = await vscode.window.showQuickPick(
    [
      ...programs.map((p) => ({
        label: path.basename(p.file),
        description: path.relative(p.root, path.dirname(p.file)) || ".",
        detail: `built ${new Date(p.modified).toLocaleString()}`,
        file: p.file,
      })),
      browse,
    ],
    { title: "Debug a program", placeHolder: programs.length === 0 ? "No program was found in the workspace" : "Program to start", matchOnDescription: true },
  );
  if (picked === undefined) return undefined;
  if ("file" in picked) return picked.file;
  const chosen = await vscode.window.showOpenDialog({ title: "Program to debug", openLabel: "Debug" });
  return chosen?.[0]?.fsPath;
}
