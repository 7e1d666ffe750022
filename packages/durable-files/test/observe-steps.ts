// Loaded into a process with `node --import`: notes every step that it takes on the file system, in order, and kills the process
// before the one with the number SOAR_KILL_BEFORE. The notes go to standard output as they are made.
import { writeSync } from "node:fs";
import fsPromises, { type FileHandle } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

const KILL_BEFORE = Number(process.env["SOAR_KILL_BEFORE"] ?? Number.POSITIVE_INFINITY);
let steps = 0;

function take(name: string): void {
  steps += 1;
  if (steps === KILL_BEFORE) process.kill(process.pid, "SIGKILL");
  writeSync(1, `${name}\n`);
}

type Step = (...args: unknown[]) => Promise<unknown>;

function observe(target: object, names: readonly string[]): void {
  const methods = target as Record<string, Step>;
  for (const name of names) {
    const original = methods[name];
    if (original === undefined) throw new Error(`there is no '${name}'`);
    methods[name] = async function observed(this: unknown, ...args: unknown[]) {
      take(name);
      return await original.apply(this, args);
    };
  }
}

const probe = await fsPromises.open("/", "r");
observe(Object.getPrototypeOf(probe) as FileHandle, ["writeFile", "sync", "chmod", "chown"]);
await probe.close();
observe(fsPromises, ["open", "rename", "link", "unlink", "rm", "symlink", "mkdir"]);
syncBuiltinESMExports();
