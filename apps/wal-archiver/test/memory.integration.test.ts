import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startS3ServerProcess } from "@soar-tooling/s3-server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ArchiverWorld, createArchiverWorld, doneNames, eventually, LAUNCHER } from "./archiver-world.fixture.ts";

const PIECE = 1024 ** 2;
/** The kernel's own high-water mark, which no sampling misses, in MB. */
const peakMb = (pid: number): number =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

/** WAL of encrypted or compressed columns: nothing of it comes twice within a segment. */
async function fillSegments({ cluster }: ArchiverWorld, count: number, mebibytes: number): Promise<void> {
  const path = join(cluster.dataDir, "random");
  for (let piece = 0; piece <= mebibytes; piece += 1)
    writeFileSync(path, randomBytes(PIECE), { flag: "a", mode: 0o644 });
  const ready = (): number =>
    readdirSync(join(cluster.dataDir, "pg_wal", "archive_status")).filter((name) => name.endsWith(".ready")).length;
  while (ready() < count)
    await cluster.query(
      `select pg_logical_emit_message(false, 'random', pg_read_binary_file('random', (n % ${mebibytes + 1})::bigint * ${PIECE}, ${PIECE})) from generate_series(1, ${mebibytes}) n`,
    );
}

describe.each([
  { mebibytes: 16, count: 24, limitMb: 230 },
  { mebibytes: 256, count: 3, limitMb: 300 },
])("WAL that does not compress, in segments of $mebibytes MiB", ({ mebibytes, count, limitMb }) => {
  let world: ArchiverWorld;
  let s3: Awaited<ReturnType<typeof startS3ServerProcess>>;
  beforeAll(async () => {
    s3 = await startS3ServerProcess({ bucket: "soar-backup" });
    world = await createArchiverWorld({
      endpoint: () => Promise.resolve(s3.endpoint),
      archiveCommand: "false",
      initdbArgs: [`--wal-segsize=${mebibytes}`],
      settings: { max_wal_size: "8GB", min_wal_size: `${2 * mebibytes}MB`, fsync: "off" },
    });
    world.writeEnvFile({ AWS_ACCESS_KEY_ID: s3.accessKeyId, AWS_SECRET_ACCESS_KEY: s3.secretAccessKey });
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await s3.close();
  });

  test(`drains with less than ${limitMb} MB`, async () => {
    await fillSegments(world, count, mebibytes);
    const daemon = await world.startDaemon(["--jobs", "4", "--tail-interval", "off", "--archive-timeout", "300s"]);
    await world.cluster.configure({ archive_command: `${LAUNCHER} --env-file ${world.envFile} %p %f` });
    await eventually("all to be archived", () => doneNames(world.cluster).length >= count, 100_000);
    expect(peakMb(daemon.child.pid ?? 0)).toBeLessThan(limitMb);
  });
});
