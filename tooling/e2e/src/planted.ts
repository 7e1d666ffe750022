import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  lchownSync,
  linkSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { serverUser } from "@soar-tooling/test-bench";
import { DATA_DIRECTORY, type DebianHost } from "./debian-host.ts";

/** Everything in which the server's user makes names on a Debian machine, the tablespace of the test included. */
export const THEIRS: readonly string[] = [
  "/etc/postgresql",
  "/var/lib/postgresql",
  "/var/log/postgresql",
  "/run/postgresql",
  "/var/lib/soar",
  "/var/log/soar",
  "/srv/fast",
];

/** What root has, and nobody else any business with. `planted` in its directory is not there. */
export const ROOTS = {
  file: "/srv/root/secret",
  directory: "/srv/root/directory",
  nothing: "/srv/root/directory/planted",
};
export const SECRET = "what only root may read";

/** What a test asks for. */
export const OUTPUT = "/tmp/rows";

/** Of the machine and of this repository, which cannot be written to, and what shows processes. */
const NOT_OF_THE_HOST = new Set(["/proc", "/dev", "/usr", "/mnt", "/srv/kept"]);

/** Owners, modes, times and bytes of everything on the machine that is not the server's user's. */
export function digestOutside(host: DebianHost): string[] {
  const lines: string[] = [];
  const walk = (path: string, device: number): void => {
    if (path === OUTPUT || THEIRS.includes(path) || NOT_OF_THE_HOST.has(path)) return;
    const found = lstatSync(host.path(path));
    if (found.dev !== device) return;
    const { uid, gid, mode, mtimeMs } = found;
    // Names are made in these by tests, and beside a tablespace by a restore, which the server's user may do in neither.
    const isShared = ["/", "/tmp", "/srv"].includes(path);
    const own = [path, uid, gid, mode.toString(8), isShared ? "" : mtimeMs];
    if (found.isSymbolicLink()) lines.push([...own, readlinkSync(host.path(path))].join(" "));
    else if (found.isFile())
      lines.push(
        [
          ...own,
          createHash("sha256")
            .update(readFileSync(host.path(path)))
            .digest("hex"),
        ].join(" "),
      );
    else lines.push(own.join(" "));
    if (found.isDirectory())
      for (const name of readdirSync(host.path(path)).sort())
        if (!(path === "/srv" && name.startsWith("fast."))) walk(join(path, name), device);
  };
  walk("/", lstatSync(host.path("/")).dev);
  return lines;
}

export type Kind =
  | "a link to a file"
  | "a link to a directory"
  | "a link to nothing"
  | "another name of a file"
  | "a pipe";

const MAKERS: Readonly<Record<Kind, (host: DebianHost, path: string) => void>> = {
  "a link to a file": (_, path) => symlinkSync(ROOTS.file, path),
  "a link to a directory": (_, path) => symlinkSync(ROOTS.directory, path),
  "a link to nothing": (_, path) => symlinkSync(ROOTS.nothing, path),
  "another name of a file": (host, path) => linkSync(host.path(ROOTS.file), path),
  "a pipe": (_, path) => void spawnSync("mkfifo", [path]),
};

/** Names that programs of ours look for or make, somewhere; each is planted everywhere. */
const OURS =
  "soar-restore restore.json soar-kept.json certificates main.log lock backup.log counters.json facts.json recovery.signal standby.signal backup_label tablespace_map current_logfiles postgresql.auto.conf postmaster.pid 000000010000000000000099 00000009.history".split(
    " ",
  );

/** Puts one of this kind in every directory of the server's user, and in place of its files outside of data directories. */
export function plantEverywhere(host: DebianHost, kind: Kind): Set<string> {
  const planted = new Set<string>();
  for (const directory of THEIRS.flatMap((path) => directoriesIn(host, path))) {
    const isData = directory.startsWith(DATA_DIRECTORY) || directory.startsWith("/srv");
    const present = readdirSync(host.path(directory), { withFileTypes: true });
    const names = new Set([...OURS, ...present.filter((one) => !isData && !one.isDirectory()).map(({ name }) => name)]);
    for (const name of names) {
      const place = join(directory, name);
      const found = lstatSync(host.path(place), { throwIfNoEntry: false });
      // The server reads everything of this name there; without its configuration there is no cluster.
      if (directory.startsWith("/etc") && (name.endsWith(".conf") || name === "environment")) continue;
      if (found?.isDirectory() === true || (found !== undefined && isData)) continue;
      // Debian's own program waits for somebody who reads the server's log.
      if (kind === "a pipe" && found !== undefined && directory === "/var/log/postgresql") continue;
      rmSync(host.path(place), { force: true });
      MAKERS[kind](host, host.path(place));
      if (kind !== "another name of a file") lchownSync(host.path(place), serverUser().uid, serverUser().gid);
      planted.add(place);
    }
  }
  return planted;
}

/** As an operator does who is told of it: what was planted goes, and what was there before comes back. */
export function putRight(host: DebianHost, place: string): void {
  rmSync(host.path(place));
  const kept = host.path(join("/srv/kept", place));
  if (existsSync(kept)) spawnSync("cp", ["-a", kept, host.path(place)]);
}

function directoriesIn(host: DebianHost, path: string): string[] {
  return [
    path,
    ...readdirSync(host.path(path), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap(({ name }) => directoriesIn(host, join(path, name))),
  ];
}
