import {
  confirmOptions,
  defineCommand,
  formatSize,
  openConfiguredStore,
  retentionOptions,
  storageOptions,
} from "@soar/app-kit";
import { planExpiry, readExpiryState, type ExpiryOutcome, type ExpiryPlan } from "@soar/repository/expiry";
import { describeExpiry, expiryToJson } from "./describe-expiry.ts";
import { readOldVersions } from "./old-versions.ts";
import { describeUncounted, expireRepository, policyOf } from "./retention.ts";

export const expire = defineCommand({
  name: "expire",
  summary: "Remove backups and WAL that no instant of the window needs.",
  description:
    "Kept are all backups of the window, the newest one before it as its anchor with all WAL from there on, at least BACKUP_RETENTION_COUNT backups, and whatever is pinned, in use or referred to. Every backup run does the same at its end.",
  options: {
    ...storageOptions,
    ...retentionOptions,
    ...confirmOptions,
    "trust-clock": {
      type: "boolean",
      default: false,
      group: "Backup",
      help: "Expire although stamps in the bucket contradict this machine's clock, and count time in which nothing was stored.",
    },
    "dry-run": {
      type: "boolean",
      default: false,
      group: "Backup",
      help: "Print exactly what a run would remove, and remove nothing.",
    },
  },
  examples: [
    { command: "soar-base-backup expire --dry-run", explanation: "what would go, and why the rest stays" },
    { command: "soar-base-backup expire --yes", explanation: "remove it, from a script" },
  ],
  async run({ config, log, output, signal, confirm, envFile }) {
    const store = await openConfiguredStore(config, { log, envFile });
    const policy = policyOf(config);
    try {
      if (config.dryRun) {
        const { trustClock } = config;
        const { windowDays } = policy;
        const state = await readExpiryState(store, { now: new Date(), trustClock, windowDays, signal });
        const plan = planExpiry(state, policy);
        const { doubts } = state.time;
        const uncounted = describeUncounted(state.time);
        const versions = await readOldVersions(config, { envFile, signal });
        output.report({
          json: { dryRun: true, ...expiryToJson(plan), oldVersions: versions, doubts },
          text: () =>
            [
              describeExpiry(plan, { width: output.width, versions }),
              ...doubts.map((doubt) => `Doubtful: ${doubt}.`),
              ...(uncounted === undefined ? [] : [`${uncounted}.`]),
            ].join("\n"),
        });
        return;
      }
      const { plan, outcome } = await expireRepository(store, {
        policy,
        unattended: false,
        trustClock: config.trustClock,
        now: () => new Date(),
        log,
        signal,
        approve: async (proposed) => {
          if (proposed.removeBackups.length + proposed.removeWal.length === 0) return;
          await confirm({
            plan: describeExpiry(proposed, { width: 80, versions: await readOldVersions(config, { envFile, signal }) }),
            question: "Remove these objects for ever",
            yes: config.yes,
          });
        },
      });
      output.report({
        json: { dryRun: false, ...expiryToJson(plan), removed: outcome },
        text: () =>
          `removed ${outcome.backups.length} backups and ${outcome.wal} WAL files, ${formatSize(outcome.bytes)}; ${countKept(plan, outcome)} backups are kept`,
      });
    } finally {
      await store.close();
    }
  },
});

/** What came into use after the plan was made is spared, and kept with the others. */
function countKept({ keep, removeBackups }: ExpiryPlan, { backups: removed }: ExpiryOutcome): number {
  return keep.length + removeBackups.filter(({ label, isComplete }) => isComplete && !removed.includes(label)).length;
}
