import { leftOutAmong } from "./follow-includes.ts";
import { BACKUP_OBJECTS, readBackupObject, type BackupRecord } from "@soar/repository";
import { planRestore, withPlanLease, type RestorePlan } from "@soar/restore/plan";
import { withReplica, type Replica, type ScratchOptions } from "@soar/restore/rescue";
import { steadyClock } from "@soar/repository/time";
import type { ObjectStore } from "@soar/storage";
import type { TakeBackupOptions } from "./backup-options.ts";
import { settleRunClock } from "./health/run-clock.ts";
import { claimBackup, withdrawClaim } from "./claim/claim-backup.ts";
import { relocatedSource } from "./source/relocated-source.ts";
import { replicationSource } from "./source/replication-source.ts";
import { takeBackup } from "./take-backup.ts";

export interface TakeReplayedOptions extends Omit<TakeBackupOptions, "server" | "source" | "replayed" | "begun"> {
  readonly scratch: ScratchOptions;
}

/**
 * Takes a base backup from a scratch standby that was restored from the newest backup and followed the archive: the
 * server itself reads nothing for it, and that it can be restored is proved by how it was made. What it holds and what its
 * record says is what a backup of the server at that position would. It is claimed before anything is restored, so that
 * no other backup of the repository begins meanwhile; the server's own lock cannot be asked for. Expiry is told of all that
 * it reads, and what expired before is planned anew.
 */
export async function takeReplayedBackup(store: ObjectStore, options: TakeReplayedOptions): Promise<BackupRecord> {
  const { signal, scratch } = options;
  const replan = () => planRestore(store, { target: { kind: "latest" }, signal });
  const planned = await replan();
  const onRefusal = (reason: string): void => scratch.onEvent?.({ type: "no-lease", reason });
  return await withPlanLease(store, planned, { purpose: "restore", signal, onRefusal, replan }, async (plan) => {
    if (plan !== planned) scratch.onEvent?.({ type: "planned-again", label: plan.backup.label });
    return await takeFrom(store, plan, options);
  });
}

async function takeFrom(
  store: ObjectStore,
  plan: RestorePlan,
  { scratch, ...given }: TakeReplayedOptions,
): Promise<BackupRecord> {
  const { signal, stamps } = given;
  const serverConfig = await readBackupObject(store, plan.backup, BACKUP_OBJECTS.serverConfig, {
    signal,
  });
  const minimums = Object.fromEntries(Object.entries(plan.minimums).map(([name, value]) => [name, String(value)]));
  const { source, settings, leftOut, warnings = [] } = plan.backup;
  const replayed = {
    serverConfig,
    host: source.host,
    machine: source.machine,
    dataDirectory: source.dataDirectory,
    leftOut,
    configLeftOut: leftOutAmong(warnings),
    settings: { ...settings, ...minimums },
  };
  const clock = await settleRunClock(store, steadyClock(given.now), given);
  const options = { ...given, now: clock.now };
  const claimed = await claimBackup(store, {
    ...options,
    newestStamp: stamps?.newest,
    holdsLock: false,
    reads: [plan.backup.label, ...plan.backup.references],
  });
  const use = ({ server, tablespaces }: Replica) =>
    takeBackup(store, {
      ...options,
      server,
      source: relocatedSource(replicationSource(server), tablespaces),
      replayed,
      begun: { claimed, clock },
    });
  try {
    return await withReplica(store, plan, { ...scratch, use });
  } catch (error) {
    // Nobody else can tell that this run is dead before its claim lapses.
    await withdrawClaim(store, claimed, options);
    throw error;
  }
}
