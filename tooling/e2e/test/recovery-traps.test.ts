import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { sha256Hex } from "@soar/repository";
import { putWalFile } from "@soar/repository/wal";
import { openStore, readObject, type ObjectStore } from "@soar/storage";
import { adoptTestCluster, requireInstallation } from "@soar-tooling/postgres-clusters";
import { freePort, type ProgramResult } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { archiveAll, databaseTime, passCheckpoint } from "../src/archiving.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

/** A server with one commit per segment behind its backup. */
let world: SoarWorld;
let store: ObjectStore;
let instant: string;
/** Places where a branch may have been left, by what they are. */
const places: Record<string, string> = {};
/** Keys of segments that a restore to the latest state needs, behind the first one. */
let segments: string[];

beforeAll(async () => {
  world = await createSoarWorld({ installation: requireInstallation("pg_ctl"), initdbArgs: ["--wal-segsize=1"] });
  const { cluster, s3, settings } = world;
  store = openStore({
    url: settings["BACKUP_BUCKET"] ?? "",
    endpoint: s3.endpoint,
    region: s3.region,
    credentials: s3,
  });
  await cluster.query("CREATE TABLE t (a int)");
  const backup = await world.run("soar-base-backup", []);
  if (backup.status !== 0) throw new Error(backup.stderr);
  const before = walKeys();
  await passCheckpoint(cluster);
  for (let a = 1; a <= 5; a += 1) {
    if (a === 4) {
      instant = await databaseTime(cluster);
      places["behind a page's header"] = await insertLsn();
      places["at the beginning of a segment"] = places["behind a page's header"].replace(/.{5}$/, "00000");
    }
    await cluster.query("INSERT INTO t VALUES ($1)", [a]);
    if (a === 4) {
      places["in the middle of a segment"] = await insertLsn();
      await cluster.query("INSERT INTO t VALUES (40)");
    }
    await archiveAll(cluster);
  }
  segments = walKeys().filter((key) => !before.includes(key));
});
afterAll(async () => {
  await store.close();
  await world[Symbol.asyncDispose]();
});

const insertLsn = async (): Promise<string> =>
  (await world.cluster.query<{ lsn: string }>("SELECT pg_current_wal_insert_lsn()::text AS lsn"))[0]?.lsn ?? "";
const walKeys = (): string[] =>
  [...world.s3.objects().keys()].flatMap((key) => /^cluster1\/(wal\/[0-9A-F]{24}\.zst)$/.exec(key)?.[1] ?? []).sort();

interface Copy {
  readonly dataDir: string;
  run(...args: readonly string[]): Promise<ProgramResult>;
}

async function newCopy(name: string): Promise<Copy> {
  const dataDir = join(world.directory, name);
  const port = String(await freePort());
  const settings = { BACKUP_FETCH_TIMEOUT: "2s", BACKUP_RETRY_DEADLINE: "2s" };
  return {
    dataDir,
    run: (...args) =>
      world.run("soar-restore", [...args, "--data-dir", dataDir, "--port", port, "--yes", "--json"], { settings }),
  };
}

async function rowsOf({ dataDir }: Copy): Promise<unknown> {
  await using cluster = await adoptTestCluster({ installation: world.cluster.installation, dataDir, start: false });
  await cluster.stop();
  await cluster.start();
  const [row] = await cluster.query<{ rows: number[] }>("SELECT array_agg(a ORDER BY a) AS rows FROM t");
  await cluster.stop();
  return row?.rows;
}

/** Runs a restore whose plan is made, and is not carried out yet, while something happens. */
async function restoreMeanwhile(copy: Copy, happen: () => Promise<void>): Promise<ProgramResult> {
  const stall = world.s3.inject({
    operation: "GetObject",
    key: /index\.zst$/,
    times: "always",
    fault: { type: "stall" },
  });
  const running = copy.run("--latest");
  await stall.firstHit;
  await happen();
  stall.remove();
  stall.release();
  return running;
}

