// What VS Code loads: the parts of the extension and where they are plugged in.
import * as vscode from "vscode";
import { AdapterFactory } from "./adapter_factory";
import { ConfigurationProvider, attachToProcess } from "./configurations";
import { pickProcess } from "./process_picker";
import { pickProgram } from "./programs";

export const debugType = "trapline";

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("trapline", { log: true });
  const provider = new ConfigurationProvider();
  context.subscriptions.push(
    log,
    vscode.debug.registerDebugAdapterDescriptorFactory(debugType, new AdapterFactory(context, log)),
    vscode.debug.registerDebugConfigurationProvider(debugType, provider),
    vscode.commands.registerCommand("trapline.pickProcess", pickProcess),
    vscode.commands.registerCommand("trapline.pickProgram", () => pickProgram()),
    vscode.commands.registerCommand("trapline.attachToProcess", attachToProcess),
    vscode.commands.registerCommand("trapline.showLog", () => log.show()),
  );
}
