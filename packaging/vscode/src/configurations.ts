// What a user may leave out of launch.json, and what a new launch.json holds.
import * as path from "path";
import * as vscode from "vscode";
import { pickProcess } from "./process_picker";
import { pickProgram } from "./programs";

const launchExample: vscode.DebugConfiguration = {
  name: "Launch",
  type: "trapline",
  request: "launch",
  program: "${command:pickProgram}",
  args: [],
  cwd: "${workspaceFolder}",
};
const attachExample: vscode.DebugConfiguration = {
  name: "Attach",
  type: "trapline",
  request: "attach",
  pid: "${command:pickProcess}",
};

// Names under which other debuggers' configurations say which process, see the schema's aliases.
const processKeys = ["pid", "processId", "processName", "waitFor", "coreFile", "coreDumpPath", "session", "connect"];

export class ConfigurationProvider implements vscode.DebugConfigurationProvider {
  provideDebugConfigurations(): vscode.DebugConfiguration[] {
    return [launchExample, attachExample];
  }

  // Before ${variables} are replaced. undefined ends the start quietly, null opens launch.json.
  async resolveDebugConfiguration(
    folder: vscode.WorkspaceFolder | undefined,
    config: vscode.DebugConfiguration,
  ): Promise<vscode.DebugConfiguration | undefined | null> {
    if (!config.type && !config.request && !config.name) return this.withoutLaunchJson(folder);
    const filled = { ...config };
    if (filled.request === "attach") {
      if (!processKeys.some((key) => filled[key] !== undefined)) filled["pid"] = "${command:pickProcess}";
    } else if (filled["program"] === undefined && filled["session"] === undefined) {
      filled["program"] = "${command:pickProgram}";
    }
    if (filled.request === "launch" && filled["cwd"] === undefined && folder) filled["cwd"] = folder.uri.fsPath;
    return filled;
  }

  // After ${variables} are replaced: a cancelled pick leaves nothing behind.
  resolveDebugConfigurationWithSubstitutedVariables(
    folder: vscode.WorkspaceFolder | undefined,
    config: vscode.DebugConfiguration,
  ): vscode.DebugConfiguration | undefined {
    if (config["program"] === "" || config["pid"] === "") return undefined;
    const program: unknown = config["program"];
    // `a.out` is a file of the workspace for people; a name without a slash that is not there stays one to find on PATH.
    if (typeof program === "string" && program.includes("/") && !path.isAbsolute(program) && folder)
      config["program"] = path.join(folder.uri.fsPath, program);
    return config;
  }

  private async withoutLaunchJson(folder: vscode.WorkspaceFolder | undefined): Promise<vscode.DebugConfiguration | undefined> {
    const program = await pickProgram(folder);
    if (program === undefined) return undefined;
    const config: vscode.DebugConfiguration = {
      name: path.basename(program),
      type: "trapline",
      request: "launch",
      program,
      cwd: folder?.uri.fsPath ?? path.dirname(program),
    };
    // Nobody presses F5 to see the program run past: with no breakpoint anywhere, main is what they mean.
    if (vscode.debug.breakpoints.length === 0) config["stopOnEntry"] = "main";
    return config;
  }
}

export async function attachToProcess(): Promise<void> {
  const pid = await pickProcess();
  if (pid === undefined) return;
  await vscode.debug.startDebugging(vscode.workspace.workspaceFolders?.[0], { ...attachExample, name: `Attach to ${pid}`, pid });
}
