import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serverUser } from "../programs/server-user.ts";

/** A directory on which a file system is mounted, until it is disposed of. */
export interface Mounted extends Disposable {
  readonly path: string;
}

/** An empty file system of this size in memory, of the server's user. Throws where nothing can be mounted: see `requires("mount")`. */
export function mountSmallDisk(mebibytes: number): Mounted {
  const path = mkdtempSync(join(tmpdir(), "soar-disk-"));
  const { uid, gid } = serverUser();
  const remove = (): void => rmSync(path, { recursive: true });
  try {
    const mounted = mount(
      ["-t", "tmpfs", "-o", `size=${mebibytes}m,uid=${uid},gid=${gid},mode=700`, "tmpfs", path],
      path,
    );
    return {
      path,
      [Symbol.dispose]() {
        mounted[Symbol.dispose]();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}

/**
 * A file system that never answers: a FUSE one whose server does not even greet. Whoever looks at a path in it waits until it is
 * disposed of, as on a network mount whose server is gone. Throws as `mountSmallDisk`: see `requires("fuse")`.
 */
export function mountHung(): Mounted {
  const path = mkdtempSync(join(tmpdir(), "soar-hung-"));
  const server = openSync("/dev/fuse", "r+");
  const remove = (): void => rmdirSync(path);
  try {
    const mounted = mount(
      ["-i", "-t", "fuse", "-o", "fd=3,rootmode=40000,user_id=0,group_id=0,allow_other", "hung", path],
      path,
      server,
    );
    return {
      path,
      [Symbol.dispose]() {
        // Who waits is told that nobody is there any more.
        closeSync(server);
        mounted[Symbol.dispose]();
        remove();
      },
    };
  } catch (error) {
    closeSync(server);
    remove();
    throw error;
  }
}

/** Why no hung file system can be mounted on this machine, if so. */
export function findFuseLack(): string | undefined {
  try {
    mountHung()[Symbol.dispose]();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.trim() : String(error);
  }
}

/** Makes a directory a mount point, with all that it holds, on the file system where it lies. Throws as `mountSmallDisk`. */
export function mountUponItself(path: string): Mounted {
  return mount(["--bind", path, path], path);
}

/** Why nothing can be mounted on this machine, if so. Found by mounting: root in a container may not have the right. */
export function findMountLack(): string | undefined {
  try {
    mountSmallDisk(1)[Symbol.dispose]();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.trim() : String(error);
  }
}

/**
 * Root can, and whom sudo asks nothing, as on GitHub's machines; only the kernel can play a file system. `server` is descriptor 3
 * of the command.
 */
function mount(args: readonly string[], path: string, server?: number): Mounted {
  const asRoot = process.getuid?.() === 0 ? [] : ["sudo", "-n"];
  const run = (
    ...[program = "", ...words]: readonly string[]
  ): { readonly status: number | null; readonly stderr: string | null; readonly error?: Error } =>
    spawnSync(program, words, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe", ...(server === undefined ? [] : [server])],
    });
  const { status, stderr, error } = run(...asRoot, "mount", ...args);
  if (status !== 0)
    throw new Error(
      `unable to mount a file system, which takes root, or sudo without a password: ${error?.message ?? stderr}`,
    );
  return { path, [Symbol.dispose]: () => void run(...asRoot, "umount", "--lazy", path) };
}
