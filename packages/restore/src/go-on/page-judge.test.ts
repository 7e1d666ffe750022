import type { Removals } from "@soar/pg-tools/changed-blocks";
import { expect, test } from "vitest";
import { BackupFile } from "./backup-pages.ts";
import { Removed } from "./removed.ts";
import { PageJudge, type PageRules } from "./page-judge.ts";

const START = 0x200n;
const END = 0x900n;

/** A page of a table with this content, last changed by WAL that ends at `lsn`. */
function page(lsn: bigint, content = 1): Buffer {
  const bytes = Buffer.alloc(8192);
  bytes.writeUInt32LE(Number(lsn), 4);
  bytes.writeUInt16LE(24, 12);
  bytes.writeUInt16LE(8000, 14);
  bytes.writeUInt16LE(8192, 16);
  bytes.writeUInt16LE(8192 | 4, 18);
  return bytes.fill(content, 8000);
}

const ZEROS = Buffer.alloc(8192);
const UNFILLED = page(0n, 0).fill(0, 14, 16);
UNFILLED.writeUInt16LE(8192, 14);

interface Judged {
  readonly name?: string;
  readonly backup?: Buffer | "unwanted";
  readonly isRecovering?: boolean;
  readonly isUnlogged?: boolean;
  readonly hasDatabase?: boolean;
  /** Nothing unless said otherwise; `undefined` where WAL is gone that would tell. */
  readonly removed?: { readonly since?: Removed | undefined; readonly during?: Removed | undefined };
}

const FILE = { tablespace: 1663, database: 5, fileNumber: 16_384 };
const removed = (removals: Partial<Removals>): Removed =>
  new Removed(
    { relations: [], databases: [], states: [], ...removals },
    { postgresMajor: 18, blockSize: 8192, blocksPerRelationFile: 131_072 },
  );

async function judge(pages: readonly Buffer[], options: Judged = {}): Promise<string | undefined> {
  const { name = "base/5/16384", backup = Buffer.alloc(0), isRecovering = true, hasDatabase = true } = options;
  const file = new BackupFile(async function* from(position) {
    if (backup === "unwanted") throw new Error("nothing here has to be compared");
    // As it comes: in pieces that are no pages.
    for (let at = position; at < backup.length; at += 5000) yield backup.subarray(at, at + 5000);
  });
  const evidence = { since: removed({}), during: removed({}), ...options.removed };
  const rules: PageRules = {
    postgresMajor: 15,
    blockSize: 8192,
    blocksPerRelationFile: 131_072,
    checksums: false,
    mayBeWritten: false,
    isUnlogged: () => options.isUnlogged === true,
    backup: {
      startLsn: START,
      isRecovering: async () => isRecovering,
      endOfWal: async () => END,
      pages: { open: () => file, hasDatabaseOf: async () => hasDatabase },
      removals: {
        sinceListed: async () => evidence.since,
        duringBackup: async () => evidence.during,
      },
    },
  };
  const bytes = Buffer.concat(pages);
  const judged = await PageJudge.of(name, rules, file);
  const fault = await judged?.firstFault(bytes, 0, async (block) => bytes.subarray(block * 8192, (block + 1) * 8192));
  return fault === undefined ? undefined : `${fault.block}: ${fault.kind === "unknown" ? "unknown: " : ""}${fault.why}`;
}

const OTHER = "no WAL has changed it since the backup, and it is not the backup's";

test("nothing is fetched of the backup for pages that WAL has changed since", async () => {
  expect(await judge([page(START + 1n), page(END)], { backup: "unwanted" })).toBeUndefined();
});

test("pages that WAL has changed since the backup are believed, up to where WAL ends", async () => {
  expect(await judge([page(START + 1n), page(END)])).toBeUndefined();
  expect(await judge([page(START + 1n), page(END + 1n)])).toBe("1: it names a position behind the end of WAL");
});

test("pages that no WAL has changed are those of the backup", async () => {
  const backup = Buffer.concat([page(START, 1), page(5n, 2)]);
  expect(await judge([page(START, 1), page(5n, 2)], { backup })).toBeUndefined();
  expect(await judge([page(START, 1), page(5n, 3)], { backup })).toBe(`1: ${OTHER}`);
  expect(await judge([page(5n, 2), page(5n, 2)], { backup })).toBe(`0: ${OTHER}`);
  // The backup ends before it.
  expect(await judge([page(START, 1), page(5n, 2), page(5n, 2)], { backup })).toBe(`2: ${OTHER}`);
});

