import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServerFacts } from "@soar/pg-tools/replication";
import { postgresMajors } from "@soar-tooling/postgres-clusters";
import { mountSmallDisk, requires } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, expect, test } from "vitest";
import { examine, type Examination } from "./examination.ts";
import { examineMachine, type MachineExpectations } from "./examine-machine.ts";

const EXBIBYTE = 2 ** 60;
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "soar-machine-"));
  for (const name of ["data/global", "data/pg_wal", "spool", "temp"])
    mkdirSync(join(directory, name), { recursive: true });
});
afterEach(() => rmSync(directory, { recursive: true }));

async function look({
  versionNumber = 150_018,
  ...more
}: Partial<MachineExpectations> & { readonly versionNumber?: number } = {}): Promise<Record<string, Examination>> {
  const facts = { dataDirectory: join(directory, "data"), archiveCommand: "", versionNumber } as ServerFacts;
  const expected: MachineExpectations = {
    facts,
    envFile: undefined,
    spoolDir: join(directory, "spool"),
    tempDir: join(directory, "temp"),
    searchPath: "",
    binDir: undefined,
    databaseBytes: 1,
    maxWalBytes: 1,
    ...more,
  };
  const seen = await examine("machine", (notes) => examineMachine(expected, notes));
  return Object.fromEntries(seen.map((one) => [one.kind, one]));
}

test("a disk without room for WAL or a restore, and a missing one for temporary files, are told, with what to do", async () => {
  expect(await look()).toMatchObject({
    "wal-disk": { severity: "ok" },
    "restore-room": { severity: "ok" },
    "temp-disk": { severity: "ok" },
  });
  expect(await look({ maxWalBytes: EXBIBYTE })).toMatchObject({
    "wal-disk": { severity: "error", advice: expect.stringContaining("Never remove files from pg_wal") },
  });
  expect(await look({ databaseBytes: EXBIBYTE })).toMatchObject({
    "restore-room": { severity: "notice", advice: expect.stringContaining("--data-dir") },
  });
  expect(await look({ tempDir: join(directory, "none") })).toMatchObject({
    "temp-missing": { severity: "notice", advice: expect.stringContaining("install -d") },
  });
});

test("a small disk for temporary files is told", requires("mount"), async () => {
  using disk = mountSmallDisk(16);
  expect(await look({ tempDir: disk.path })).toMatchObject({
    "temp-disk": {
      severity: "warning",
      what: expect.stringMatching(/only \d+ MiB are free in .*scratch clusters/),
      advice: expect.stringContaining("Make room"),
    },
  });
});

test("a machine without the programs of the server's version cannot restore", async () => {
  const [installation] = postgresMajors();
  expect(
    await look({ versionNumber: (installation?.major ?? 0) * 10_000, binDir: installation?.binDir }),
  ).not.toHaveProperty("programs-missing");
  expect(await look({ versionNumber: 990_000 })).toMatchObject({
    "programs-missing": {
      severity: "warning",
      what: expect.stringContaining("99"),
      advice: expect.stringContaining("Without them this machine cannot restore"),
    },
  });
});
