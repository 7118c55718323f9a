// Connects a debug session to the daemon's socket, and starts the daemon where none runs.
import * as fs from "fs";
import * as os from "os";
import * as path from "path";
import * as vscode from "vscode";
import { DaemonError, defaultSocket, ensureDaemon } from "./daemon";

export class AdapterFactory implements vscode.DebugAdapterDescriptorFactory {
  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  async createDebugAdapterDescriptor(session: vscode.DebugSession): Promise<vscode.DebugAdapterDescriptor> {
    const settings = vscode.workspace.getConfiguration("trapline", session.workspaceFolder);
    const socket = expand(settings.get<string>("socket", ""), session.workspaceFolder) || defaultSocket();
    try {
      const started = await ensureDaemon({
        socket,
        candidates: this.daemonPaths(settings.get<string>("daemonPath", ""), session.workspaceFolder),
        idleExitSeconds: settings.get<number>("idleExit", 600),
        logLevel: settings.get<string>("logLevel", "warn"),
        onLog: (line) => this.log.info(line),
      });
      this.log.info(started ? `started ${started}, listening on unix:${socket}` : `connecting to unix:${socket}`);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.log.error(message);
      if (error instanceof DaemonError && error.missing) void offerSettings(message);
      throw error;
    }
    return new vscode.DebugAdapterNamedPipeServer(socket);
  }

  // In the order they are tried. A path that the user wrote stands alone: falling back from it would hide a typo.
  private daemonPaths(setting: string, folder: vscode.WorkspaceFolder | undefined): string[] {
    if (setting !== "") return [expand(setting, folder)];
    const onPath = (process.env["PATH"] ?? "").split(path.delimiter).filter((dir) => dir !== "");
    return [path.join(this.context.extensionPath, "bin"), ...onPath, "/usr/local/bin", path.join(os.homedir(), ".local/bin")].map(
      (dir) => path.join(dir, "traplined"),
    );
  }
}

function expand(text: string, folder: vscode.WorkspaceFolder | undefined): string {
  const base = (folder ?? vscode.workspace.workspaceFolders?.[0])?.uri.fsPath ?? "";
  const replaced = text.replace(/\$\{workspaceFolder\}/g, base).replace(/^~(?=\/|$)/, os.homedir());
  if (replaced === "" || path.isAbsolute(replaced)) return replaced;
  const inWorkspace = path.join(base, replaced);
  return fs.existsSync(inWorkspace) ? inWorkspace : path.resolve(replaced);
}

async function offerSettings(message: string): Promise<void> {
  const open = "Set trapline.daemonPath";
  if ((await vscode.window.showErrorMessage(message, open)) === open)
    await vscode.commands.executeCommand("workbench.action.openSettings", "trapline.daemonPath");
}
