import { createTestCluster, requireInstallation, type TestCluster } from "@soar-tooling/postgres-clusters";
import { BIN } from "../built-programs.ts";

/** A server that is stopped; every run works on a copy of it. */
export interface Template {
  readonly cluster: TestCluster;
  readonly segmentSize: number;
}

/** The env file is each run's own. */
const archiveCommand = `${BIN}soar-wal-archive --env-file "$SOAR_RPO_ENV" %p %f`;

export async function createTemplate(segmentMib: number): Promise<Template> {
  const settings = { min_wal_size: `${2 * segmentMib}MB`, max_wal_size: "1GB" };
  const cluster = await createTestCluster({
    installation: requireInstallation("pg_ctl"),
    initdbArgs: [`--wal-segsize=${segmentMib}`],
    archiveCommand,
    settings,
  });
  await cluster.query("create table t (n int, filler text)");
  await cluster.query("checkpoint");
  await cluster.stop();
  return { cluster, segmentSize: segmentMib * 2 ** 20 };
}
