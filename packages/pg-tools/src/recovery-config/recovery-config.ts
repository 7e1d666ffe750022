import { join } from "node:path";
import { readTextIfPresent, removeFile, replaceFile } from "@soar/durable-files";
import type { ConfigSetting } from "./config-file.ts";
import {
  findLeftoverTargets,
  type RecoverySettings,
  withoutRecoverySettings,
  withRecoverySettings,
} from "./recovery-settings.ts";

/** Read last of all configuration files, and always in the data directory, wherever postgresql.conf lies. */
const AUTO_CONF = "postgresql.auto.conf";

/** What recovery does next is decided by these files: a crash must not bring one of them back, or take one away. */
const DURABLE = { sync: "directory", hint: "Run as the user that owns the data directory, or as root." } as const;
/** Root may write for the server's user, to whom the directory belongs; a cluster with group access keeps it. */
const WRITE = { ...DURABLE, mode: 0o600, keepMode: true } as const;

/**
 * Writes recovery settings into a marked block at the end of `postgresql.auto.conf`, where they win over all other files.
 * Targets that `settings` does not name are set to their defaults. Throws CONFIG_INVALID, FILE_UNREADABLE, FILE_UNWRITABLE
 * or DISK_FULL; the file is replaced whole or not at all.
 */
export async function writeRecoverySettings(dataDir: string, settings: RecoverySettings): Promise<void> {
  await replaceFile(join(dataDir, AUTO_CONF), withRecoverySettings(await readAutoConf(dataDir), settings), WRITE);
}

/** Removes the marked block after recovery, so that it does not come back with the next one. Does nothing without a block. */
export async function removeRecoverySettings(dataDir: string): Promise<void> {
  const text = await readAutoConf(dataDir);
  const rest = withoutRecoverySettings(text);
  if (rest !== text) await replaceFile(join(dataDir, AUTO_CONF), rest, WRITE);
}

/** Recovery targets in `postgresql.auto.conf` that our block did not put there. Throws FILE_UNREADABLE. */
export async function readLeftoverTargets(dataDir: string): Promise<readonly ConfigSetting[]> {
  return findLeftoverTargets(await readAutoConf(dataDir));
}

/** What the server does when it starts next: replay to a target and then accept writes, replay for ever, or neither. */
export type RecoveryMode = "recovery" | "standby" | "none";

/**
 * Makes exactly this mode's signal file exist. The other one is removed first: with both, the server becomes a standby,
 * and a base backup of a standby brings its `standby.signal` along. Throws FILE_UNWRITABLE or DISK_FULL.
 */
export async function setRecoveryMode(dataDir: string, mode: RecoveryMode): Promise<void> {
  for (const other of ["recovery", "standby"].filter((one) => one !== mode))
    await removeFile(join(dataDir, `${other}.signal`), DURABLE);
  if (mode !== "none") await replaceFile(join(dataDir, `${mode}.signal`), "", WRITE);
}

async function readAutoConf(dataDir: string): Promise<string> {
  // What it says is written again, into a file that its owner can read: it may not be somebody else's.
  return (await readTextIfPresent(join(dataDir, AUTO_CONF), { within: { base: dataDir } })) ?? "";
}
