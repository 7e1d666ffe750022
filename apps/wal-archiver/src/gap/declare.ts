import { hostname, userInfo } from "node:os";
import {
  confirmOptions,
  defineCommand,
  handOnStorage,
  notify,
  notifyOptions,
  openConfiguredStore,
  storageOptions,
  type Config,
} from "@soar/app-kit";
import { declareGap, planGap } from "@soar/archive/gap";
import { isSoarError, SoarError } from "@soar/errors";
import { quoteForShell } from "@soar/programs";
import type { GapRecord } from "@soar/repository/markers";
import { daemonOptions, spoolOptions } from "../options.ts";
import { describeGapPlan } from "./describe-gap.ts";
import { baseBackupCommand, isBaseBackupInstalled, takeBaseBackup } from "./start-base-backup.ts";

const { "metrics-file": _, ...tellOptions } = notifyOptions;

const declareOptions = {
  ...storageOptions,
  spool: spoolOptions.spool,
  ...tellOptions,
  ...confirmOptions,
  "data-dir": daemonOptions["data-dir"],
  from: {
    type: "string",
    placeholder: "SEGMENT",
    group: "Gap",
    unset: "the oldest that waits",
    help: "First segment that is given up.",
  },
  to: {
    type: "string",
    placeholder: "SEGMENT",
    group: "Gap",
    unset: "the newest that waits",
    help: "Last segment that is given up.",
  },
  reason: { type: "string", required: true, group: "Gap", help: "Why; everybody who meets the hole will read it." },
  "base-backup": {
    type: "boolean",
    default: true,
    group: "Gap",
    help: "Leave the base backup out: nothing behind the gap can be restored until somebody takes one.",
  },
} as const;

/** Gives WAL up on purpose. */
export const gapDeclare = defineCommand({
  name: "gap declare",
  summary: "Give up WAL that cannot be archived: names the range, alarms, and takes a base backup at once.",
  description:
    "For when pg_wal would fill before the backlog is archived, or when a segment is damaged and blocks all behind it. The range is recorded in the bucket first, so that every list, plan and verification shows the hole; only then does archive_command answer success for these segments, and PostgreSQL removes them by itself. Nothing here deletes from pg_wal.\n\nWhen the bucket cannot be reached nothing can be given up: a hole that nobody sees would be worse than a full disk. Run it as the server's user.",
  options: declareOptions,
  examples: [
    {
      command: "soar-wal-archive gap declare --reason 'the link is too slow for the backlog'",
      explanation: "everything that waits",
    },
    {
      command:
        "soar-wal-archive gap declare --from 000000010000000000000042 --to 000000010000000000000042 --reason 'unreadable on disk'",
      explanation: "one segment",
    },
  ],
  async run({ config, log, output, signal, confirm, envFile }) {
    const { dataDir, from, to, reason, spool: spoolDir } = config;
    const store = await openConfiguredStore(config, { log, envFile });
    let gap: GapRecord;
    try {
      const plan = await planGap(store, { dataDir, from, to, signal }).catch(unseen);
      await confirm({
        plan: describeGapPlan(plan, {
          location: store.location,
          backup: config.baseBackup ? (isBaseBackupInstalled() ? "begins" : "by-hand") : "none",
        }),
        question: `Give up ${plan.missing.length} segments of WAL for ever`,
        yes: config.yes,
        phrase: "give up",
      });
      gap = await declareGap(store, plan, {
        declaredBy: `${userInfo().username}@${hostname()}`,
        reason,
        spoolDir,
        dataDir,
        now: new Date(),
        signal,
      }).catch(unseen);
    } finally {
      await store.close();
    }
    log.warn(`gave up WAL ${gap.from} to ${gap.to}: ${gap.reason}`);
    output.report({ json: gap, text: () => `${gap.from} to ${gap.to} given up.` });
    // The base backup is more urgent than an alarm that cannot be sent, which fails the command afterwards.
    const untold = await alarm(config, gap);
    const needed = { envFile, storage: handOnStorage(config, "writes") };
    if (config.baseBackup && isBaseBackupInstalled()) await takeBaseBackup(needed, signal);
    else
      log.warn(
        `take a base backup at once, nothing behind the gap can be restored before: ${baseBackupCommand(needed).map(quoteForShell).join(" ")}`,
      );
    if (untold !== undefined) throw untold;
  },
});

/** A gap that the bucket cannot be told of would be a hole that nobody sees. */
function unseen(error: unknown): never {
  if (!isSoarError(error) || !/^(?:STORE|BUCKET|CLOCK)_/.test(error.code)) throw error;
  throw new SoarError(
    error.code,
    `unable to give WAL up: the bucket has to hold the record of it first, and ${error.message}`,
    {
      cause: error,
      hint: "Nothing was changed. Give pg_wal more room, move it to a larger volume while the server is stopped, or archive to another bucket or prefix and take a base backup there.",
    },
  );
}

async function alarm(
  config: Config<typeof declareOptions>,
  { from, to, declaredBy, reason }: GapRecord,
): Promise<SoarError | undefined> {
  const text = `${declaredBy} gave up WAL ${from} to ${to} of ${config.bucket}: ${reason}\nNothing behind it can be restored until a base backup is complete that began behind it.`;
  try {
    await notify(config, { outcome: "failure", subject: `${hostname()}: WAL was given up`, text });
    return undefined;
  } catch (error) {
    if (!isSoarError(error)) throw error;
    return error;
  }
}
