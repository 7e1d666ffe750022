import { chownSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { serverUser } from "@soar-tooling/test-bench";
import { COPY_MARK } from "@soar/repository";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createArchiverWorld, doneNames, eventually, LAUNCHER, type ArchiverWorld } from "./archiver-world.fixture.ts";

/** Where the operator's command copies each file to before it hands it on. */
let away: string;
let world: ArchiverWorld;
beforeAll(async () => {
  world = await createArchiverWorld({ archiveCommand: "false", settings: { archive_timeout: "0" } });
  away = join(world.directory, "away");
  mkdirSync(away);
  chownSync(away, serverUser().uid, serverUser().gid);
  const copied = `${away}/%f`;
  await world.cluster.configure({
    archive_command: `cp %p ${copied} && ${LAUNCHER} --env-file ${world.envFile} ${copied} %f`,
  });
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

test("PostgreSQL archives segments, backup histories and a timeline's history through a command that copies them first", async () => {
  await archived(await world.switchWal());
  const history = await backup();
  expect(world.stored()).toContain(history);
  await world.cluster.stop();
  writeFileSync(join(world.cluster.dataDir, "standby.signal"), "");
  await world.cluster.start();
  await world.cluster.query("SELECT pg_promote()");
  await archived("00000002.history");
  const segment = await world.switchWal();
  await archived(segment);
  expect(segment).toMatch(/^00000002/);
  expect(world.stored()).toEqual(expect.arrayContaining(["00000002.history", `${segment}.zst`]));
  expect(readdirSync(away)).toEqual(expect.arrayContaining([history, "00000002.history", segment]));
});

test("a copy archives nothing that way, until it is none", async () => {
  const { cluster } = world;
  writeFileSync(join(cluster.dataDir, COPY_MARK), "");
  const before = world.stored();
  const segment = await world.switchWal();
  await eventually("a refusal", async () => (await cluster.log()).includes("it is a copy of the cluster"));
  expect(world.stored()).toEqual(before);
  rmSync(join(cluster.dataDir, COPY_MARK));
  await archived(segment);
  expect(world.stored()).toContain(`${segment}.zst`);
});
