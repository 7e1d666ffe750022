import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { ArchiverStatus } from "@soar/archive/status";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createArchiverWorld, doneNames, eventually, type ArchiverWorld } from "./archiver-world.fixture.ts";

let world: ArchiverWorld;
beforeAll(async () => {
  world = await createArchiverWorld({ settings: { archive_timeout: "0" } });
});
afterAll(() => world[Symbol.asyncDispose]());

async function status(): Promise<{ json: ArchiverStatus; text: string }> {
  const args = ["status", "--env-file", world.envFile, "--data-dir", world.cluster.dataDir];
  const [json, text] = [await world.run([...args, "--json"]), await world.run(args)];
  return { json: JSON.parse(json.stdout) as ArchiverStatus, text: text.stdout.replaceAll(/\s+/g, " ") };
}
const under = (prefix: string): Map<string, string> =>
  new Map(
    [...world.s3.objects()].filter(([key]) => key.startsWith(`${prefix}/wal/`)).map(([key, { etag }]) => [key, etag]),
  );

test(
  "a volume that was rolled back is recognised by command and tail, and a new epoch goes on from there",
  { timeout: 120_000 },
  async () => {
    const { cluster } = world;
    const snapshot = join(world.directory, "snapshot");
    await world.switchWal();
    await cluster.stop("fast");
    execFileSync("cp", ["-a", cluster.dataDir, snapshot]);
    await cluster.start();
    const names = [await world.switchWal(), await world.switchWal()];
    await eventually("the first history", () => names.every((name) => doneNames(cluster).includes(name)));
    const before = under("one");

    await cluster.stop("fast");
    rmSync(cluster.dataDir, { recursive: true });
    execFileSync("cp", ["-a", snapshot, cluster.dataDir]);
    await cluster.start();
    await cluster.query("create table another_history (n int)");
    const conflicting = await world.switchWal();
    await eventually("the command to refuse it", async () => (await cluster.log()).includes("holds other bytes"));
    expect(await cluster.log()).toContain("Begin a new archive epoch");
    const daemon = await world.startDaemon();
    await eventually("the tail to stop", () => daemon.log().includes("the tail is not shipped any more"));
    expect(daemon.log()).toContain("Begin a new archive epoch");
    await eventually(
      "the archiver to refuse it too",
      async () => (await status()).json.lastFailure?.code === "WAL_CONFLICT",
    );
    const shown = await status();
    expect(shown.json.queueDepth).toBeGreaterThan(0);
    expect(shown.text).toContain("Begin a new archive epoch: set BACKUP_BUCKET to a new prefix");
    expect(under("one")).toEqual(before);
    expect(doneNames(cluster)).not.toContain(conflicting);

    // The steps of the runbook.
    world.writeEnvFile({ BACKUP_BUCKET: "s3://soar-backup/two" });
    daemon.child.kill("SIGTERM");
    await daemon.ended;
    await world.startDaemon();
    const next = await world.switchWal();
    await eventually("the second history", () =>
      [conflicting, next].every((name) => doneNames(cluster).includes(name)),
    );
    await eventually("nothing to wait", async () => (await status()).json.queueDepth === 0);
    expect([...under("two").keys()]).toEqual(
      expect.arrayContaining([`two/wal/${conflicting}.zst`, `two/wal/${next}.zst`]),
    );
    expect((await status()).json.missing).toEqual([]);
    expect(under("one")).toEqual(before);
  },
);
