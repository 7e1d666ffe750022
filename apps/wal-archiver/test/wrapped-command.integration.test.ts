import {
  appendFileSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { serverUser } from "@soar-tooling/test-bench";
import { parseTimelineHistory } from "@soar/pg-tools";
import { COPY_MARK } from "@soar/repository";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createArchiverWorld, doneNames, eventually, LAUNCHER, type ArchiverWorld } from "./archiver-world.fixture.ts";

/** Where the operator's command copies each file to before it hands it on. */
let away: string;
/** The data directory of the server as it was when it first stopped. */
let older: string;
let fenced: string;
let world: ArchiverWorld;
beforeAll(async () => {
  world = await createArchiverWorld({ archiveCommand: "false", settings: { archive_timeout: "0" } });
  away = join(world.directory, "away");
  mkdirSync(away);
  older = `${world.cluster.dataDir}.older`;
  chownSync(away, serverUser().uid, serverUser().gid);
  // Another cluster on this host, which the server's environment names: a copy that was not adopted.
  fenced = join(world.directory, "fenced");
  mkdirSync(fenced);
  writeFileSync(join(fenced, COPY_MARK), "");
  const copied = `${away}/%f`;
  const archive = `PGDATA=${fenced} ${LAUNCHER} --env-file ${world.envFile} ${copied} %f`;
  await world.cluster.configure({ archive_command: `cp %p ${copied} && cd ${away} && ${archive}` });
});
afterAll(() => world[Symbol.asyncDispose]());

const archived = (name: string): Promise<void> => eventually(name, () => doneNames(world.cluster).includes(name));

async function backup(): Promise<string> {
  const before = doneNames(world.cluster);
  // Waits until PostgreSQL has archived the last segment of it.
  await world.cluster.query("SELECT pg_backup_start('by hand', true); SELECT pg_backup_stop()");
  const isNew = (name: string): boolean => name.endsWith(".backup") && !before.includes(name);
  await eventually("the backup history", () => doneNames(world.cluster).some(isNew));
  return doneNames(world.cluster).find(isNew) ?? "";
}

test("PostgreSQL archives segments, backup histories and a timeline's history through a command that copies them, and goes elsewhere", async () => {
  await archived(await world.switchWal());
  const history = await backup();
  expect(world.stored()).toContain(history);
  await world.cluster.stop();
  spawnSync("cp", ["-a", world.cluster.dataDir, older]);
  await world.cluster.start();
  await archived(await world.switchWal());
  await world.cluster.stop();
  writeFileSync(join(world.cluster.dataDir, "standby.signal"), "");
  await world.cluster.start();
  await world.cluster.query("SELECT pg_promote()");
  await archived("00000002.history");
  const segment = await world.switchWal();
  await archived(segment);
  expect(segment).toMatch(/^00000002/);
  const byHand = ["--env-file", world.envFile, join(away, segment), segment];
  expect(await world.run(byHand, { PGDATA: fenced })).toMatchObject({ status: 0 });
  expect(world.stored()).toEqual(expect.arrayContaining(["00000002.history", `${segment}.zst`]));
  expect(readdirSync(away)).toEqual(expect.arrayContaining([history, "00000002.history", segment]));
});

test("what PostgreSQL writes of a recovery that followed a timeline, and stopped before its fork, is archived", async () => {
  const { cluster } = world;
  const forks = readFileSync(join(away, "00000002.history"), "utf8");
  await cluster.stop();
  // By hand, from a copy of the stopped server that is older than timeline 2.
  renameSync(cluster.dataDir, `${cluster.dataDir}.later`);
  renameSync(older, cluster.dataDir);
  writeFileSync(join(cluster.dataDir, "recovery.signal"), "");
  const settings = [
    `restore_command = 'cp ${away}/%f %p'`,
    "recovery_target = 'immediate'",
    "recovery_target_timeline = 'latest'",
    "recovery_target_action = 'promote'",
  ];
  appendFileSync(join(cluster.dataDir, "postgresql.auto.conf"), `${settings.join("\n")}\n`);
  await cluster.start();
  await archived("00000003.history");
  const history = readFileSync(join(away, "00000003.history"), "utf8");
  expect(history.startsWith(forks)).toBe(true);
  const [first, second] = [...history.matchAll(/^\d+\t0\/([0-9A-F]+)/gm)].map(([, lsn]) => parseInt(lsn ?? "", 16));
  expect(second).toBeLessThan(first ?? 0);
  expect(world.stored()).toContain("00000003.history");
  expect(parseTimelineHistory(history, 3).entries).toMatchObject([{ timeline: 1, switchLsn: BigInt(second ?? 0) }]);
  const segment = await world.switchWal();
  await archived(segment);
  expect(segment).toMatch(/^00000003/);
});

test("a backup history that a power loss cut off stops archiving until it is moved away, as is said", async () => {
  const { cluster } = world;
  const name = "000000010000000000000001.00000028.backup";
  const path = join(cluster.dataDir, "pg_wal", name);
  const ready = join(cluster.dataDir, "pg_wal", "archive_status", `${name}.ready`);
  const before = (await cluster.log()).length;
  for (const file of [path, ready]) {
    writeFileSync(
      file,
      file === path ? "START WAL LOCATION: 0/1000028 (file 000000010000000000000001)\nSTOP WAL LO" : "",
    );
    chownSync(file, serverUser().uid, serverUser().gid);
  }
  const segment = await world.switchWal();
  const said = async (): Promise<string> => (await cluster.log()).slice(before);
  await eventually("the way out", async () => (await said()).includes(`move it away (mv 'pg_wal/${name}' /tmp)`));
  expect(doneNames(cluster)).not.toContain(segment);
  spawnSync("mv", [path, away]);
  await archived(await world.switchWal());
  expect(doneNames(cluster)).toContain(segment);
  expect(existsSync(ready)).toBe(false);
  expect(world.stored()).not.toContain(name);
});

test("a copy archives nothing that way, until it is none", async () => {
  const { cluster } = world;
  writeFileSync(join(cluster.dataDir, COPY_MARK), "");
  const before = world.stored();
  const segment = await world.switchWal();
  await eventually("a refusal", async () => (await cluster.log()).includes("it is a copy of the cluster"));
  expect(world.stored()).toEqual(before);
  const byHand = ["--env-file", world.envFile, join(away, segment), segment];
  expect((await world.run(byHand, { PGDATA: world.directory })).stderr).toContain("it is a copy of the cluster");
  rmSync(join(cluster.dataDir, COPY_MARK));
  await archived(segment);
  expect(world.stored()).toContain(`${segment}.zst`);
});
