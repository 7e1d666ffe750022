import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { SoarError } from "@soar/errors";
import type { ConfigSetting } from "./config-file.ts";
import {
  findLeftoverTargets,
  type RecoverySettings,
  withoutRecoverySettings,
  withRecoverySettings,
} from "./recovery-settings.ts";
import { removeSynced, writeAtomically } from "./write-atomically.ts";

/** Read last of all configuration files, and always in the data directory, wherever postgresql.conf lies. */
const AUTO_CONF = "postgresql.auto.conf";

/**
 * Writes recovery settings into a marked block at the end of `postgresql.auto.conf`, where they win over all other files.
 * Targets that `settings` does not name are set to their defaults. Throws CONFIG_INVALID, FILE_UNREADABLE, FILE_UNWRITABLE
 * or DISK_FULL; the file is replaced whole or not at all.
 */
export async function writeRecoverySettings(dataDir: string, settings: RecoverySettings): Promise<void> {
  await writeAtomically(join(dataDir, AUTO_CONF), withRecoverySettings(await readAutoConf(dataDir), settings));
}

/** Removes the marked block after recovery, so that it does not come back with the next one. Does nothing without a block. */
export async function removeRecoverySettings(dataDir: string): Promise<void> {
  const text = await readAutoConf(dataDir);
  const rest = withoutRecoverySettings(text);
  if (rest !== text) await writeAtomically(join(dataDir, AUTO_CONF), rest);
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
    await removeSynced(join(dataDir, `${other}.signal`));
  if (mode !== "none") await writeAtomically(join(dataDir, `${mode}.signal`), "");
}

async function readAutoConf(dataDir: string): Promise<string> {
  const path = join(dataDir, AUTO_CONF);
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return "";
    throw new SoarError("FILE_UNREADABLE", `unable to read '${path}': ${message}`, {
      cause,
      hint: "Run as the user that owns the data directory, or as root.",
    });
  }
}
