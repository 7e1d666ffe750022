import { defineCommand, formatDuration, formatSize, formatTable, openConfiguredStore, storageOptions } from "@soar/app-kit";
import { listBackupDirectories, requireRepositoryRecord, type BackupDirectory } from "@soar/repository";

export const list = defineCommand({
  name: "list",
  summary: "List the base backups of the repository.",
  options: { ...storageOptions },
  examples: [{ command: "soar-base-backup list --json", explanation: "the complete records, for programs" }],
  logFile: "none",
  async run({ config, log, output, signal }) {
    const store = await openConfiguredStore(config, { log });
    try {
      const repository = await requireRepositoryRecord(store, { signal });
      const backups = await listBackupDirectories(store, { signal });
      output.report({
        json: { repository, backups: backups.map(({ label, record, kept, damage }) => ({ label, complete: record !== undefined, kept, damage: damage?.message, record })) },
        text: () => (backups.length === 0 ? `There is no backup in ${store.location}.` : formatTable(COLUMNS, backups.map(rowOf), { width: output.width })),
      });
    } finally {
      await store.close();
    }
  },
});

const COLUMNS = [
  { header: "LABEL" },
  { header: "STATE" },
  { header: "ENDED" },
  { header: "SIZE", align: "right" },
  { header: "STORED", align: "right" },
  { header: "TOOK", align: "right" },
  { header: "TL", align: "right" },
] as const;

function rowOf({ label, record, kept, damage }: BackupDirectory): string[] {
  if (record === undefined) return [label, damage === undefined ? "unfinished" : "damaged", "", "", "", "", ""];
  return [label, kept ? "kept" : "complete", `${record.stoppedAt.slice(0, 19)}Z`, formatSize(record.sizes.database), formatSize(record.sizes.stored), formatDuration(record.durationMs), String(record.timeline)];
}
