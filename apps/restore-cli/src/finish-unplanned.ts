import { resolve } from "node:path";
import type { CommandContext, OptionTable } from "@soar/app-kit";
import { isSoarError, messageOf, SoarError } from "@soar/errors";
import { findRepositoryRecord, listBackupRecords } from "@soar/repository";
import { realDataDirectory } from "@soar/restore";
import { findOpened, finishUnplanned, type FinishUnplannedOptions } from "@soar/restore/in-place";
import { describeTarget } from "@soar/restore/plan";
import type { ObjectStore } from "@soar/storage";
import { localWalRows } from "./local-wal-texts.ts";
import { planFor, type PrepareConfig } from "./prepare.ts";
import { targetOf } from "./target-options.ts";

type AnyContext = CommandContext<OptionTable, Readonly<Record<string, { readonly help: string }>>>;
type Context = Pick<AnyContext, "signal" | "confirm" | "log" | "output"> & { readonly config: PrepareConfig };

/**
 * Finishes the restore that was opened to this target where no plan can be made any more. Resolves to whether it did; the
 * reason why there is no plan is told by whoever plans next.
 */
export async function finishWithoutPlan(
  store: ObjectStore,
  { config, signal, confirm, log, output }: Context,
  options: Pick<FinishUnplannedOptions, "archiveWal" | "onFile" | "systemEnv">,
): Promise<boolean> {
  const target = describeTarget(targetOf(config));
  const named = config.dataDir ?? (await listBackupRecords(store, { signal })).at(-1)?.source.dataDirectory;
  if (named === undefined || named === "") return false;
  const dataDir = await realDataDirectory(resolve(named));
  const found = await findOpened(dataDir);
  // Where nothing waits to be stored, a plan that fails is nothing but that.
  if (found?.target !== target || found.waiting?.length === 0) return false;
  // A store of another cluster, or an empty one, is the wrong place for this WAL.
  if ((await findRepositoryRecord(store, { signal }))?.systemIdentifier !== found.systemIdentifier) return false;
  const reason = await whyNoPlan(store, config, signal);
  if (reason === undefined) return false;
  signal.throwIfAborted();
  const text = `no plan to ${target} can be made any more: ${messageOf(reason)}. Its server was opened by an earlier run: its data is left alone, and WAL that only this machine has is stored.`;
  await confirm({ plan: text, question: `Finish the restore of ${dataDir}`, yes: config.yes === true });
  const localWal = await finishUnplanned({ ...options, dataDir, appServices: config.stopServices, signal });
  if (localWal === undefined)
    throw new SoarError("DIRECTORY_NOT_EMPTY", `the restore of '${dataDir}' is over`, { hint: "Nothing was changed." });
  log.info(`finished the restore of ${dataDir} to ${target}, without a plan`);
  output.report({
    json: { version: 1, dataDir, target, unplanned: messageOf(reason), localWal },
    text: () =>
      [["data directory", dataDir] as const, ...localWalRows(localWal)]
        .map(([name, row]) => `${`${name}:`.padEnd(16)}${row}`)
        .join("\n"),
  });
  return true;
}

/** What a plan ends with when the repository no longer has what it needs. Anything else may pass, or is a mistake. */
const EXPIRED = ["BACKUP_MISSING", "TARGET_BEFORE_BACKUP", "WAL_MISSING"] as const;

async function whyNoPlan(
  store: ObjectStore,
  config: PrepareConfig,
  signal: AbortSignal,
): Promise<SoarError | undefined> {
  try {
    await planFor(store, config, signal);
    return undefined;
  } catch (error) {
    if (isSoarError(error) && EXPIRED.some((code) => error.code === code)) return error;
    throw error;
  }
}
