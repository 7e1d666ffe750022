#!/usr/bin/env node
// Loads the bundle. As restore_command, status 1 tells PostgreSQL that the archive ends here and recovery may finish,
// and 1 is what Node exits with when a file cannot be loaded: a broken installation would lose data in silence.
// So every failure to load ends with 126, which stops recovery.
const failed = process.argv.includes("wal-fetch") ? 126 : 70;

try {
  if (Number(process.versions.node.split(".")[0]) < 24) {
    throw new Error(`Node ${process.versions.node} is too old: Node 24 or newer is needed`);
  }
  await import("../dist/main.js");
} catch (error) {
  const missing = error?.code === "ERR_MODULE_NOT_FOUND" && String(error.message).includes("main.js'");
  process.stderr.write(`soar-restore: unable to start: ${missing ? "dist/main.js is missing" : (error?.stack ?? error)}\n`);
  if (missing) process.stderr.write("hint: Install the package again; in a checkout, build with `npx turbo run build`.\n");
  process.exit(failed);
}
