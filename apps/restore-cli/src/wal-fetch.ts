import { readFile } from "node:fs/promises";
import { defineCommand, openConfiguredStore, storageOptions } from "@soar/app-kit";
import { SoarError } from "@soar/errors";
import { fetchWalFile, parseLineageTable } from "@soar/restore/wal";

export const walFetch = defineCommand({
  name: "wal-fetch",
  summary: "Deliver one WAL file; restores write it into restore_command.",
  description:
    "Exit status 0: delivered. 1 (or, with --plan, 100, which the restore_command of a restore turns into 1): proved not to be part of this recovery. 126: everything else, at which PostgreSQL stops instead of promoting.",
  positionals: {
    name: { help: "Name of the WAL file (%f)." },
    path: { help: "Where to put it, relative to the data directory (%p)." },
  },
  options: {
    ...storageOptions,
    plan: {
      type: "string",
      required: true,
      group: "Restore",
      placeholder: "FILE",
      help: "The lineage table that the restore wrote.",
    },
    "fetch-timeout": {
      env: "BACKUP_FETCH_TIMEOUT",
      type: "duration",
      min: 1000,
      default: "5min",
      group: "Restore",
      help: "Give up on one file after this time, with all retries.",
    },
  },
  logFile: "none",
  isBelieved: true,
  async run({ config, positionals: { name, path }, log, signal, envFile }) {
    const text = await readFile(config.plan, "utf8").catch((cause: NodeJS.ErrnoException) => {
      throw new SoarError("FILE_UNREADABLE", `unable to read '${config.plan}': ${cause.message}`, {
        cause,
        hint: "The restore writes it into the data directory; run the restore again.",
      });
    });
    const table = parseLineageTable(text, config.plan);
    const store = await openConfiguredStore(config, {
      log,
      envFile,
      overrides: { retry: { deadlineMs: config.fetchTimeoutMs } },
    });
    try {
      await fetchWalFile(store, table, name, path, { signal });
    } finally {
      await store.close();
    }
  },
});
