import { formatRate, formatSize } from "@soar/app-kit";
import type { PostgresInstallation } from "@soar-tooling/postgres-clusters";
import { serverUser } from "@soar-tooling/test-bench";
import { quoteForShell } from "@soar/programs";
import { loseServer, meetAccident, waitForNextSecond, type Accident } from "./accident.ts";
import {
  countDevices,
  countRows,
  countTables,
  describeDifferences,
  readClusterState,
  type ClusterState,
} from "./database-state.ts";
import type { DemoOptions } from "./demo-options.ts";
import { DATABASES, type DemoWorld } from "./demo-world.ts";
import { directorySize } from "./disk.ts";
import { loadDatabases } from "./load-databases.ts";
import type { Story } from "./story.ts";
import { startTraffic } from "./traffic.ts";
import { countArchived } from "./wait-for-archiver.ts";

/** What all chapters work with. */
export interface Scene extends DemoOptions {
  readonly installation: PostgresInstallation;
  readonly world: DemoWorld;
  readonly story: Story;
}

/** The last good moment. */
export interface GoodMoment {
  readonly state: ClusterState;
  /** What a person names as the target. */
  readonly second: string;
}

export function tellSetup({ story, world, installation }: Scene): void {
  const origin = installation.embedded ? "from npm, as none is installed" : `in ${installation.binDir}`;
  story.say(
    `PostgreSQL ${installation.version} (${origin}) as user ${serverUser().name}, with the databases ${DATABASES.join(" and ")}.`,
  );
  story.say(`An S3 server in a process of its own: ${world.s3.endpoint}`);
  story.say("Every piece of the write-ahead log (WAL) goes to the bucket. In postgresql.conf:");
  story.code("  archive_mode = on");
  story.code(`  archive_command = '${world.archiveCommand.replaceAll("'", "''")}'`);
}

export async function loadData({ story, world, megabytes }: Scene): Promise<void> {
  const beganAt = performance.now();
  const data = await story.during(bucketText("loading", world), () => loadDatabases(world.cluster, megabytes));
  const seconds = (performance.now() - beganAt) / 1000;
  const sizes = DATABASES.map((name) => `${formatSize(data.sizes[name])} in ${name}`);
  story.say(`${count(data.rows)} rows: ${sizes.join(", ")}, indexes included.`);
  story.say(
    `${formatSize(data.walBytes)} of WAL were written for it, ${formatRate(data.walBytes / seconds)}, in pieces (segments) of 16 MiB.`,
  );
}

export async function takeBackup({ story, world }: Scene): Promise<void> {
  const traffic = startTraffic(world.cluster);
  await runShown({ story, world }, "taking a base backup", "soar-base-backup", []);
  story.say(
    `Meanwhile ${count(await traffic.stop())} transactions were committed. The server has archived ${count(await countArchived(world.cluster))} WAL files so far, and the bucket holds ${formatSize(await directorySize(world.objectsDirectory))}.`,
  );
}

/** The writers rest, so that "all that was committed before the target" is exactly what is read. */
export async function rememberGoodMoment({ story, world: { cluster } }: Scene): Promise<GoodMoment> {
  story.say("The writers rest, and a digest of every row of every table is taken.");
  const state = await story.during(
    () => Promise.resolve("reading all rows"),
    () => readClusterState(cluster),
  );
  tellState(story, state);
  const second = await waitForNextSecond(cluster);
  story.say(`Now it is ${second}, and writes go on.`);
  return { state, second };
}

export async function tellAccident({ story, world: { cluster } }: Scene): Promise<Accident> {
  story.code("soar=# DELETE FROM devices;");
  const accident = await meetAccident(cluster);
  story.output(`DELETE ${accident.deleted}`);
  story.say(`It was committed just before ${accident.at}.`);
  story.say(
    `Writes go on: ${count(accident.before)} transactions since the second above, and ${count(accident.after)} more before anybody notices.`,
  );
  return accident;
}

export async function tellLoss({ story, world: { cluster } }: Scene): Promise<void> {
  story.command(`kill -9 ${cluster.pid() ?? ""}`);
  story.command(`rm -r ${quoteForShell(cluster.dataDir)}`);
  await loseServer(cluster);
  story.say("Server and data are gone. What is left is in the bucket.");
}

export async function restore({ story, world }: Scene, target: string): Promise<void> {
  await runShown({ story, world }, "restoring", "soar-restore", ["--target-time", target, "--yes"]);
}

/** Resolves to whether every row is as it was. */
export async function prove(
  { story, world: { cluster } }: Scene,
  { state, second }: GoodMoment,
  accident: Accident,
): Promise<boolean> {
  const restored = await story.during(
    () => Promise.resolve("reading all rows"),
    () => readClusterState(cluster),
  );
  tellState(story, restored);
  story.say(
    `devices: ${count(countDevices(state))} rows before the accident, ${count(countDevices(state) - accident.deleted)} after it, ${count(countDevices(restored))} now.`,
  );
  const differences = describeDifferences(state, restored);
  if (differences.length > 0) {
    story.verdict(`NOT PROVED: ${differences.length} tables are not as they were at ${second}:`, false);
    story.output(differences.join("\n"));
    return false;
  }
  story.verdict(
    `PROVED: all ${count(countRows(restored))} rows of ${countTables(restored)} tables and partitions are as they were at ${second}. Nothing is missing, nothing was added.`,
    true,
  );
  story.say(
    `The ${count(accident.before + 1 + accident.after)} transactions after it, the accident among them, are left out, as asked.`,
  );
  return true;
}

function tellState(story: Story, state: ClusterState): void {
  for (const database of DATABASES) {
    const { rows, tables, digest } = state[database];
    story.output(
      `${database.padEnd(8)} ${count(rows).padStart(11)} rows in ${Object.keys(tables).length} tables  ${digest.slice(0, 32)}`,
    );
  }
}

async function runShown(
  { story, world }: Pick<Scene, "story" | "world">,
  doing: string,
  program: Parameters<DemoWorld["run"]>[0],
  args: readonly string[],
): Promise<void> {
  const words = ["--env-file", world.envFile, ...args];
  story.command([program, ...words.map(quoteForShell)].join(" "));
  story.output(await story.during(bucketText(doing, world), () => world.run(program, words)));
}

function bucketText(doing: string, { objectsDirectory }: DemoWorld): () => Promise<string> {
  return async () => `${doing}, ${formatSize(await directorySize(objectsDirectory))} in the bucket`;
}

function count(value: number): string {
  return value.toLocaleString("en");
}
