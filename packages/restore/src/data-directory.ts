import { readdir, stat, statfs } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  lstatIfPresent,
  makeDirectory,
  meansAbsent,
  type Owner,
  readIfPresent,
  readLinkIfPresent,
  readTextIfPresent,
  statIfPresent,
  type Within,
} from "@soar/durable-files";
import { hasErrorCode, isSoarError, messageOf, SoarError } from "@soar/errors";
import { readClusterState } from "@soar/pg-tools/cluster";
import { readControlFile } from "@soar/pg-tools/control-file";
import { isFile } from "./is-file.ts";

/** Where a restore keeps its plan and its log. While pg_control is not there yet, it marks a directory that was not filled to the end. */
export const RESTORE_STATE_DIRECTORY = "soar-restore";

const OWNER_HINT = "Run as the owner of the data directory or as root.";

export type DataDirectoryState =
  | { readonly state: "absent" }
  | { readonly state: "empty" }
  /** An earlier restore did not finish here. */
  | { readonly state: "interrupted" }
  /** The system identifier is undefined when there is no pg_control to read it from. */
  | {
      readonly state: "running";
      readonly processId: number;
      readonly systemIdentifier: string | undefined;
      readonly postgresMajor: number | undefined;
    }
  | { readonly state: "cluster"; readonly systemIdentifier: string; readonly postgresMajor: number }
  /** A cluster that lost its pg_control, or whose pg_control is damaged. */
  | { readonly state: "remains"; readonly postgresMajor: number }
  | { readonly state: "other"; readonly example: string };

/** Links that lead to links lead on by chance or by mistake; the kernel follows as many. */
const MOST_LINKS = 40;

/**
 * Where a data directory really lies: a path that is a link is followed, also to what is not there at the moment, because a
 * restore has put it aside. Links above it stay in the path. Everything that is renamed or kept of it lies there, beside it,
 * and the link itself stays what it is.
 */
export async function realDataDirectory(path: string): Promise<string> {
  let place = path;
  for (let links = 0; links < MOST_LINKS; links += 1) {
    const to = await readLinkIfPresent(place);
    if (to === undefined) return place;
    place = resolve(dirname(place), to);
  }
  throw new SoarError("FILE_UNREADABLE", `unable to look into '${path}': its links lead to each other`, {
    hint: "Name the directory itself.",
  });
}

/** What lies in a directory that is to become a data directory. Looks only. */
export async function inspectDataDirectory(path: string): Promise<DataDirectoryState> {
  const names = await readdir(path).catch((error: NodeJS.ErrnoException) => {
    const isNoDirectory = error.code === "ENOTDIR";
    if (meansAbsent(error) && !isNoDirectory) return undefined;
    const fact = isNoDirectory ? "it is not a directory" : error.message;
    throw new SoarError("FILE_UNREADABLE", `unable to look into '${path}': ${fact}`, {
      cause: error,
      hint: "Name another directory, or run as a user who may read it.",
    });
  });
  if (names === undefined) return { state: "absent" };
  // A file system of its own has this from mkfs; it is no reason to refuse.
  const [example] = names.filter((name) => name !== "lost+found");
  if (example === undefined) return { state: "empty" };
  const processId = await runningServer(path);
  const control = await readIfPresent(join(path, "global", "pg_control")).catch((cause: unknown) => {
    throw new SoarError("FILE_UNREADABLE", `unable to tell which cluster lies in '${path}': ${messageOf(cause)}`, {
      cause,
      hint: isSoarError(cause) ? cause.hint : OWNER_HINT,
    });
  });
  const major = await readMajor(path);
  const identity = control === undefined ? undefined : readIdentity(control, { mayBeDamaged: major !== undefined });
  if (processId !== undefined)
    return {
      state: "running",
      processId,
      systemIdentifier: identity?.systemIdentifier,
      postgresMajor: identity?.postgresMajor,
    };
  // Only without pg_control is there nothing that a server could have written to.
  if (identity !== undefined) return { state: "cluster", ...identity };
  if (control === undefined && names.includes(RESTORE_STATE_DIRECTORY)) return { state: "interrupted" };
  return major === undefined ? { state: "other", example } : { state: "remains", postgresMajor: major };
}

/** Throws `FILE_UNREADABLE` where something else has the name of the directory in which a restore keeps its state. */
export async function requireStatePlace(dataDir: string): Promise<void> {
  const path = join(dataDir, RESTORE_STATE_DIRECTORY);
  const found = await lstatIfPresent(path);
  if (found === undefined || found.isDirectory()) return;
  throw new SoarError("FILE_UNREADABLE", `unable to restore into '${dataDir}': '${path}' is no directory`, {
    hint: "A restore keeps its state there: look at what has this name, then move it away. Nothing was changed.",
  });
}

