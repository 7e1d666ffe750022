import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { adoptTestCluster, createTestCluster, postgresMajors, type TestCluster } from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { copyDataDir, scanSegments, segmentsOf, WAL_LOAD_SETTINGS, writeVariedWal } from "../../test/wal-load.ts";
import { setRecoveryMode, writeRecoverySettings } from "../recovery-config/recovery-config.ts";
import { recoveryTargetSettings } from "../recovery-config/recovery-settings.ts";
import { parseTimelineHistory } from "../timeline/timeline-history.ts";
import { findRecoveryStop, type RecoveryTarget } from "./find-recovery-stop.ts";
import { isTransactionEnd, type TransactionEnd, type WalRecord } from "./wal-record.ts";

const POLLING = { timeout: 30_000, interval: 20 };

/** Majors between the oldest and the newest have the same rule in between; they take fewer turns to save time. */
const BRIEF = postgresMajors().slice(1, -1);

describe.each(postgresMajors())("recovery of PostgreSQL $version ends where findRecoveryStop says", (installation) => {
  let cluster: TestCluster;
  let backup: string;
  let records: readonly WalRecord[];

  beforeAll(async () => {
    cluster = await createTestCluster({ installation, settings: WAL_LOAD_SETTINGS, initdbArgs: ["--wal-segsize=1"] });
    await cluster.stop();
    backup = cluster.tablespaceDir("backup");
    await copyDataDir(cluster.dataDir, backup);
    await cluster.start();
    const [first] = await segmentsOf(cluster);
    await writeVariedWal(cluster);
    const names = (await segmentsOf(cluster)).filter((name) => name >= (first ?? ""));
    records = (await scanSegments(cluster, names)).records;
    await cluster.stop();
  });
  afterAll(() => cluster.remove());

  const targets: readonly (readonly [string, () => RecoveryTarget])[] = [
    ["a time between commits", () => ({ type: "time", time: endInTheMiddle().time + 1n })],
    ["exactly a commit's time", () => ({ type: "time", time: endInTheMiddle().time })],
    ["just before a commit's time", () => ({ type: "time", time: endInTheMiddle().time, inclusive: false })],
    [
      "a prepared transaction",
      () => ({ type: "xid", xid: ends().find(({ kind }) => kind === "abort-prepared")?.xid ?? 0 }),
    ],
    ["before a transaction", () => ({ type: "xid", xid: endInTheMiddle().xid, inclusive: false })],
    ["a restore point", () => ({ type: "name", name: "sécond" })],
    ["an LSN", () => ({ type: "lsn", lsn: endInTheMiddle().lsn + 1n })],
    [
      "before the first record of a segment",
      () => ({ type: "lsn", lsn: records.find(({ kind }) => kind === "switch")?.endLsn ?? 0n, inclusive: false }),
    ],
  ];
  const ends = (): TransactionEnd[] => records.filter(isTransactionEnd);
  const endInTheMiddle = (): TransactionEnd =>
    ends()[Math.floor(ends().length / 2)] ?? expect.fail("no transaction ended");

  test.each(BRIEF.includes(installation) ? targets.slice(2, 4) : targets)("for %s", async (name, targetOf) => {
    const target = targetOf();
    const stop = findRecoveryStop(records, target);
    const dataDir = await prepare(name, target);
    await using restored = await adoptTestCluster({ installation, dataDir });
    await expect
      .poll(async () => (await restored.query("SELECT pg_is_in_recovery() AS recovering"))[0], POLLING)
      .toEqual({ recovering: false });
    const history = parseTimelineHistory(await readFile(join(dataDir, "pg_wal", "00000002.history"), "utf8"), 2);
    expect(history.entries).toMatchObject([{ timeline: 1, switchLsn: stop?.lsn }]);
    await restored.stop("immediate");
  });

  test("nowhere, for a time after the last commit: the server refuses to start", async () => {
    const target: RecoveryTarget = { type: "time", time: 4_000_000_000_000_000n };
    expect(findRecoveryStop(records, target)).toBeUndefined();
    const dataDir = await prepare("never", target);
    await using restored = await adoptTestCluster({ installation, dataDir, start: false });
    await restored.start({ untilReady: false });
    await expect
      .poll(() => restored.log(), POLLING)
      .toMatch(/FATAL: .*recovery ended before configured recovery target was reached/);
  });

  /** A copy of the backup that recovers to the target, then promotes. */
  async function prepare(name: string, target: RecoveryTarget): Promise<string> {
    const dataDir = cluster.tablespaceDir(`restored ${name}`.replaceAll(" ", "-").replaceAll("'", ""));
    await copyDataDir(backup, dataDir);
    await writeRecoverySettings(dataDir, {
      restore_command: `cp '${cluster.dataDir}/pg_wal/%f' "%p" # it's \\ quoted`,
      recovery_target_action: "promote",
      ...recoveryTargetSettings(target),
    });
    await setRecoveryMode(dataDir, "recovery");
    return dataDir;
  }
});
