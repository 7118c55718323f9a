// VS Code in a browser: starting it, and what a person does and sees there.
import { execFileSync, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

const patience = 20_000; // of one thing to appear, in milliseconds

export class VsCode {
  static async start({ tools, folder, workspace, vsix, shots, chromium, settings }) {
    const code = new VsCode();
    Object.assign(code, { shots, shot: 0 });
    const data = path.join(folder, "data");
    const extensions = path.join(folder, "extensions");
    fs.mkdirSync(path.join(data, "User"), { recursive: true });
    fs.mkdirSync(path.join(data, "Machine"));
    const quiet = {
      "telemetry.telemetryLevel": "off",
      "workbench.startupEditor": "none",
      "workbench.tips.enabled": false,
      "security.workspace.trust.enabled": false,
      "terminal.integrated.gpuAcceleration": "off", // rows as text in the page
      "debug.internalConsoleOptions": "neverOpen",
      "editor.minimap.enabled": false,
      "extensions.ignoreRecommendations": true,
      "git.enabled": false,
      "chat.commandCenter.enabled": false,
    };
    fs.writeFileSync(path.join(data, "User/settings.json"), JSON.stringify(quiet, null, 2));
    // Paths on a machine are settings of that machine (scope machine-overridable).
    fs.writeFileSync(path.join(data, "Machine/settings.json"), JSON.stringify(settings, null, 2));
    const server = path.join(tools, "node_modules/code-server/out/node/entry.js");
    const common = ["--user-data-dir", data, "--extensions-dir", extensions, "--config", path.join(folder, "config.yaml")];
    const env = { ...process.env, XDG_CONFIG_HOME: path.join(folder, "config"), XDG_DATA_HOME: path.join(folder, "share") };
    fs.writeFileSync(path.join(folder, "config.yaml"), "auth: none\ncert: false\n");
    const cli = (...args) => execFileSync(process.execPath, [server, ...common, ...args], { env, encoding: "utf8", timeout: 60_000 });
    cli("--install-extension", vsix);
    code.extensions = cli("--list-extensions").trim().split("\n");
    code.log = path.join(folder, "code-server.log");
    const log = fs.openSync(code.log, "w");
    code.server = spawn(
      process.execPath,
      [server, ...common, "--bind-addr", "127.0.0.1:0", "--disable-telemetry", "--disable-update-check", "--disable-workspace-trust", workspace],
      { env, stdio: ["ignore", log, log], detached: true },
    );
    fs.closeSync(log);
    const address = await code.address();
    code.browser = await chromium.launch({
      executablePath: "/usr/bin/chromium",
      args: process.getuid() === 0 ? ["--no-sandbox"] : [],
    });
    code.page = await code.browser.newPage({ viewport: { width: 1400, height: 900 } });
    code.page.setDefaultTimeout(patience);
    await code.page.goto(`${address}?folder=${encodeURIComponent(workspace)}`);
    await code.page.waitForSelector(".explorer-folders-view .monaco-list-row", { timeout: 60_000 });
    return code;
  }

  async address() {
    for (let waited = 0; waited < 30_000; waited += 50) {
      const found = /listening on (http:\S+)/.exec(fs.readFileSync(this.log, "utf8"));
      if (found) return found[1];
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`code-server does not listen: ${fs.readFileSync(this.log, "utf8")}`);
  }

  async stop() {
    await this.browser?.close();
    const ended = new Promise((resolve) => this.server.once("exit", resolve));
    try {
      process.kill(-this.server.pid, "SIGTERM");
    } catch {
      return; // it ended already
    }
    await ended;
  }

  async shoot(name) {
    const number = String(++this.shot).padStart(2, "0");
    await this.page.screenshot({ path: path.join(this.shots, `${number}-${name.replace(/[^a-z0-9]+/gi, "-")}.png`) });
  }

  press(key) {
    return this.page.keyboard.press(key);
  }

  // Asks until `look` gives something true, and returns that.
  async until(what, look, timeout = patience) {
    const end = Date.now() + timeout;
    for (;;) {
      const seen = await look();
      if (seen) return seen;
      if (Date.now() > end) throw new Error(`not seen in ${timeout} ms: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  // The box that opens over the window: files, lines, commands, lists.
  async quickInput(key, text) {
    await this.press(key);
    const box = this.page.locator(".quick-input-widget:visible input.input");
    await box.waitFor();
    await box.fill(text);
  }

  // By the explorer: the search of quick open needs ripgrep, whose npm package downloads it.
  async open(file) {
    const row = this.page.locator(".explorer-folders-view .monaco-list-row", { hasText: file }).first();
    if (!(await row.isVisible())) await this.page.locator(".activitybar [aria-label^='Explorer']").first().click();
    await row.dblclick();
    await this.page.waitForSelector(`.tab.active[data-resource-name="${file}"]`);
    await this.page.locator(".editor-instance .view-lines .view-line").first().waitFor();
  }

  async goToLine(line) {
    await this.quickInput("Control+G", `:${line}`);
    await this.press("Enter");
    await this.page.waitForSelector(`.line-numbers.active-line-number:has-text("${line}")`);
    // The line is shown while the box is still open; a key goes to the editor only after it.
    await this.page.locator(".quick-input-widget").waitFor({ state: "hidden" });
    await this.page.locator(".editor-instance .monaco-editor.focused").waitFor();
  }

  // Extensions come after the window. All that one contributes is registered at once, and its commands can be seen.
  async knows(command) {
    await this.quickInput("F1", ">");
    const box = this.page.locator(".quick-input-widget:visible input.input");
    const row = this.page.locator(".quick-input-list .monaco-list-row", { hasText: command }).first();
    await this.until(`the command ${command}`, async () => {
      await box.fill(">");
      await box.fill(`>${command}`);
      return row.waitFor({ timeout: 1000 }).then(() => true, () => false);
    }, 60_000);
    await this.press("Escape");
    await this.page.locator(".quick-input-widget").waitFor({ state: "hidden" });
  }

  async command(name) {
    await this.quickInput("F1", `>${name}`);
    // Not always the first row: a recent one of a similar name may stand above it.
    await this.page.locator(".quick-input-list .monaco-list-row", { hasText: name }).first().click();
  }

  // Types `text` into an open list and takes the first row, which must hold `expected`.
  async pick(text, expected) {
    const box = this.page.locator(".quick-input-widget:visible input.input");
    await box.waitFor();
    await this.page.locator(".quick-input-list .monaco-list-row").first().waitFor();
    await box.fill(text);
    const row = this.page.locator(".quick-input-list .monaco-list-row").first();
    await this.until(`${expected} in the list`, async () => (await row.textContent())?.includes(expected));
    await this.shoot(`list-${expected}`);
    await this.press("Enter");
  }

  // The line with the yellow arrow, from the call stack's innermost frame. `after`: wait until it is another one.
  async stoppedLine({ after } = {}) {
    await this.page.waitForSelector(".debug-top-stack-frame-line", { state: "attached", timeout: 60_000 });
    const frames = await this.until("another line", async () => {
      const seen = await this.callStack();
      return seen.length > 0 && seen[0].line !== after ? seen : undefined;
    });
    return frames[0].line;
  }

  // The frames from the selected one outwards, as the list shows them (the order of its rows in the page is another).
  async callStack() {
    return this.page.locator(".debug-call-stack .monaco-list-row").evaluateAll((rows) => {
      rows.sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top);
      const selected = rows.findIndex((row) => row.classList.contains("selected"));
      const frames = [];
      for (const row of rows.slice(Math.max(selected, 0))) {
        const frame = row.querySelector(".stack-frame");
        if (frame === null && frames.length > 0) break; // the next thread
        if (frame === null) continue;
        frames.push({
          name: frame.querySelector(".label")?.textContent ?? "",
          file: frame.querySelector(".file-name")?.textContent ?? "",
          line: Number((frame.querySelector(".line-number")?.textContent ?? "").split(":")[0]),
        });
      }
      return frames;
    });
  }

  async expandScope(name) {
    const row = this.page.locator(".debug-variables .monaco-list-row", { has: this.page.locator(`.scope:has-text("${name}")`) }).first();
    await row.waitFor({ timeout: 5000 });
    if ((await row.getAttribute("aria-expanded")) === "false") await row.locator(".monaco-tl-twistie").click();
  }

  async expandVariable(name) {
    const row = this.page.locator(`.debug-variables .monaco-list-row[aria-label^="${name}"]`).first();
    await row.waitFor();
    if ((await row.getAttribute("aria-expanded")) !== "true") await row.locator(".monaco-tl-twistie").click();
    await this.until(`${name} is open`, async () => (await row.getAttribute("aria-expanded")) === "true");
    await this.page.waitForFunction(() => document.querySelectorAll(".debug-variables .monaco-list-row[aria-level='3']").length > 0);
  }

  // name -> value, of all rows that are visible.
  variables() {
    return this.until("variables", async () => {
      const all = await this.page.locator(".debug-variables .monaco-list-row .expression").evaluateAll((rows) =>
        rows.map((row) => [
          (row.querySelector(".name")?.textContent ?? "").replace(/\s*[:=]?\s*$/, ""),
          row.querySelector(".value")?.textContent ?? "",
        ]),
      );
      return all.length > 0 ? Object.fromEntries(all) : undefined;
    });
  }

  // Types into the debug console and gives the text of its last lines.
  async evaluate(expression) {
    await this.command("Debug Console: Focus on Debug Console View");
    await this.page.locator(".repl-input-wrapper .monaco-editor.focused").waitFor();
    await this.page.keyboard.type(expression);
    await this.press("Enter");
    const rows = this.page.locator(".repl .monaco-list-row");
    return this.until("an answer in the console", async () => {
      const texts = await rows.allTextContents();
      const asked = texts.findLastIndex((text) => text.includes(expression));
      return asked >= 0 && texts.length > asked + 1 ? texts.slice(asked + 1).join("\n") : undefined;
    });
  }

  // Adds an expression to the watch view.
  async watch(expression) {
    await this.page.locator(".pane-header", { hasText: "Watch" }).first().hover();
    await this.page.locator(".pane-header [aria-label='Add Expression']").first().click();
    const box = this.page.locator(".debug-watch .inputBoxContainer input");
    await box.waitFor();
    await box.fill(expression);
    await this.press("Enter");
    await box.waitFor({ state: "hidden" });
  }

  // expression -> value or error
  async watches() {
    const all = await this.page.locator(".debug-watch .monaco-list-row .expression").evaluateAll((rows) =>
      rows.map((row) => [
        (row.querySelector(".name")?.textContent ?? "").replace(/\s*[:=]?\s*$/, ""),
        row.querySelector(".value")?.textContent ?? "",
      ]),
    );
    return Object.fromEntries(all);
  }

  // The box below a line: a condition, or a log point's text.
  async breakpointWidget(command, text) {
    await this.command(command);
    await this.page.locator(".breakpoint-widget .monaco-editor.focused").waitFor();
    await this.page.keyboard.type(text);
    if (await this.page.locator(".suggest-widget.visible").isVisible()) await this.press("Escape"); // Enter would take a suggestion
    await this.press("Enter");
    await this.page.locator(".breakpoint-widget").waitFor({ state: "detached" });
  }

  // What VS Code complains of in its corner; its own advice is no complaint.
  async complaints() {
    const toasts = this.page.locator(".notification-toast", { has: this.page.locator(".codicon-error, .codicon-warning") });
    return toasts.locator(".notification-list-item-message").allTextContents();
  }

  async dialogHas(pattern) {
    const dialog = this.page.locator(".monaco-dialog-box");
    await dialog.waitFor();
    await this.until(`${pattern} in a dialog`, async () => pattern.test((await dialog.textContent()) ?? ""));
    await this.press("Escape");
    await dialog.waitFor({ state: "detached" });
  }

  // The configuration that F5 starts, as the status bar says it. VS Code takes the only one there is by itself.
  async hasConfiguration(name) {
    const item = this.page.locator(".statusbar-item#status\\.debug");
    await this.until(`the configuration ${name}`, async () => (await item.textContent())?.includes(name));
  }

  async consoleHas(pattern) {
    await this.command("Debug Console: Focus on Debug Console View");
    await this.until(`${pattern} in the console`, async () => pattern.test((await this.page.locator(".repl .monaco-list-row").allTextContents()).join("\n")));
  }

  async removeAllBreakpoints() {
    await this.command("Remove All Breakpoints");
    await this.page.waitForSelector(".margin .codicon-debug-breakpoint", { state: "detached" });
  }

  async terminalHas(pattern) {
    await this.command("Terminal: Focus on Terminal View"); // its rows are in the page only while it is shown
    const rows = this.page.locator(".xterm-rows > div");
    await this.until(`${pattern} in the terminal`, async () => pattern.test((await rows.allTextContents()).map((t) => t.replace(/\u00a0/g, " ").trimEnd()).join("\n")));
  }

  async sessionEnded() {
    await this.page.waitForSelector(".debug-toolbar", { state: "hidden" });
    await this.page.waitForSelector(".debug-top-stack-frame-line", { state: "detached" });
  }
}
