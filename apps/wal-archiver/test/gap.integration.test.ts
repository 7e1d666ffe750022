import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ArchiverStatus } from "@soar/archive/status";
import type { GapRecord } from "@soar/repository/markers";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import {
  createArchiverWorld,
  doneNames,
  eventually,
  readWal,
  type ArchiverWorld,
  type Ended,
} from "./archiver-world.fixture.ts";

const BINARIES = fileURLToPath(new URL("../../../node_modules/.bin", import.meta.url));

let world: ArchiverWorld;
beforeAll(async () => {
  world = await createArchiverWorld({ settings: { archive_timeout: "0", wal_keep_size: "1GB" } });
  const first = await world.switchWal();
  await eventually("the repository", () => doneNames(world.cluster).includes(first));
});
afterAll(() => world[Symbol.asyncDispose]());

/** Segments that the provider takes from nobody. */
async function stuckSegments(count: number): Promise<string[]> {
  const all = world.s3.inject({
    operation: "PutObject",
    key: /wal\//,
    times: "always",
    fault: { type: "error", status: 403, code: "QuotaExceeded" },
  });
  const names: string[] = [];
  for (let n = 0; n < count; n += 1) names.push(await world.switchWal());
  await all.firstHit;
  world.s3.clearFaults();
  world.s3.inject({
    operation: "PutObject",
    key: new RegExp(`wal/(?:${names.join("|")})`),
    times: "always",
    fault: { type: "error", status: 403, code: "QuotaExceeded" },
  });
  return names;
}

const declare = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> =>
  world.run(
    [
      "gap",
      "declare",
      "--env-file",
      world.envFile,
      "--data-dir",
      world.cluster.dataDir,
      "--reason",
      "the quota",
      ...args,
    ],
    env,
  );
const gapKeys = (): string[] => [...world.s3.objects().keys()].filter((key) => key.startsWith("one/config/gaps/"));
async function status(): Promise<ArchiverStatus> {
  const { stdout } = await world.run([
    "status",
    "--json",
    "--env-file",
    world.envFile,
    "--data-dir",
    world.cluster.dataDir,
  ]);
  return JSON.parse(stdout) as ArchiverStatus;
}

