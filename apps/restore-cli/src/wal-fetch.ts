import { readFile } from "node:fs/promises";
import { defineCommand, openConfiguredStore, storageOptions } from "@soar/app-kit";
import { SoarError } from "@soar/errors";
import { fetchArchivedWal, fetchWalFile, parseLineageTable } from "@soar/restore/wal";
import { dataDirOf, isStandby } from "./asking-server.ts";

export const walFetch = defineCommand({
  name: "wal-fetch",
  summary: "Deliver one WAL file: the restore_command of restores, standbys and pg_rewind.",
  description:
    "Exit status 0: delivered, and checked. 1 (or, with --plan, 100, which the restore_command of a restore turns into 1): proved not to be part of this recovery. 126: everything else, at which PostgreSQL stops instead of promoting. For a standby (standby.signal, or --standby) 1 is everything that is not delivered: it asks again by itself, and 126 would end it.",
  positionals: {
    name: { help: "Name of the WAL file (%f)." },
    path: { help: "Where to put it, relative to the data directory (%p)." },
  },
  options: {
    ...storageOptions,
    plan: {
      type: "string",
      group: "Restore",
      placeholder: "FILE",
      help: "The lineage table that the restore wrote; without it, the file is taken from the archive by its name.",
    },
    standby: {
      type: "boolean",
      default: false,
      group: "Restore",
      help: "A standby asks, although there is no standby.signal.",
    },
    "recovery-target-timeline": {
      type: "choice",
      choices: ["latest", "current"],
      default: "latest",
      group: "Restore",
      help: "What a standby has as recovery_target_timeline: with 'latest' nothing is delivered of a timeline behind the point where a newer one leaves it.",
    },
    "fetch-timeout": {
      env: "BACKUP_FETCH_TIMEOUT",
      type: "duration",
      min: 1000,
      group: "Restore",
      help: "Give up on one file after this time, with all retries: 5min, for a standby 20s.",
    },
  },
  logFile: "none",
  isBelieved: true,
  async run({ config, positionals: { name, path }, log, signal, envFile }) {
    const { plan } = config;
    const asksAgain = plan === undefined && isStandby(config.standby);
    const table = plan === undefined ? undefined : parseLineageTable(await readPlan(plan), plan);
    const store = await openConfiguredStore(config, {
      log,
      envFile,
      overrides: { retry: { deadlineMs: config.fetchTimeoutMs ?? (asksAgain ? STANDBY_TIMEOUT_MS : TIMEOUT_MS) } },
    });
    try {
      if (table !== undefined) await fetchWalFile(store, table, name, path, { signal });
      else
        await fetchArchivedWal(store, name, path, {
          dataDir: dataDirOf(path),
          followsNewest: asksAgain && config.recoveryTargetTimeline === "latest",
          signal,
        });
    } finally {
      await store.close();
    }
  },
});

const TIMEOUT_MS = 5 * 60_000;
/** A standby asks again after wal_retrieve_retry_interval, and meanwhile tries to stream from its primary. */
const STANDBY_TIMEOUT_MS = 20_000;

async function readPlan(path: string): Promise<string> {
  return await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new SoarError("FILE_UNREADABLE", `unable to read '${path}': ${cause.message}`, {
      cause,
      hint: "The restore writes it into the data directory; run the restore again.",
    });
  });
}
