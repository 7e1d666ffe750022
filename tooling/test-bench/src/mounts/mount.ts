import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serverUser } from "../programs/server-user.ts";

/** A directory on which a file system is mounted, until it is disposed of. */
export interface Mounted extends Disposable {
  readonly path: string;
}

/** An empty file system of this size in memory, of the server's user. Undefined where nothing can be mounted: see `mount`. */
export function mountSmallDisk(mebibytes: number): Mounted | undefined {
  const path = mkdtempSync(join(tmpdir(), "soar-disk-"));
  const { uid, gid } = serverUser();
  const mounted = mount(
    ["-t", "tmpfs", "-o", `size=${mebibytes}m,uid=${uid},gid=${gid},mode=700`, "tmpfs", path],
    path,
  );
  if (mounted === undefined) rmSync(path, { recursive: true });
  return (
    mounted && {
      path,
      [Symbol.dispose]() {
        mounted[Symbol.dispose]();
        rmSync(path, { recursive: true });
      },
    }
  );
}

/** Makes a directory a mount point, with all that it holds, on the file system where it lies. Undefined as for `mountSmallDisk`. */
export function mountUponItself(path: string): Mounted | undefined {
  return mount(["--bind", path, path], path);
}

/**
 * Root can, and whom sudo asks nothing, as on GitHub's machines. Anybody else is told that something was not tested, because
 * only the kernel can play a file system.
 */
function mount(args: readonly string[], path: string): Mounted | undefined {
  const asRoot =
    process.getuid?.() === 0 ? [] : spawnSync("sudo", ["-n", "true"]).status === 0 ? ["sudo", "-n"] : undefined;
  if (asRoot === undefined) {
    process.stderr.write("neither root nor sudo without a password: nothing was tested on a mounted file system\n");
    return undefined;
  }
  const run = (
    ...[program = "", ...words]: readonly string[]
  ): { readonly status: number | null; readonly stderr: string } => spawnSync(program, words, { encoding: "utf8" });
  const { status, stderr } = run(...asRoot, "mount", ...args);
  if (status !== 0) throw new Error(`mount ${args.join(" ")}: ${stderr}`);
  return { path, [Symbol.dispose]: () => void run(...asRoot, "umount", "--lazy", path) };
}
