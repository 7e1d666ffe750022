// @module-tag needs-mount
import {
  chownSync,
  closeSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { freePort, type Mounted, mountSmallDisk, type ProgramResult, serverUser } from "@soar-tooling/test-bench";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

const MIB = 2 ** 20;
const DISK_MIB = 100;
/** Three disks, of which a little is there. */
const SPARSE_BYTES = 300 * MIB;
/** For what is there, and the 256 MiB that are kept free for WAL: less than with one of the sparse files. */
const SCRATCH_DISK_MIB = 500;
const CONTENT = "at the end";

let world: SoarWorld;
/** Holds a sparse file, and a file that is no hole anywhere and larger than the disk. */
let labels: { sparse: string; solid: string };
let disk: Mounted;
let dataDir: string;

beforeAll(async () => {
  world = await createSoarWorld({ installation: requireInstallation("pg_ctl"), initdbArgs: ["--wal-segsize=1"] });
  const { cluster } = world;
  await cluster.query("CREATE TABLE rows AS SELECT generate_series(1, 1000) AS n");
  const space = cluster.tablespaceDir("fast");
  await cluster.query(`CREATE TABLESPACE fast LOCATION '${space}'`);
  fill("sparse", sparse);
  const first = await takeBackup();
  fill("solid", (file) => {
    for (let at = 0; at < DISK_MIB + 20; at += 1) writeSync(file, Buffer.alloc(MIB, 1));
  });
  labels = { sparse: first, solid: await takeBackup() };
  rmSync(join(cluster.dataDir, "solid"));
  await archiveAll(cluster);
}, 240_000);
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => {
  disk = mountSmallDisk(DISK_MIB);
  dataDir = join(disk.path, "data");
});
afterEach(async () => {
  await world.cluster.runProgram("pg_ctl", ["-D", dataDir, "-m", "immediate", "stop"], { mayFail: true });
  disk[Symbol.dispose]();
});

function fill(name: string, write: (file: number) => void): void {
  const path = join(world.cluster.dataDir, name);
  const file = openSync(path, "w", 0o600);
  write(file);
  closeSync(file);
  chownSync(path, serverUser().uid, serverUser().gid);
}

function sparse(file: number): void {
  ftruncateSync(file, SPARSE_BYTES);
  writeSync(file, CONTENT, SPARSE_BYTES - CONTENT.length);
}

async function takeBackup(): Promise<string> {
  const { status, stdout, stderr } = await world.run("soar-base-backup", ["take", "--json", "--no-expire"]);
  expect(status, stderr).toBe(0);
  return (JSON.parse(stdout) as { label: string }).label;
}

async function restore(label: string, ...more: readonly string[]): Promise<ProgramResult> {
  const place = [
    "--data-dir",
    dataDir,
    "--tablespace-map",
    `${join(world.cluster.dataDir, "..", "fast")}=${join(disk.path, "fast")}`,
  ];
  return await world.run("soar-restore", [...more, "--base-backup", label, "--latest", ...place]);
}

/** Bytes that a file takes on the disk. */
const allocated = (path: string): number => statSync(path).blocks * 512;

describe("on a disk of 100 MiB", () => {
  test(
    "a cluster with a sparse file of 300 MiB is planned, restored with its holes, and restored over itself",
    { timeout: 240_000 },
    async () => {
      const plan = await restore(labels.sparse, "plan");
      expect(plan.status, plan.stderr).toBe(0);
      for (const more of [[], ["--delta"]]) {
        const port = ["--port", String(await freePort())];
        const done = await restore(labels.sparse, "--yes", ...port, ...more);
        expect(done.status, done.stderr).toBe(0);
        const path = join(dataDir, "sparse");
        expect(statSync(path).size).toBe(SPARSE_BYTES);
        expect(allocated(path)).toBeLessThan(4 * MIB);
        const bytes = readFileSync(path);
        expect(bytes.toString("utf8", SPARSE_BYTES - CONTENT.length)).toBe(CONTENT);
        expect(bytes.subarray(0, SPARSE_BYTES - MIB).equals(Buffer.alloc(SPARSE_BYTES - MIB))).toBe(true);
        await world.cluster.runProgram("pg_ctl", ["-D", dataDir, "-m", "fast", "stop"]);
      }
    },
  );

  test(
    "one that does not fit without its holes either is refused before anything is touched",
    { timeout: 120_000 },
    async () => {
      for (const more of [["plan"], ["--yes"]]) {
        const refused = await restore(labels.solid, ...more);
        expect(refused.status, refused.stderr).toBe(22);
        const [, needed, free] = /: (\d+) bytes are needed there, (\d+) are free/.exec(refused.stderr) ?? [];
        // The holes of the one file, and nothing of the other, are left out of what is needed.
        expect(Number(needed)).toBeGreaterThan((DISK_MIB + 20) * MIB);
        expect(Number(needed)).toBeLessThan((DISK_MIB + 80) * MIB);
        expect(Number(free)).toBeLessThanOrEqual(DISK_MIB * MIB);
        expect(refused.stderr).toContain("Nothing was changed");
        expect(readdirSync(disk.path)).toEqual([]);
      }
    },
  );
});

test(
  "a drill and a backup from the archive need no room for holes in their scratch clusters",
  { timeout: 240_000 },
  async () => {
    // Holes in full would be 450 MiB beside the WAL that a scratch server keeps.
    using roomy = mountSmallDisk(SCRATCH_DISK_MIB);
    const place = ["--temp-dir", roomy.path];
    // Where a relation's files lie: what is no part of a cluster is left out of a drill.
    fill("base/1/99999", sparse);
    onTestFinished(() => rmSync(join(world.cluster.dataDir, "base/1/99999")));
    await takeBackup();
    await archiveAll(world.cluster);
    const drill = await world.run("soar-backup-verify", ["drill", ...place]);
    expect(drill.status, drill.stderr).toBe(0);
    const taken = await world.run("soar-base-backup", ["take", "--from-archive", "--no-expire", ...place]);
    expect(taken.status, taken.stderr).toBe(0);
  },
);