describe("what happens to a planned segment behind the plan's back never ends recovery early (safety, trap 29):", () => {
  const victim = (): string => segments[2] ?? "";
  const replace = async (bytes: Buffer | undefined): Promise<void> => {
    await store.remove([victim()]);
    if (bytes !== undefined) await store.put(victim(), bytes);
  };
  const flipped = (bytes: Buffer): Buffer => {
    const copy = Buffer.from(bytes);
    copy.writeUInt8(copy.readUInt8(30) ^ 1, 30);
    return copy;
  };

  test.each<[string, (bytes: Buffer) => Promise<void>]>([
    ["it is removed", () => replace(undefined)],
    ["one byte of it is flipped", (bytes) => replace(flipped(bytes))],
    [
      "the provider fails for it",
      async () =>
        void (await Promise.resolve(
          world.s3.inject({
            operation: "GetObject",
            key: new RegExp(`${victim()}$`),
            times: "always",
            fault: { type: "busy" },
          }),
        )),
    ],
    [
      "its permission is taken away",
      async () =>
        void (await Promise.resolve(
          world.s3.inject({
            operation: "GetObject",
            key: new RegExp(`${victim()}$`),
            times: "always",
            fault: { type: "error", status: 403, code: "AccessDenied" },
          }),
        )),
    ],
  ])(
    "when %s the server stops, and the same command goes on when it is mended",
    { timeout: 120_000 },
    async (what, happen) => {
      const copy = await newCopy(what.replaceAll(" ", "-"));
      const bytes = await readObject(store, victim());
      const result = await restoreMeanwhile(copy, () => happen(bytes));
      expect(result.status, result.stderr).toBe(96);
      expect(result.stderr).toMatch(/FATAL|terminated/);
      // Nothing was promoted: recovery is where it was.
      expect([
        existsSync(join(copy.dataDir, "recovery.signal")),
        readdirSync(join(copy.dataDir, "pg_wal")).filter((name) => name.endsWith(".history")),
      ]).toEqual([true, []]);
      world.s3.clearFaults();
      await replace(bytes);
      const again = await copy.run("--latest");
      expect(again, again.stderr).toMatchObject({ status: 0 });
      expect(await rowsOf(copy)).toEqual([1, 2, 3, 4, 5, 40]);
    },
  );
});

test.each(["at the beginning of a segment", "behind a page's header", "in the middle of a segment"])(
  "a timeline of which only the history was archived, and that began %s, is not reached, and its parent only when it is named (safety, trap 30)",
  { timeout: 120_000 },
  async (place) => {
    const history = Buffer.from(`1\t${places[place]}\tno recovery target specified\n`);
    async function* open(): AsyncGenerator<Buffer> {
      yield await Promise.resolve(history);
    }
    await putWalFile(
      store,
      { name: "00000002.history", size: history.length, sha256: sha256Hex(history), open },
      { codec: "none" },
    );
    try {
      const copy = await newCopy(`history-only-${place.length}`);
      const refused = await copy.run("--latest");
      expect(refused).toMatchObject({ status: 53, stdout: "" });
      expect(refused.stderr).toMatch(
        /timeline 2 cannot be reached: it begins at .*, and none of its WAL is in the bucket/,
      );
      expect(refused.stderr).toContain("--target-timeline 1 (its WAL in the bucket ends at");
      expect(existsSync(join(copy.dataDir, "PG_VERSION"))).toBe(false);
      const restored = await copy.run("--latest", "--target-timeline", "1");
      expect(restored, restored.stderr).toMatchObject({ status: 0 });
      // One more than the newest that the bucket knows.
      expect((JSON.parse(restored.stdout) as { timeline: number }).timeline).toBe(3);
      expect(await rowsOf(copy)).toEqual([1, 2, 3, 4, 5, 40]);
    } finally {
      await store.remove(["wal/00000002.history"]);
    }
  },
);

test("an instant means the same with an offset, in a named zone and in the machine's, and is shown in UTC (safety, trap 33)", async () => {
  const [date = "", time = ""] = instant.replace(/\+00$/, "").split(" ");
  const local =
    new Date(Date.parse(`${date}T${time.slice(0, 12)}Z`) + 5.5 * 3_600_000)
      .toISOString()
      .slice(0, 23)
      .replace("T", " ") + time.slice(12);
  const where = ["--data-dir", join(world.directory, "planned")];
  const plan = async (
    args: readonly string[],
    settings: Readonly<Record<string, string>> = {},
  ): Promise<ProgramResult> => world.run("soar-restore", ["plan", ...where, ...args], { settings });
  const shown = await Promise.all([
    plan(["--target-time", instant], { TZ: "America/New_York" }),
    plan(["--target-time", `${local}+05:30`], { TZ: "America/New_York" }),
    plan(["--target-time", local, "--timezone", "Asia/Kolkata"], { TZ: "America/New_York" }),
    plan(["--target-time", local], { TZ: "Asia/Kolkata" }),
  ]);
  for (const { status, stdout, stderr } of shown) {
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(new RegExp(`^target: +time ${date} ${time.replaceAll(".", "\\.")}\\+00`, "m"));
    expect(stdout).toMatch(/^recovery ends: +at 0\/[0-9A-F]+$/m);
  }
  rmSync(join(world.directory, "planned"), { recursive: true, force: true });
});