test("what is no page is told, unless the backup has it so", async () => {
  const rubbish = Buffer.alloc(8192, 0x77);
  expect(await judge([ZEROS, rubbish])).toBe("1: its header is that of no page");
  expect(await judge([ZEROS, rubbish], { backup: Buffer.concat([ZEROS, rubbish]) })).toBeUndefined();
});

test("a server in production makes pages ready, and builds indexes, before it writes their WAL", async () => {
  const built = [UNFILLED, page(1n)];
  expect(await judge(built, { isRecovering: false })).toBeUndefined();
  expect(await judge(built)).toBe(`0: ${OTHER}`);
  // Over a page in use it makes none ready.
  expect(await judge([UNFILLED], { isRecovering: false, backup: page(5n) })).toBe(`0: ${OTHER}`);
});

test("where WAL has cut a relation off, a page may be made ready again, and only there", async () => {
  const leftBlocks = { main: 1, vm: 1, fsm: 1 };
  const since = removed({ relations: [{ ...FILE, isDropped: false, leftBlocks }] });
  const backup = Buffer.concat([page(5n), page(5n)]);
  expect(await judge([page(5n), UNFILLED], { isRecovering: false, backup })).toBe(`1: ${OTHER}`);
  expect(await judge([page(5n), UNFILLED], { isRecovering: false, backup, removed: { since } })).toBeUndefined();
  expect(await judge([UNFILLED, page(5n)], { isRecovering: false, backup, removed: { since } })).toBe(`0: ${OTHER}`);
  expect(await judge([page(5n), page(5n, 3)], { isRecovering: false, backup, removed: { since } })).toBe(`1: ${OTHER}`);
  // Replay makes none ready.
  expect(await judge([page(5n), UNFILLED], { backup, removed: { since } })).toBe(`1: ${OTHER}`);
});

test("what no WAL is left to tell of is neither right nor damaged, and only where a server may have done it", async () => {
  const backup = Buffer.concat([page(5n), page(5n)]);
  for (const gone of [{ since: undefined }, { during: undefined }]) {
    const unknown = "1: unknown: it is not the backup's";
    expect(await judge([page(5n), page(5n, 3)], { backup, removed: gone })).toBe(unknown);
    expect(await judge([page(5n), page(5n, 3), page(5n, 4)], { backup, removed: gone })).toBe(unknown);
    // It hides no damage that is sure.
    expect(await judge([page(5n, 3), page(END + 1n)], { backup, removed: gone })).toBe(
      "1: it names a position behind the end of WAL",
    );
    expect(await judge([page(5n), page(5n)], { backup, removed: gone })).toBeUndefined();
    expect(await judge([page(5n), page(END + 1n)], { backup, removed: gone })).toBe(
      "1: it names a position behind the end of WAL",
    );
  }
});

test("a database that was removed, or that replay makes anew of another's files, is not compared", async () => {
  const gone = removed({ databases: [{ tablespace: 1663, database: 5 }] });
  const other = removed({ databases: [{ tablespace: 1663, database: 6 }] });
  expect(await judge([page(5n, 3)], { backup: page(5n), removed: { since: gone } })).toBeUndefined();
  expect(await judge([page(5n, 3)], { backup: page(5n), removed: { during: gone } })).toBeUndefined();
  expect(await judge([page(5n, 3)], { backup: page(5n), removed: { since: other } })).toBe(`0: ${OTHER}`);
});

test("what the backup has nothing of is not compared with it", async () => {
  expect(await judge([page(5n)], { isUnlogged: true })).toBeUndefined();
  expect(await judge([page(5n)], { hasDatabase: false })).toBeUndefined();
  expect(await judge([page(5n)], { name: "base/5/16384_fsm" })).toBeUndefined();
  expect(await judge([page(5n)], { name: "base/5/16384_init", isUnlogged: true })).toBe(`0: ${OTHER}`);
});

test("a visibility map may have lost bits", async () => {
  const name = "base/5/16384_vm";
  expect(await judge([page(5n, 1)], { name, backup: page(5n, 3) })).toBeUndefined();
  expect(await judge([page(5n, 3)], { name, backup: page(5n, 1) })).toBe(`0: ${OTHER}`);
});
