// Runs the cases and ends with the line that packaging/test.sh counts.
//
//   TRAPLINED=path FIXTURES=folder node run.js [--grep TEXT | --bail]
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const Mocha = require("mocha");
const subject = require("./lib/subject");
const { stopDaemon } = require("./lib/world");

subject.build(process.env.FIXTURES);
const mocha = new Mocha({ timeout: 20_000, reporter: "spec", color: false });
if (process.argv[2] === "--grep") mocha.grep(process.argv[3]);
else if (process.argv[2] === "--bail") mocha.bail(true);
for (const file of fs.readdirSync(path.join(__dirname, "test")).sort())
  if (file.endsWith(".test.js")) mocha.addFile(path.join(__dirname, "test", file));
mocha.rootHooks({ afterAll: stopDaemon });
const runner = mocha.run(() => {
  const { passes, failures, pending } = runner.stats;
  console.log(`${passes} passed, ${failures} failed${pending > 0 ? `, ${pending} skipped` : ""}`);
  process.exit(failures > 0 ? 1 : 0);
});
