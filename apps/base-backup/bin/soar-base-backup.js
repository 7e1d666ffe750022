#!/usr/bin/env -S node --
// `node --`, because Node otherwise takes `--env-file` for its own even behind the script: it ends with 9 for a missing
// file and obeys NODE_OPTIONS in a present one (https://github.com/nodejs/node/issues/54232).
// Loads the bundle, and says what to do when there is none. Status 70 lies within the 1..125 that PostgreSQL counts.
try {
  if (Number(process.versions.node.split(".")[0]) < 24) {
    throw new Error(`Node ${process.versions.node} is too old: Node 24 or newer is needed`);
  }
  await import("../dist/main.js");
} catch (error) {
  const missing = error?.code === "ERR_MODULE_NOT_FOUND" && String(error.message).includes("main.js'");
  process.stderr.write(
    `soar-base-backup: unable to run: ${missing ? "dist/main.js is missing" : (error?.stack ?? error)}\n`,
  );
  if (missing)
    process.stderr.write("hint: Install the package again; in a checkout, build with `npx turbo run build`.\n");
  process.exit(70);
}
