import { postgresMajors } from "@soar-tooling/postgres-clusters";
import { expect, onTestFinished, test } from "vitest";
import { createRecoverySource } from "../../test/recovery.fixture.ts";
import { startCluster } from "./start-cluster.ts";
import { stopCluster } from "./stop-cluster.ts";
import { waitForRecovery } from "./wait-for-recovery.ts";

test.each(postgresMajors())(
  "where WAL asks PostgreSQL $major for more connections than it has, its pause is not the one at the target",
  async (installation) => {
    const made = await createRecoverySource(installation);
    onTestFinished(() => made[Symbol.asyncDispose]());
    const { primary, restoredDir: dataDir, logFile } = made;
    await primary.stop();
    await primary.configure({ max_connections: "150" });
    await primary.start();
    await primary.query("insert into t values (7)");
    await primary.query("insert into t values (8)");
    const [row] = await primary.query<{ xid: string }>("select xmin::text as xid from t where n = 8");
    // A server that shuts down archives what it has.
    await primary.query("select pg_switch_wal()");
    await primary.stop();
    const settings = {
      ...made.settings,
      max_connections: "100",
      recovery_target_xid: String(row?.xid),
      recovery_target_action: "pause",
    };
    const cluster = await startCluster({ binDir: primary.binDir, dataDir, logFile, settings });
    onTestFinished(() => stopCluster({ dataDir, mode: "immediate" }).then(() => undefined));
    await expect(waitForRecovery({ cluster })).rejects.toMatchObject({
      code: "RECOVERY_FAILED",
      message: expect.stringMatching(/it has paused before its target: hot standby is not possible because/) as string,
      hint: expect.stringMatching(/pg_ctl -D '.*' stop.*larger value/) as string,
    });
    // Its log may be that of another start: whoever asks it itself is believed.
    let asked = 0;
    const isPaused = async (): Promise<boolean> => (asked += 1) > 2;
    expect(await waitForRecovery({ cluster, isPaused })).toMatchObject({ kind: "paused" });
  },
);