function readIdentity(
  control: Buffer,
  { mayBeDamaged }: { readonly mayBeDamaged: boolean },
): { readonly systemIdentifier: string; readonly postgresMajor: number } | undefined {
  try {
    const { systemIdentifier, pgMajor } = readControlFile(control);
    return { systemIdentifier: String(systemIdentifier), postgresMajor: pgMajor };
  } catch (error) {
    if (mayBeDamaged && hasErrorCode(error, "FORMAT_INVALID")) return undefined;
    throw error;
  }
}

/** From PG_VERSION; undefined where there is none that PostgreSQL could have written. */
async function readMajor(path: string): Promise<number | undefined> {
  const file = join(path, "PG_VERSION");
  const text = (await isFile(file)) ? await readTextIfPresent(file, { hint: OWNER_HINT }) : undefined;
  return text !== undefined && /^\d{2}\n?$/.test(text) ? Number(text) : undefined;
}

/** Throws unless a restore may fill this directory: it must be absent, empty, or what an interrupted restore has begun to fill. */
export function requireRestorable(path: string, found: DataDirectoryState): void {
  switch (found.state) {
    case "absent":
    case "empty":
    case "interrupted":
      return;
    case "running":
      throw new SoarError(
        "SERVER_RUNNING",
        `unable to restore into '${path}': a server with process id ${found.processId} runs there`,
        {
          hint: `Stop it first: pg_ctl -D '${path}' stop -m fast. Nothing was changed.`,
        },
      );
    case "cluster":
      throw new SoarError(
        "DIRECTORY_NOT_EMPTY",
        `unable to restore into '${path}': it holds a cluster with system identifier ${found.systemIdentifier}`,
        {
          hint: `Only a restore into the place that was backed up keeps it aside by itself. By hand: mv '${path}' '${path}.before-restore', then run the command again. Its pg_wal may hold the newest commits. To overwrite it with what differs: --delta. Nothing was changed.`,
        },
      );
    case "remains":
      throw new SoarError(
        "DIRECTORY_NOT_EMPTY",
        `unable to restore into '${path}': it holds what is left of a cluster of PostgreSQL ${found.postgresMajor}`,
        {
          hint: `Keep it: mv '${path}' '${path}.before-restore', then run the command again. Nothing was changed.`,
        },
      );
    case "other":
      throw new SoarError(
        "DIRECTORY_FOREIGN",
        `unable to restore into '${path}': it is not empty and holds '${found.example}'`,
        {
          hint: "Name an empty directory or one that does not exist yet. Nothing was changed.",
        },
      );
  }
}

/** Free bytes of the file system that will hold `path`, which need not exist yet. */
export async function freeBytesAt(path: string): Promise<number> {
  const existing = await nearestExisting(path);
  const { bavail, bsize } = await statfs(existing);
  return bavail * bsize;
}

/**
 * Creates the data directory, or takes an empty one, with the mode that PostgreSQL demands. Parents must exist: a typing
 * error must not create a tree.
 */
export async function createDataDirectory(path: string, owner?: Owner): Promise<void> {
  const hint = "Create the parent directory with the right owner first.";
  if ((await statIfPresent(dirname(path)))?.isDirectory() !== true)
    throw new SoarError("FILE_UNWRITABLE", `unable to create '${path}': its parent directory does not exist`, { hint });
  // One that was made by hand, by a mount or by a package: the server starts in a directory of these two modes only.
  await makeDirectory(path, { mode: 0o700, otherModes: [0o750], owner, sync: "directory", hint });
}

/**
 * Nothing is done below a data directory but in real directories of the server's user, who is somebody else where this is root:
 * what the user could not do itself, root does not do for it.
 */
export function inDataDirectory(dataDir: string, owner: Owner | undefined): Within {
  return { base: dataDir, owner };
}

export async function nearestExisting(path: string): Promise<string> {
  for (let candidate = path; ; candidate = dirname(candidate)) {
    const found = await stat(candidate).catch(() => undefined);
    if (found !== undefined || dirname(candidate) === candidate) return candidate;
  }
}

/** Processes of a server that was killed notice it at once, and end as soon as they are scheduled. */
const ORPHANS_END_MS = 5_000;
/** Until the first process of a machine or container has collected them, which some do now and then only. */
const COLLECTED_MS = 60_000;
const POLL_MS = 20;

/** The postmaster, or one of the processes that a killed one left behind and that do not end: they still write. */
async function runningServer(path: string): Promise<number | undefined> {
  for (const startedAt = performance.now(); ; await delay(POLL_MS)) {
    const { running, pid, orphans, uncollected } = await readClusterState(path);
    const patienceMs = running ? ORPHANS_END_MS : uncollected ? COLLECTED_MS : 0;
    if (pid !== undefined || performance.now() - startedAt >= patienceMs) return pid ?? orphans[0];
  }
}
