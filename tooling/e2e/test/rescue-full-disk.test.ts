// @module-tag needs-mount
// @module-tag needs-postgres-clients
import { appendFileSync, readdirSync, readlinkSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { type Mounted, mountSmallDisk, type ProgramResult } from "@soar-tooling/test-bench";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";
import { waitUntil } from "../src/wait-until.ts";

/** As much as a rescue asks for before it begins, and not as much as it then finds. */
const DISK_MIB = 600;
const MIB = 2 ** 20;

const cleanUp = new AsyncDisposableStack();
let world: SoarWorld;
let disk: Mounted;

beforeAll(async () => {
  disk = cleanUp.use(mountSmallDisk(DISK_MIB));
  world = cleanUp.use(
    await createSoarWorld({
      installation: requireInstallation("pg_dump", "pg_restore"),
      databases: ["soar"],
      initdbArgs: ["--wal-segsize=1"],
    }),
  );
  // Nothing that compresses: the dump is as large.
  await world.cluster.query(
    "CREATE TABLE noise AS SELECT n, sha256(n::text::bytea) || sha256((-n)::text::bytea) AS bytes FROM generate_series(1, 400000) n",
    [],
    "soar",
  );
  const backup = await world.run("soar-base-backup", []);
  if (backup.status !== 0) throw new Error(backup.stderr);
  await world.cluster.query("UPDATE noise SET n = -n WHERE n % 200 = 0", [], "soar");
  await archiveAll(world.cluster);
});
afterAll(() => cleanUp.disposeAsync());
afterEach(() => {
  world.s3.clearFaults();
  rmSync(join(disk.path, "filler"), { force: true });
});

/** Somebody else writes to it, until no more than this many bytes are left. */
function fill(path: string, leave: number): void {
  for (;;) {
    const { bavail, bsize } = statfsSync(path);
    if (bavail * bsize <= leave) return;
    try {
      appendFileSync(join(path, "filler"), Buffer.alloc(Math.min(8 * MIB, bavail * bsize - leave)));
    } catch (error) {
      // The rescue writes, too.
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }
}

/** Fills the disk when an object of this kind is asked for again, which was read as often while the rescue was planned. */
async function rescueFilling(
  mounted: Mounted,
  { key, skip, leave }: { readonly key: RegExp; readonly skip: number; readonly leave: number },
  args: readonly string[],
): Promise<ProgramResult> {
  const stall = world.s3.inject({ operation: "GetObject", key, skip, times: "always", fault: { type: "stall" } });
  const running = world.run("soar-restore", [...args, "--latest", "--database", "soar", "--temp-dir", mounted.path]);
  await stall.firstHit;
  fill(mounted.path, leave);
  stall.remove();
  stall.release();
  return running;
}

async function walReadsOfPlan(args: readonly string[]): Promise<number> {
  const before = world.s3.requests.length;
  await world.run("soar-restore", [...args, "--latest", "--database", "soar", "--dry-run"]);
  return world.s3.requests.slice(before).filter(({ method, key }) => method === "GET" && WAL.test(key)).length;
}

const BACKUP = /backup\.tar\.gz$/;
const WAL = /\/wal\/[0-9A-F]{24}\.zst$/;
const DATABASE = ["--target-database", "rescued", "--no-destructive"];
const TABLE = ["table", "noise", "--into", "postgres"];

async function expectNothingLeft(mounted: Mounted): Promise<void> {
  rmSync(join(mounted.path, "filler"));
  expect(readdirSync(mounted.path)).toEqual([]);
  expect(await world.cluster.query("SELECT datname FROM pg_database WHERE datname LIKE 'rescued%'")).toEqual([]);
  expect(await world.cluster.query("SELECT to_regclass('noise') AS found")).toEqual([{ found: null }]);
  await waitUntil("the scratch server to be gone", async () =>
    Promise.resolve(!workplaces().some((path) => path.startsWith(mounted.path))),
  );
}

/** Where processes work: servers do in their data directory. */
const workplaces = (): string[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((id) => {
      try {
        return readlinkSync(`/proc/${id}/cwd`);
      } catch {
        return "";
      }
    });

test.each([
  ["one database", DATABASE],
  ["a table", TABLE],
])(
  "a disk that fills up while files are fetched for %s ends the rescue, and nothing is left",
  { timeout: 120_000 },
  async (_, args) => {
    const result = await rescueFilling(disk, { key: BACKUP, skip: 1, leave: 0 }, args);
    expect(result).toMatchObject({
      status: 22,
      stderr: expect.stringMatching(
        /unable to write '.*': the file system is full \(ENOSPC\)\nhint: Make room/,
      ) as string,
    });
    await expectNothingLeft(disk);
  },
);

test.each([
  ["one database", DATABASE],
  ["a table", TABLE],
])("while WAL is replayed for %s", { timeout: 120_000 }, async (_, args) => {
  const result = await rescueFilling(disk, { key: WAL, skip: await walReadsOfPlan(args), leave: 0 }, args);
  expect(result).toMatchObject({
    status: 22,
    stderr: expect.stringMatching(
      /error: .*(?:the file system is full|No space left on device)[^]*hint: Free space/,
    ) as string,
  });
  await expectNothingLeft(disk);
});

test.each([
  ["one database", DATABASE],
  ["a table", TABLE],
])("while %s is dumped", { timeout: 120_000 }, async (_, args) => {
  const result = await rescueFilling(disk, { key: WAL, skip: await walReadsOfPlan(args), leave: 24 * MIB }, args);
  expect(result).toMatchObject({
    status: 22,
    stderr: expect.stringMatching(
      /error: unable to run 'pg_dump': .*No space left on device.*\nhint: Free space, or name a directory on a larger file system with --temp-dir/,
    ) as string,
  });
  await expectNothingLeft(disk);
});
