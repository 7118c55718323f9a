// The list behind `${command:pickProcess}`.
import * as vscode from "vscode";
import { type ProcessEntry, listProcesses } from "./processes";

interface ProcessItem extends vscode.QuickPickItem {
  pid: number;
}

// The picked pid as text, which is what a variable in launch.json becomes; undefined ends the start quietly.
export async function pickProcess(): Promise<string | undefined> {
  const refresh: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("refresh"), tooltip: "Read the list again" };
  const picker = vscode.window.createQuickPick<ProcessItem>();
  picker.title = "Attach to a process";
  picker.placeholder = "Name, pid, command line or user";
  picker.matchOnDescription = true;
  picker.matchOnDetail = true;
  picker.buttons = [refresh];
  picker.items = items();
  picker.onDidTriggerButton(() => (picker.items = items()));
  picker.show();
  const picked = await new Promise<ProcessItem | undefined>((resolve) => {
    picker.onDidAccept(() => resolve(picker.selectedItems[0]));
    picker.onDidHide(() => resolve(undefined));
  });
  picker.dispose();
  return picked === undefined ? undefined : String(picked.pid);
}

function items(): ProcessItem[] {
  return listProcesses()
    .filter((entry) => entry.pid !== process.pid)
    .map((entry: ProcessEntry) => ({
      label: entry.name,
      description: `${entry.pid} · ${entry.user}`,
      detail: entry.commandLine.length > 300 ? entry.commandLine.slice(0, 300) + "…" : entry.commandLine,
      pid: entry.pid,
    }));
}
