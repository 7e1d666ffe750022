import {
  defineCommand,
  formatDuration,
  formatSize,
  formatTable,
  openConfiguredStore,
  retentionOptions,
  storageOptions,
} from "@soar/app-kit";
import { listBackupDirectories, requireRepositoryRecord, type BackupDirectory } from "@soar/repository";
import { readRecoveryWindow } from "@soar/repository/window";
import { readStorageUsage } from "@soar/repository/cost";
import { describeCost, reportCost } from "./describe-cost.ts";
import { describeWindow } from "./describe-window.ts";

export const list = defineCommand({
  name: "list",
  summary: "List the base backups and what can be restored from them.",
  description:
    "Backups with their sizes, and per timeline the instants that can be restored, with every hole. Times are in UTC.",
  options: {
    ...storageOptions,
    "retention-days": retentionOptions["retention-days"],
    cost: {
      type: "boolean",
      default: false,
      group: "Backup",
      help: "Print what the repository costs at the usual providers instead, from what is in the bucket.",
    },
  },
  examples: [
    { command: "soar-base-backup list --json", explanation: "the complete records and the window, for programs" },
    { command: "soar-base-backup list --cost", explanation: "dollars a month, and of one restore" },
  ],
  logFile: "none",
  async run({ config, log, output, signal, envFile }) {
    const store = await openConfiguredStore(config, { log, envFile });
    try {
      const repository = await requireRepositoryRecord(store, { signal });
      if (config.cost) {
        const report = reportCost(
          await readStorageUsage(store, { now: new Date(), retentionDays: config.retentionDays, signal }),
        );
        output.report({ json: report, text: () => describeCost(report, output.width) });
        return;
      }
      const backups = await listBackupDirectories(store, { signal });
      const window = await readRecoveryWindow(store, repository.walSegmentSize, { signal });
      const { retentionDays } = config;
      output.report({
        json: {
          repository,
          backups: backups.map(({ label, record, kept, damage }) => ({
            label,
            complete: record !== undefined,
            kept,
            damage: damage?.message,
            record,
          })),
          window: { ...window, retentionDays },
        },
        text: () =>
          backups.length === 0
            ? `There is no backup in ${store.location}.`
            : [
                formatTable(COLUMNS, backups.map(rowOf), { width: output.width }),
                "",
                describeWindow(window, { backups, retentionDays, width: output.width, now: new Date() }),
              ].join("\n"),
      });
    } finally {
      await store.close();
    }
  },
});

const COLUMNS = [
  { header: "LABEL" },
  { header: "KIND" },
  { header: "STATE" },
  { header: "ENDED" },
  { header: "SIZE", align: "right" },
  { header: "STORED", align: "right" },
  { header: "NEW", align: "right" },
  { header: "TOOK", align: "right" },
  { header: "TL", align: "right" },
] as const;

function rowOf({ label, record, kept, damage }: BackupDirectory): string[] {
  if (record === undefined) return [label, "", damage === undefined ? "unfinished" : "damaged"];
  const state = kept ? "kept" : record.damagedPages.length > 0 ? "bad pages" : "complete";
  const { sizes, stoppedAt, durationMs, timeline } = record;
  return [
    label,
    record.kind === "full" ? "full" : "incr",
    state,
    stoppedAt.slice(0, 16).replace("T", " "),
    formatSize(sizes.database),
    formatSize(sizes.stored),
    formatSize(sizes.new),
    formatDuration(durationMs),
    String(timeline),
  ];
}
