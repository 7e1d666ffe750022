import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { findChromium } from "../browser/headless-chromium.ts";
import { findFuseLack, findMountLack } from "../mounts/mount.ts";
import type { NeedProbe } from "./requires.ts";
import { findZlibSyncLack } from "./zlib-sync.ts";

const SYSTEMD_PROGRAMS = ["systemd-analyze", "systemd-socket-activate", "systemd-notify"];

const DEBIAN_PROGRAMS = ["pg_createcluster", "unshare", "nsenter", "setpriv"];

function findDebianLack(): string | undefined {
  const missing = DEBIAN_PROGRAMS.filter((name) => !existsSync(`/usr/bin/${name}`));
  if (missing.length > 0) return `there is no ${missing.join(", ")} (Debian: packages postgresql, util-linux)`;
  const { status, stderr } = spawnSync("unshare", ["--mount", "--pid", "--fork", "true"], { encoding: "utf8" });
  return status === 0 ? undefined : `no namespaces can be made: ${stderr.trim()}`;
}

/** Everything but PostgreSQL, whose needs @soar-tooling/postgres-clusters has. */
export const MACHINE_NEEDS: readonly NeedProbe[] = [
  {
    need: "root",
    description: "files of several users: only root can make them",
    findLack: () => (process.getuid?.() === 0 ? undefined : "the tests do not run as root"),
  },
  {
    need: "mount",
    description: "file systems of a test's own: root, or a sudo that asks nothing, and the right to mount",
    findLack: findMountLack,
  },
  {
    need: "fuse",
    description: "a file system that hangs: /dev/fuse and the right to mount",
    findLack: findFuseLack,
  },
  {
    need: "systemd",
    description: "systemd's programs that judge units and listen as it does; it need not run",
    findLack() {
      const missing = SYSTEMD_PROGRAMS.filter((name) => !existsSync(`/usr/bin/${name}`));
      return missing.length === 0 ? undefined : `there is no ${missing.join(", ")} (Debian: package systemd)`;
    },
  },
  {
    need: "debian",
    description: "a Debian machine of a test's own: postgresql-common, and the right to make namespaces",
    findLack: findDebianLack,
  },
  {
    need: "chromium",
    description: "a browser that reads a page as people do",
    findLack: () => (findChromium() === undefined ? "there is no Chromium (Debian: package chromium)" : undefined),
  },
  {
    need: "zlib-sync",
    description: "another zlib, built with a compiler, that reads what we write",
    findLack: findZlibSyncLack,
  },
];
