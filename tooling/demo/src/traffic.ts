import { setTimeout as delay } from "node:timers/promises";
import { aviationTrafficSql, type TestCluster } from "@soar-tooling/postgres-clusters";
import { DATABASES, type DatabaseName } from "./demo-world.ts";

/** Small transactions that arrive all the time, one writer for each database. */
export interface Traffic {
  /** Waits for the transactions that are under way. Returns how many were committed. Throws what a writer failed with. */
  stop(): Promise<number>;
}

const ROWS = 25;
const PAUSE_MS = 50;

/** Starts the writers: messages and fixes arrive, and devices are seen. */
export function startTraffic(cluster: TestCluster): Traffic {
  return startWriters(cluster, () => aviationTrafficSql({ rows: ROWS }));
}

/** What still can be written when there are no devices any more. */
export function startTrafficWithoutDevices(cluster: TestCluster): Traffic {
  return startWriters(cluster, (database) =>
    database === "soar" ? "UPDATE receivers SET updated_at = clock_timestamp()" : aviationTrafficSql({ rows: ROWS }),
  );
}

function startWriters(cluster: TestCluster, sqlFor: (database: DatabaseName) => string): Traffic {
  let stopped = false;
  let committed = 0;
  const write = async (database: DatabaseName): Promise<void> => {
    const sql = sqlFor(database);
    while (!stopped) {
      await cluster.query(sql, [], database);
      committed += 1;
      await delay(PAUSE_MS);
    }
  };
  const writers = Promise.all(DATABASES.map(write));
  // It is `stop` that reports a failure; until then nobody looks.
  writers.catch(() => (stopped = true));
  return {
    async stop() {
      stopped = true;
      await writers;
      return committed;
    },
  };
}
