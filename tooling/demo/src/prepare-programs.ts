import { spawnSync } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, realpath, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { serverUser } from "@soar-tooling/test-bench";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** The built programs by the name that users type, with the folder of their app. */
const PROGRAMS = {
  "soar-wal-archive": "wal-archiver",
  "soar-base-backup": "base-backup",
  "soar-restore": "restore-cli",
} as const;

export type ProgramName = keyof typeof PROGRAMS;

export interface Programs extends AsyncDisposable {
  /** To stand first on PATH: has the programs, and the Node that runs them. */
  readonly binDir: string;
}

/**
 * The programs as the workspace has them in `node_modules/.bin`, when the server's user can run them there; else a copy. A
 * checkout in the home directory of root, which nobody else may enter, is the usual reason.
 */
export async function preparePrograms(): Promise<Programs> {
  const installed = join(ROOT, "node_modules", ".bin");
  if (whyUnusable(installed) === undefined)
    return { binDir: installed, [Symbol.asyncDispose]: () => Promise.resolve() };
  const directory = await mkdtemp(join(tmpdir(), "soar-demo-programs-"));
  const dispose = (): Promise<void> => rm(directory, { recursive: true, force: true });
  try {
    const binDir = await copyPrograms(directory);
    const problem = whyUnusable(binDir);
    if (problem !== undefined)
      throw new Error(`unable to run the programs of the workspace as user '${serverUser().name}': ${problem}`);
    return { binDir, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Proved by running each of them as the user who will: an unreadable parent directory, a missing build and a missing Node all show. */
function whyUnusable(binDir: string): string | undefined {
  const { uid, gid } = serverUser();
  for (const name of Object.keys(PROGRAMS)) {
    const { status, stderr, error } = spawnSync(join(binDir, name), ["--version"], {
      uid,
      gid,
      cwd: "/",
      env: { PATH: `${binDir}:/usr/bin:/bin` },
      encoding: "utf8",
    });
    if (status !== 0) return `${name}: ${error?.message ?? stderr.trim()}`;
  }
  return undefined;
}

async function copyPrograms(directory: string): Promise<string> {
  await chmod(directory, 0o755);
  const binDir = join(directory, "bin");
  await mkdir(binDir);
  await cp(process.execPath, join(binDir, "node"));
  for (const [name, app] of Object.entries(PROGRAMS)) {
    const [from, to] = [join(ROOT, "apps", app), join(directory, "apps", app)];
    for (const part of ["bin", "dist", "package.json"]) await cp(join(from, part), join(to, part), { recursive: true });
    await symlink(join(to, "bin", `${name}.js`), join(binDir, name));
  }
  await copyNativeCode(directory);
  return binDir;
}

/** What bundles leave outside: the package and, beside it, the binary for this platform. */
async function copyNativeCode(directory: string): Promise<void> {
  const crc32 = await realpath(join(ROOT, "apps", PROGRAMS["soar-wal-archive"], "node_modules", "@node-rs", "crc32"));
  await cp(dirname(crc32), join(directory, "node_modules", "@node-rs"), { recursive: true, dereference: true });
}