describe("without a resident archiver", () => {
  let names: string[];
  beforeAll(async () => {
    names = await stuckSegments(3);
  });
  const [first, last] = [(): string => names[0] ?? "", (): string => names.at(-1) ?? ""];

  test("it is refused without agreement, and the plan says in words what is lost", async () => {
    const refused = await declare([]);
    expect(refused.status).toBe(3);
    for (const part of [
      `from ${first()}`,
      `to   ${last()}`,
      "the bucket lacks 3",
      "Nothing else is deleted",
      "A base backup begins at once",
      "if you start it: soar-base-backup is not to be found here",
      "give pg_wal more room",
    ])
      expect(refused.stderr.replaceAll(/\s+/g, " ")).toContain(part.replaceAll(/\s+/g, " "));
    expect(gapKeys()).toEqual([]);
  });

  test("it is refused for WAL that does not exist yet, for two timelines, and for what the bucket holds", async () => {
    expect(await declare(["--yes", "--to", "0000000100000000000000FF"])).toMatchObject({
      status: 64,
      stderr: expect.stringContaining(`the newest finished segment is '${last()}'`) as string,
    });
    expect(await declare(["--yes", "--from", "000000020000000000000001"])).toMatchObject({
      status: 64,
      stderr: expect.stringContaining("of different timelines") as string,
    });
    const stored = world.stored()[0]?.replace(".zst", "") ?? "";
    expect(await declare(["--yes", "--from", stored, "--to", stored])).toMatchObject({
      status: 64,
      stderr: expect.stringContaining("the bucket holds all of") as string,
    });
    expect(gapKeys()).toEqual([]);
  });

  test("it is refused when the bucket cannot be told, with what else helps, and archive_command goes on failing", async () => {
    const refused = await declare(["--yes"], { AWS_ENDPOINT_URL: "http://127.0.0.1:1", BACKUP_RETRY_DEADLINE: "1s" });
    expect(refused).toMatchObject({
      status: 30,
      stderr: expect.stringContaining("Nothing was changed. Give pg_wal more room") as string,
    });
    expect((await world.run(["--env-file", world.envFile, `pg_wal/${first()}`, first()])).status).toBe(33);
    expect(names.every((name) => existsSync(join(world.cluster.dataDir, "pg_wal", name)))).toBe(true);
  });

  test(
    "declared: alarm, success with a warning for each segment and nothing stored, PostgreSQL goes on, and a base backup is taken",
    { timeout: 120_000 },
    async () => {
      const alarms: string[] = [];
      const webhook = createServer((request, response) => {
        request.setEncoding("utf8").on("data", (text: string) => alarms.push(text));
        request.on("end", () => response.end());
      }).listen(0, "127.0.0.1");
      onTestFinished(() => void webhook.close());
      await new Promise((resolve) => webhook.once("listening", resolve));
      const bytes = names.map((name) => readWal(world.cluster, name));
      const declaring = world.start(
        [
          "gap",
          "declare",
          "--env-file",
          world.envFile,
          "--data-dir",
          world.cluster.dataDir,
          "--reason",
          "the quota",
          "--yes",
          "--json",
        ],
        {
          PATH: `${BINARIES}:${dirname(process.execPath)}:/usr/bin:/bin`,
          BACKUP_NOTIFY_SLACK_WEBHOOK: `http://127.0.0.1:${(webhook.address() as AddressInfo).port}/`,
        },
      );
      // The command goes on with the base backup.
      await Promise.race([
        eventually("the record", () => gapKeys().length === 1),
        declaring.ended.then(({ stderr, stdout }) => expect.fail(`${stderr}${stdout}`)),
      ]);
      // PostgreSQL tries again by itself within a minute; the next segment wakes it at once.
      const next = await world.switchWal();
      await eventually("PostgreSQL to go on", () =>
        [...names, next].every((name) => doneNames(world.cluster).includes(name)),
      );
      const declared = await declaring.ended;
      expect(declared, declared.stderr).toMatchObject({ status: 0 });
      expect(JSON.parse(declared.stdout)).toMatchObject({
        from: first(),
        to: last(),
        reason: "the quota",
        declaredBy: expect.stringContaining("@") as string,
      } satisfies Partial<Record<keyof GapRecord, unknown>>);
      expect(gapKeys()).toEqual([`one/config/gaps/${first()}-${last()}.json`]);
      expect(alarms.join("")).toContain(`gave up WAL ${first()} to ${last()}`);
      expect(world.stored().filter((key) => names.some((name) => key.startsWith(`${name}.z`)))).toEqual([]);
      expect([...world.s3.objects().keys()].filter((key) => key.endsWith("/backup.json"))).toHaveLength(1);
      const log = await world.cluster.log();
      for (const name of names)
        expect(log).toContain(
          `WAL segment '${name}' was given up and is not in the bucket: it lies in the gap ${first()} to ${last()}`,
        );
      // It stays PostgreSQL's to remove them.
      expect(
        names.map((name) => readWal(world.cluster, name).equals(bytes[names.indexOf(name)] ?? Buffer.alloc(0))),
      ).toEqual([true, true, true]);
    },
  );

  test("the hole is seen: gap list, status, and the same command again changes nothing", async () => {
    const listed = await world.run(["gap", "list", "--json", "--env-file", world.envFile]);
    expect(JSON.parse(listed.stdout)).toMatchObject([{ from: first(), to: last(), reason: "the quota" }]);
    expect((await world.run(["gap", "list", "--env-file", world.envFile])).stdout).toContain(`${first()}  ${last()}`);
    // The base backup began behind the gap.
    expect(await status()).toMatchObject({
      missing: [],
      gaps: [{ from: first(), to: last(), isOpen: false }],
      givenUpTotal: expect.any(Number) as number,
    });
    const before = world.s3.objects().get(gapKeys()[0] ?? "")?.etag;
    expect(await declare(["--yes", "--no-base-backup", "--from", first(), "--to", last()])).toMatchObject({
      status: 0,
    });
    expect(world.s3.objects().get(gapKeys()[0] ?? "")?.etag).toEqual(before);
  });
});

test("with the resident archiver the same holds, and the gap is open until there is a base backup", async () => {
  const names = await stuckSegments(2);
  await world.startDaemon(["--tail-interval", "off"]);
  await eventually("failures", async () => (await status()).lastFailure?.code === "STORE_QUOTA");
  const declared = await declare(["--yes", "--no-base-backup"]);
  expect(declared).toMatchObject({
    status: 0,
    stderr: expect.stringContaining("take a base backup at once") as string,
  });
  const next = await world.switchWal();
  await eventually("PostgreSQL to go on", () =>
    [...names, next].every((name) => doneNames(world.cluster).includes(name)),
  );
  expect(world.acknowledged().filter((name) => names.includes(name))).toEqual([]);
  expect(world.stored().filter((key) => names.some((name) => key.startsWith(`${name}.z`)))).toEqual([]);
  await eventually("status", async () => (await status()).gaps.some(({ from, isOpen }) => from === names[0] && isOpen));
  expect(await status()).toMatchObject({ isResident: true, queueDepth: 0 });
  for (const name of names) expect(await world.cluster.log()).toContain(`WAL segment '${name}' was given up`);
});
