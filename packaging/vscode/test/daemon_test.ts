import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { after, test } from "node:test";
import { DaemonError, answers, defaultSocket, ensureDaemon } from "../src/daemon";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "trapline-ext-"));
after(() => fs.rmSync(folder, { recursive: true }));

function script(name: string, text: string): string {
  const file = path.join(folder, name);
  fs.writeFileSync(file, text, { mode: 0o755 });
  return file;
}

const options = (socket: string, candidates: string[]) => ({
  socket: path.join(folder, socket),
  candidates,
  idleExitSeconds: 7,
  logLevel: "warn",
  onLog: () => undefined,
});

test("the default socket follows the daemon's rule", () => {
  assert.equal(defaultSocket({ XDG_RUNTIME_DIR: "/run/user/5" }), "/run/user/5/trapline/trapline.sock");
  assert.equal(defaultSocket({}), `/tmp/trapline-${os.userInfo().uid}/trapline.sock`);
  assert.equal(defaultSocket({ TRAPLINE_SOCKET: "unix:/x/y.sock", XDG_RUNTIME_DIR: "/z" }), "/x/y.sock");
});

test("a daemon that listens already is used and none is started", async () => {
  const o = options("there.sock", []);
  const server = net.createServer().listen(o.socket);
  await new Promise((ready) => server.once("listening", ready));
  assert.equal(await ensureDaemon(o), undefined);
  server.close();
});

test("the first executable candidate is started with the socket and the idle time", async () => {
  const notExecutable = path.join(folder, "plain");
  fs.writeFileSync(notExecutable, "");
  const daemon = script("good", `#!/bin/sh\necho "$@" > ${folder}/args\necho "listening on unix:x"\n`);
  assert.equal(await ensureDaemon(options("started.sock", ["/nowhere/traplined", notExecutable, daemon])), daemon);
  assert.equal(
    fs.readFileSync(path.join(folder, "args"), "utf8").trim(),
    `--listen unix:${folder}/started.sock --idle-exit 7 --log-level warn`,
  );
});

test("no daemon anywhere names the setting", async () => {
  await assert.rejects(ensureDaemon(options("none.sock", ["/nowhere/traplined"])), (error: unknown) => {
    assert.ok(error instanceof DaemonError && error.missing);
    assert.match(error.message, /\/nowhere\/traplined.*trapline\.daemonPath/);
    return true;
  });
});

test("a daemon that ends at once is told with its own last words", async () => {
  const daemon = script("bad", '#!/bin/sh\necho "address in use" >&2\nexit 3\n');
  await assert.rejects(ensureDaemon(options("bad.sock", [daemon])), /exit code 3.*address in use/);
});

test("a daemon that says nothing is ended after the time it was given", async () => {
  const daemon = script("silent", "#!/bin/sh\nexec sleep 60\n");
  await assert.rejects(ensureDaemon({ ...options("silent.sock", [daemon]), startTimeoutMs: 200 }), /did not start listening/);
});

test("a socket that another window's daemon took meanwhile is used", async () => {
  const o = options("race.sock", []);
  const server = net.createServer();
  // The candidate fails as the loser of the race does, after the winner began to listen.
  const loser = script("loser", `#!/bin/sh\ntouch ${folder}/go\nwhile ! [ -S ${o.socket} ]; do :; done\nexit 1\n`);
  const watch = setInterval(() => {
    if (!fs.existsSync(path.join(folder, "go"))) return;
    clearInterval(watch);
    server.listen(o.socket);
  }, 5);
  assert.equal(await ensureDaemon({ ...o, candidates: [loser] }), undefined);
  assert.ok(await answers(o.socket));
  server.close();
});
