import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { expect, test } from "vitest";
import { copyAsOld } from "../src/old-backup.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

async function labelsOf(world: SoarWorld): Promise<string[]> {
  const { backups } = JSON.parse((await world.run("soar-base-backup", ["list", "--json"])).stdout) as {
    backups: { label: string }[];
  };
  return backups.map(({ label }) => label);
}

test("the options of take, its expiry, and what is told of it", { timeout: 120_000 }, async () => {
  await using world = await createSoarWorld({ installation: requireInstallation(), initdbArgs: ["--data-checksums"] });
  const { cluster, directory } = world;
  const sendmail = join(directory, "sendmail");
  writeFileSync(sendmail, `#!/bin/sh\ncat >> ${directory}/mail\n`);
  chmodSync(sendmail, 0o755);
  const settings = {
    BACKUP_SENDMAIL: sendmail,
    BACKUP_NOTIFY_EMAIL: "dba@example.com",
    BACKUP_METRICS_FILE: join(directory, "base.prom"),
    BACKUP_RETENTION_COUNT: "1",
  };
  await cluster.query("CHECKPOINT");

  const spread = await world.run(
    "soar-base-backup",
    ["take", "--label", "2025-03-03", "--checkpoint", "spread", "--rate-limit", "1GiB", "--no-expire"],
    { settings },
  );
  expect(spread, spread.stderr).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^2025-03-03 {2}2025-03-03, full, /) as string,
  });
  expect(await cluster.log()).toContain("checkpoint starting: force wait");
  expect(readFileSync(settings.BACKUP_METRICS_FILE, "utf8")).toMatch(
    /^backup_base_last_success_timestamp_seconds \d+/m,
  );
  expect(readFileSync(join(directory, "mail"), "utf8")).toContain("base backup 2025-03-03 completed");
  const again = await world.run("soar-base-backup", ["take", "--label", "2025-03-03"], { settings });
  expect(again).toMatchObject({
    status: 66,
    stderr: expect.stringContaining("the label '2025-03-03' is taken") as string,
  });

  for (const old of ["2025-01-01", "2025-01-02"]) await copyAsOld(world, "2025-03-03", old);
  expect(
    (await world.run("soar-base-backup", ["take", "--label", "2025-03-04", "--no-expire"], { settings })).status,
  ).toBe(0);
  expect(await labelsOf(world)).toEqual(["2025-01-01", "2025-01-02", "2025-03-03", "2025-03-04"]);
  const expiring = await world.run("soar-base-backup", ["take", "--label", "2025-03-05"], { settings });
  expect(expiring, expiring.stderr).toMatchObject({
    status: 0,
    stderr: expect.stringContaining("expired backup 2025-01-01") as string,
  });
  expect(await labelsOf(world)).toEqual(["2025-01-02", "2025-03-03", "2025-03-04", "2025-03-05"]);

  await copyAsOld(world, "2025-03-03", "2025-01-03");
  const refuse = (): void =>
    void world.s3.inject({
      operation: "DeleteObjects",
      times: "always",
      fault: { type: "error", status: 403, code: "AccessDenied", message: "Access Denied" },
    });
  refuse();
  const unexpired = await world.run("soar-base-backup", ["take", "--label", "2025-03-07"], { settings });
  expect(unexpired).toMatchObject({
    status: 71,
    stdout: expect.stringContaining("2025-03-07") as string,
    stderr: expect.stringMatching(
      /backup '2025-03-07' is complete, but what follows it failed: unable to remove \d+ objects from .*: access is denied/,
    ) as string,
  });
  world.s3.clearFaults();

  await damagePage(world);
  refuse();
  const both = await world.run("soar-base-backup", ["take", "--label", "2025-03-08"], { settings });
  expect(both).toMatchObject({
    status: 68,
    stderr: expect.stringMatching(
      /'2025-03-08' was kept, but 1 files .* have damaged pages: .*; nor did expiry succeed: /,
    ) as string,
  });
  world.s3.clearFaults();
  const damaged = await world.run("soar-base-backup", ["take", "--label", "2025-03-06"], { settings });
  expect(damaged).toMatchObject({
    status: 68,
    stdout: expect.stringContaining("2025-03-06") as string,
    stderr: expect.stringMatching(
      /backup '2025-03-06' was kept, but 1 files of the server have damaged pages: 'base\/\d+\/\d+' blocks 3/,
    ) as string,
  });
  expect(readFileSync(settings.BACKUP_METRICS_FILE, "utf8")).toMatch(
    /^backup_base_damaged_files 1$[^]*^backup_base_last_run_failed 1$/m,
  );
  expect(readFileSync(join(directory, "mail"), "utf8")).toContain("base backup 2025-03-06 needs attention");
  expect((await world.run("soar-base-backup", ["list"])).stdout).toMatch(/^2025-03-06 +full +bad pages/m);
});

async function damagePage({ cluster }: SoarWorld): Promise<void> {
  await cluster.query("CREATE TABLE t AS SELECT n, md5(n::text) FROM generate_series(1, 20000) n; CHECKPOINT");
  const [file] = await cluster.query<{ path: string }>("SELECT pg_relation_filepath('t') AS path");
  await cluster.stop();
  const handle = await open(join(cluster.dataDir, String(file?.path)), "r+");
  await handle.write(Buffer.from("damaged"), 0, 7, 3 * 8192 + 4000);
  await handle.close();
  await cluster.start();
}

test("compression levels: what is stored follows them, and one that a codec does not have stores nothing", async () => {
  await using world = await createSoarWorld({ installation: requireInstallation() });
  const { cluster } = world;
  const storedBytes = async (level: string, compression = "zstd"): Promise<number> => {
    const settings = { BACKUP_COMPRESSION: compression, BACKUP_COMPRESSION_LEVEL: level };
    const taken = await world.run("soar-base-backup", ["take", "--json", "--no-expire"], { settings });
    expect(taken, taken.stderr).toMatchObject({ status: 0 });
    return (JSON.parse(taken.stdout) as { sizes: { stored: number } }).sizes.stored;
  };
  expect(await storedBytes("-7")).toBeGreaterThan((await storedBytes("9")) * 1.1);
  const before = await labelsOf(world);
  for (const [compression, level] of [
    ["gzip", "12"],
    ["none", "1"],
  ] as const) {
    const settings = { BACKUP_COMPRESSION: compression, BACKUP_COMPRESSION_LEVEL: level };
    expect(await world.run("soar-base-backup", ["take"], { settings })).toMatchObject({
      status: 10,
      stderr: expect.stringContaining(`there is no compression level ${level} of '${compression}'`) as string,
    });
  }
  expect(await labelsOf(world)).toEqual(before);

  const wal = join(cluster.dataDir, "pg_wal", "000000010000000000000001");
  const push = await world.run("soar-wal-archive", ["push", wal, "000000010000000000000001"], {
    settings: { BACKUP_WAL_COMPRESSION: "gzip", BACKUP_WAL_COMPRESSION_LEVEL: "12" },
  });
  expect(push).toMatchObject({
    status: 10,
    stderr: expect.stringContaining("there is no compression level 12 of 'gzip'") as string,
  });
});
