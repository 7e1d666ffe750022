#!/usr/bin/env -S node --
// Written by `pnpm check --write` from tooling/release/src/program-guard.ts.
// `node --`, because Node otherwise takes `--env-file` for its own even after the script: it ends with 9 for a missing
// file and obeys NODE_OPTIONS in a present one (https://github.com/nodejs/node/issues/54232).
import { existsSync } from "node:fs";

function asksAgain() {
  if (process.argv.some((word) => word.startsWith("--plan"))) return false;
  return process.argv.some((word) => /^--standby(?:=|$)/.test(word)) || existsSync("standby.signal");
}

// Loads the bundle, and says what to do when there is none. Status 70 is the answer until the program itself sets another:
// a bundle that is cut short ends with 0 otherwise, one that throws with 1, one that never settles with 13.
// As restore_command, statuses 0 and 1..125 all let recovery go on or end as if the archive ended here: a broken
// installation would lose data in silence. So `wal-fetch` ends with 126, which stops recovery, unless the program itself
// sets another status, 0 included. A standby asks again instead, and would be ended by it.
const failed = process.argv.includes("wal-fetch") ? (asksAgain() ? 1 : 126) : 70;

function fail(error) {
  const missing = error?.code === "ERR_MODULE_NOT_FOUND" && String(error.message).includes("main.js'");
  process.stderr.write(
    `soar-restore: unable to run: ${missing ? "dist/main.js is missing" : (error?.stack ?? error)}\n`,
  );
  if (missing)
    process.stderr.write("hint: Install the package again; in a checkout, build with `npx turbo run build`.\n");
  process.exit(failed);
}

process.exitCode = failed;
// The program's own handler, once there is one, knows which secrets to hide and prints in the form of the log.
process.on("uncaughtException", (error) => {
  if (process.listenerCount("uncaughtException") === 1) fail(error);
});
try {
  if (Number(process.versions.node.split(".")[0]) < 24) {
    throw new Error(`Node ${process.versions.node} is too old: Node 24 or newer is needed`);
  }
  await import("../dist/main.js");
} catch (error) {
  fail(error);
}
