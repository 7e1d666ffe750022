import { lstat } from "node:fs/promises";
import { basename, join } from "node:path";
import { lstatIfPresent, type Owner } from "@soar/durable-files";
import { readTrustedFile } from "@soar/durable-files/reading";
import { emptyDirectory, removeTree } from "@soar/durable-files/directories";
import { hasErrorCode, SoarError } from "@soar/errors";
import { readClusterState } from "@soar/pg-tools/cluster";
import { readControlFile } from "@soar/pg-tools/control-file";
import { allocatedBytes } from "../allocated-bytes.ts";
import { isFile } from "../is-file.ts";
import { findUse, requireAsKept } from "./require-as-kept.ts";
import { findOpened } from "./forget-restore.ts";
import { readUnfinished } from "../status/unfinished.ts";
import { keptRecordPath, listKept, listSavedWal } from "../status/kept-record.ts";

/** Something that restores of a data directory have kept. */
export interface KeptData {
  readonly path: string;
  readonly kind: "cluster" | "wal";
  /** Undefined for WAL, whose name tells it. */
  readonly keptAt: string | undefined;
  /** Directories outside of it that belong to it, and are there. */
  readonly outside: readonly string[];
  /** Those that are not there any more: somebody has moved or removed them. */
  readonly gone: readonly string[];
  readonly bytes: number;
}

/** Everything that restores of this data directory have kept, oldest first. */
export async function listKeptData(dataDir: string): Promise<KeptData[]> {
  const found: KeptData[] = [];
  for (const { keptAs, keptAt, moved } of await listKept(dataDir)) {
    const [outside, gone]: [string[], string[]] = [[], []];
    for (const { to } of moved) ((await lstatIfPresent(to)) === undefined ? gone : outside).push(to);
    let bytes = 0;
    for (const path of [keptAs, ...outside]) bytes += await allocatedBytes(path);
    found.push({ path: keptAs, kind: "cluster", keptAt, outside, gone, bytes });
  }
  for (const path of await listSavedWal(dataDir))
    found.push({ path, kind: "wal", keptAt: undefined, outside: [], gone: [], bytes: await allocatedBytes(path) });
  return found;
}

/**
 * Rejects unless what was kept is not needed any more: the restored server must run and take writes (`SERVER_UNSUITABLE`),
 * and no server may use what was kept (`SERVER_RUNNING`), which has to be what a restore has put there (`DIRECTORY_FOREIGN`).
 */
export async function requireDiscardable(dataDir: string, kept: readonly KeptData[]): Promise<void> {
  await requireStored(dataDir, dataDir);
  for (const { path, kind } of kept) if (kind === "cluster") await requireStored(dataDir, path);
  const obstacle = await whyNotRestored(dataDir);
  if (obstacle !== undefined) {
    throw new SoarError("SERVER_UNSUITABLE", `unable to discard what was kept of '${dataDir}': ${obstacle}`, {
      hint: "It is the only copy until the restored server runs and takes writes. Finish the restore and look at its data first. Nothing was removed.",
    });
  }
  const records = await listKept(dataDir);
  for (const record of records) if (kept.some(({ path }) => path === record.keptAs)) await requireAsKept(record);
  const use = await findUse(
    dataDir,
    kept.flatMap(({ path, outside }) => [path, ...outside]),
  );
  if (use !== undefined)
    throw new SoarError("SERVER_RUNNING", `unable to discard what was kept of '${dataDir}': ${use}`, {
      hint: "It is no old data any more: stop that server and lead the link elsewhere first. Nothing was removed.",
    });
  for (const { path } of kept) {
    const { running, pid } = await readClusterState(path);
    if (running)
      throw new SoarError(
        "SERVER_RUNNING",
        `unable to discard '${path}': a server with process id ${pid ?? "unknown"} runs there`,
        { hint: `Stop it first: pg_ctl -D '${path}' stop -m fast. Nothing was removed.` },
      );
  }
}

/** What `requireDiscardable` rejects with because of what is there; undefined where nothing speaks against a removal. */
export async function whyNotDiscardable(dataDir: string, kept: readonly KeptData[]): Promise<SoarError | undefined> {
  try {
    await requireDiscardable(dataDir, kept);
    return undefined;
  } catch (error) {
    if (hasErrorCode(error, "SERVER_UNSUITABLE", "SERVER_RUNNING", "DIRECTORY_FOREIGN")) return error;
    throw error;
  }
}

/**
 * Removes it for good; the record that says what it is goes last, so that an interrupted removal can be repeated. Of the
 * directories outside only those that belong to the same user: the record lies where that user can write. Rejects with
 * `DIRECTORY_FOREIGN` for others, and with `FILE_UNWRITABLE`.
 */
export async function discardKept({ path, outside, kind }: KeptData): Promise<void> {
  const { uid, gid } = await lstat(path);
  const options = { sync: "none", owner: { uid, gid } } as const;
  for (const directory of outside) await requireOwned(directory, options.owner);
  for (const directory of outside) await removeTree(directory, options);
  if (kind === "cluster") {
    const except = new Set([basename(keptRecordPath(path))]);
    await emptyDirectory(path, { ...options, within: { base: path, owner: options.owner }, except });
  }
  await removeTree(path, options);
}

/** One that is gone already is no obstacle. */
async function requireOwned(directory: string, { uid }: Owner): Promise<void> {
  const found = await lstatIfPresent(directory);
  if (found === undefined || found.uid === uid) return;
  throw new SoarError("DIRECTORY_FOREIGN", `unable to discard '${directory}': it belongs to user ${found.uid}`, {
    hint: `What restores have kept belongs to user ${uid}. Look at it yourself. Nothing was removed.`,
  });
}

/** What is kept may be the only copy of WAL that a restore has not come to store, however long its server runs. */
async function requireStored(dataDir: string, place: string): Promise<void> {
  const found = await findOpened(place);
  // One that was put aside has nothing else to finish.
  if (found === undefined || (place !== dataDir && found.waiting?.length === 0)) return;
  const { target, waiting } = found;
  const [first] = waiting ?? [];
  const what = first === undefined ? "WAL" : `up to ${waiting?.length ?? 0} WAL files, from ${first.file} on,`;
  const fact = waiting?.length === 0 ? "" : `: ${what} may be in no repository yet`;
  throw new SoarError(
    "SERVER_UNSUITABLE",
    `unable to discard what was kept of '${dataDir}': a restore is not finished ${place === dataDir ? "there" : `that lies in '${place}' now`}${fact}`,
    {
      hint: `${place === dataDir ? `Give the command of that restore again (target: ${target}): it leaves the data of the server alone and stores what is left.` : "Store these files with soar-wal-archive, in their order."} To give that up: soar-restore forget --data-dir ${place}. Nothing was removed.`,
    },
  );
}

async function whyNotRestored(dataDir: string): Promise<string | undefined> {
  if ((await readUnfinished(dataDir)) !== undefined) return "a restore is not finished there";
  const { running, status } = await readClusterState(dataDir);
  if (!running) return "the restored server does not run";
  for (const signal of ["recovery.signal", "standby.signal"])
    if (await isFile(join(dataDir, signal))) return "its server is in recovery";
  if (status !== "ready") return "its server does not take connections yet";
  const { state } = readControlFile(await readTrustedFile(join(dataDir, "global", "pg_control")));
  return state === "in-production" ? undefined : `its server is ${state}`;
}
