// Loaded into soar-restore with `node --import`: notes what each fsync made durable, and compares it with what is there at the
// moment in which pg_control gets its name, after which a server may be started. Environment: SOAR_SYNC_ROOTS are the
// directories to compare, SOAR_SYNC_REPORT gets the paths that would not survive a loss of power, with the reason.
import { createHash } from "node:crypto";
import fs, { lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync, writeFileSync } from "node:fs";
import fsPromises, { type FileHandle } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { basename, dirname, join, relative } from "node:path";

const ROOTS = (process.env["SOAR_SYNC_ROOTS"] ?? "").split(":");
const REPORT = process.env["SOAR_SYNC_REPORT"] ?? "";
/** What a path was when it was last synced: a digest of a file's content, or the names in a directory. */
const durable = new Map<string, string>();

function stateOf(path: string): string {
  const found = lstatSync(path);
  if (found.isDirectory()) return `names ${readdirSync(path).sort().join("/")}`;
  return `content ${createHash("sha256").update(readFileSync(path)).digest("hex")}`;
}

function noteSync({ fd }: Pick<FileHandle, "fd">): void {
  const path = readlinkSync(`/proc/self/fd/${fd}`);
  durable.set(path, stateOf(path));
}

/** A renamed file takes along what was synced of it; the names are the directory's own matter. */
function noteRename(from: string, to: string): void {
  const state = durable.get(from);
  durable.delete(from);
  if (state === undefined) durable.delete(to);
  else durable.set(to, state);
}

function lost(path: string): string[] {
  const found = lstatSync(path);
  // A socket is a lock of the living process, and holds nothing.
  if (found.isSymbolicLink() || found.isSocket()) return [];
  const problem = !durable.has(path)
    ? "never synced"
    : durable.get(path) === stateOf(path)
      ? undefined
      : "changed since it was synced";
  const below = found.isDirectory() ? readdirSync(path).flatMap((name) => lost(join(path, name))) : [];
  return problem === undefined ? below : [`${path}: ${problem}`, ...below];
}

/** The directory's own name is in the one above it. */
function lostName(root: string): string[] {
  const names = durable.get(dirname(root)) ?? "";
  return names
    .slice("names ".length)
    .split("/")
    .includes(relative(dirname(root), root))
    ? []
    : [`${root}: its name was never synced`];
}

const probe = await fsPromises.open("/", "r");
const prototype = Object.getPrototypeOf(probe) as FileHandle;
await probe.close();
for (const method of ["sync", "datasync"] as const) {
  const original = prototype[method];
  prototype[method] = async function observed(this: FileHandle) {
    noteSync(this);
    await original.call(this);
  };
}
const { fsync } = fs;
fs.fsync = Object.assign((fd: number, done: fs.NoParamCallback) => {
  noteSync({ fd });
  fsync(fd, done);
}, fsync);
const { rename } = fsPromises;
fsPromises.rename = async (source, target) => {
  const [from, to] = [pathOf(String(source)), pathOf(String(target))];
  if (to.endsWith("/global/pg_control"))
    writeFileSync(
      REPORT,
      JSON.stringify({ lost: ROOTS.flatMap((root) => [...lostName(root), ...lost(root)]), synced: durable.size }),
    );
  await rename(from, to);
  noteRename(from, to);
};

/** Names are reached through descriptors of their directories. */
function pathOf(path: string): string {
  return join(realpathSync(dirname(path)), basename(path));
}
syncBuiltinESMExports();
