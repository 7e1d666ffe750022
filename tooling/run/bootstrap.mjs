#!/usr/bin/env node
// The one door to `npm run demo`, `npm test` and `npm run bench`. It runs on the Node that the machine has (20 or
// newer) before anything is installed, so it is plain JavaScript and imports nothing but Node itself.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { InstallFailure, installWorkspace } from "./install.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const OLDEST_NODE = 20;

/** Runs the task on the workspace's own Node and resolves to its exit status. */
function runTask(task, args) {
  const bin = join(root, "node_modules", ".bin");
  const child = spawn(
    join(bin, "node"),
    ["--conditions=soar-source", join(root, "tooling", "run", "src", "main.ts"), task, ...args],
    {
      cwd: root,
      stdio: "inherit",
      env: { ...process.env, PATH: [bin, process.env.PATH].filter(Boolean).join(delimiter) },
    },
  );
  // Ctrl-C reaches the whole foreground group, the task included: it alone decides how to end. A SIGTERM reaches
  // only this process, so it is passed on.
  process.on("SIGINT", () => {});
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (status, signal) => resolve(status ?? 128 + (constants.signals[signal] ?? 0)));
  });
}

async function main([task, ...args]) {
  if (task === undefined)
    throw new InstallFailure("no task was named", "Run `npm test`, `npm run demo` or `npm run bench`.");
  if (Number(process.versions.node.split(".")[0]) < OLDEST_NODE) {
    throw new InstallFailure(
      `unable to run on Node ${process.versions.node}: Node ${OLDEST_NODE} is the oldest that works`,
      "Install a newer Node from https://nodejs.org; the project then fetches its own Node 24.",
    );
  }
  await installWorkspace(root);
  return await runTask(task, args);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = 1;
  if (error instanceof InstallFailure) {
    process.stderr.write(`error: ${error.message}\nhint: ${error.hint}\n`);
  } else {
    process.stderr.write(`${error.stack}\n`);
  }
}
