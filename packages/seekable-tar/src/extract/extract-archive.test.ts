import { hasErrorCode } from "@soar/errors";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { makeContent, makeTar, type MadeEntry, tarArbitrary } from "../../test/make-tar.ts";
import { archiveInto, MemoryStore } from "../../test/memory-store.ts";
import { CODECS } from "../codec/codec.ts";
import { type CodecPool, createCodecPool } from "../codec-pool.ts";
import type { SeekArchive } from "../table/seek-table.ts";
import { extractArchive, type ExtractOptions } from "./extract-archive.ts";

const SMALL = { chunkBytes: 4096, bundleBytes: 8192, largeFileBytes: 8192 };
let pool: CodecPool;
let root: string;
let target: string;
let runs = 0;
beforeAll(() => {
  pool = createCodecPool({ workers: 2 });
  root = mkdtempSync(join(tmpdir(), "soar-extract-"));
});
beforeEach(() => void (target = join(root, `target-${runs++}`)));
afterAll(async () => {
  await pool.close();
  rmSync(root, { recursive: true });
});

async function archived(
  tar: Buffer,
  codec: (typeof CODECS)[number] = "zstd",
  store = new MemoryStore(),
): Promise<{ store: MemoryStore; archive: SeekArchive }> {
  const { table } = await archiveInto(store, [{ name: "data", objectKey: "o", source: [tar] }], {
    codec,
    pool,
    ...SMALL,
  });
  const [archive] = table.archives;
  if (archive === undefined) throw new Error("the table has no archive");
  return { store, archive };
}

const optionsFor = (store: MemoryStore, more: Partial<ExtractOptions> = {}): ExtractOptions => ({
  fetch: store.fetch,
  pool,
  targetDir: target,
  rangeBytes: 30_000,
  sync: false,
  ...more,
});
const failureOf = async (work: Promise<unknown>): Promise<unknown> =>
  await work.then(
    () => undefined,
    (error: unknown) => error,
  );
const file = (path: string, content: Buffer | string = "", more: Partial<MadeEntry> = {}): MadeEntry => ({
  path,
  type: "File",
  content: Buffer.from(content),
  ...more,
});

/** Every path under a directory with what makes it up, as another program sees it. */
function describeTree(directory: string): string[] {
  const listed = execFileSync("find", [".", "-mindepth", "1", "-printf", "%P %y %m %T@ %s %l\\n"], { cwd: directory })
    .toString()
    .trim()
    .split("\n");
  return listed.map((line) => line.replace(/^(.* d \S+ \S+) \d+/, "$1")).sort();
}

test.each(CODECS)("%s: makes the same tree as tar does, for real directories", async (codec) => {
  const source = join(root, `source-${codec}`);
  mkdirSync(join(source, "base/1"), { recursive: true });
  mkdirSync(join(source, "pg_wal/archive_status"), { recursive: true, mode: 0o750 });
  writeFileSync(join(source, "base/1/1259"), makeContent(1, 100_000), { mode: 0o600 });
  writeFileSync(join(source, "base/1/empty"), "");
  writeFileSync(join(source, "base/PG_VERSION"), "17\n", { mode: 0o444 });
  writeFileSync(join(source, "base/zeros"), Buffer.alloc(300_000));
  writeFileSync(Buffer.concat([Buffer.from(`${source}/latin`), Buffer.from([0xe4])]), "not UTF-8");
  symlinkSync("/var/lib/elsewhere", join(source, "pg_tblspc"));
  linkSync(join(source, "base/PG_VERSION"), join(source, "zz-hard-link"));
  execFileSync("find", [source, "-exec", "touch", "-h", "-d", "@1700000000.25", "{}", "+"]);
  const tar = execFileSync("tar", ["--format=pax", "--sort=name", "-C", source, "-cf", "-", "."]);
  const { store, archive } = await archived(tar, codec);
  const summary = await extractArchive(archive, optionsFor(store, { sync: true }));
  const byTar = join(root, `tar-${codec}`);
  mkdirSync(byTar);
  execFileSync("tar", ["xpf", "-", "-C", byTar], { input: tar });
  expect(describeTree(target)).toEqual(describeTree(byTar));
  execFileSync("diff", ["-r", "--no-dereference", byTar, target]);
  expect(statSync(join(target, "base/zeros")).blocks).toBe(0);
  expect(statSync(join(target, "zz-hard-link")).ino).toBe(statSync(join(target, "base/PG_VERSION")).ino);
  expect(summary).toMatchObject({ entries: archive.entries.length, plainBytes: 400_012, keptBytes: 0 });
});

test("extracts random archives", async () => {
  await fc.assert(
    fc.asyncProperty(
      tarArbitrary([4096, 8192, 30_000]),
      fc.integer({ min: 1, max: 40_000 }),
      async (made, rangeBytes) => {
        // A path that is both a file and a directory cannot be made by anyone.
        const usable = made.filter(
          ({ path }) =>
            !made.some(
              (other) => other.path !== path && other.type !== "Directory" && path.startsWith(`${other.path}/`),
            ),
        );
        const { store, archive } = await archived(makeTar(usable));
        target = join(root, `target-${runs++}`);
        await extractArchive(archive, optionsFor(store, { rangeBytes }));
        for (const { path, type, content, link } of usable) {
          if (type === "File") expect(readFileSync(join(target, path))).toEqual(content);
          else if (type === "Directory") expect(lstatSync(join(target, path)).isDirectory()).toBe(true);
          else expect(readlinkSync(join(target, path))).toBe(link);
        }
      },
    ),
    { numRuns: 40 },
  );
});

test("a worker is told of a part of the files of a range at a time, and is given the bytes of these only", async () => {
  const made = Array.from({ length: 700 }, (_, at) => file(`base/${at}`, makeContent(at, 1 + (at % 300))));
  const { store, archive } = await archived(makeTar(made));
  const told: number[] = [];
  let given = 0;
  const counting: CodecPool = {
    ...pool,
    extract: async (stored, members, options) => {
      told.push(members.reduce((sum, { writes, creations }) => sum + writes.length + creations.length, 0));
      given += stored.length;
      return await pool.extract(stored, members, options);
    },
  };
  await extractArchive(archive, optionsFor(store, { pool: counting, rangeBytes: 1e6 }));
  expect(store.fetched).toHaveLength(1);
  expect(told.reduce((sum, count) => sum + count, 0)).toBe(700);
  expect(Math.max(...told)).toBeLessThanOrEqual(256);
  expect(given).toBe(store.fetched[0]?.length);
  for (const { path, content } of made) expect(readFileSync(join(target, path))).toEqual(content);
});

describe("choosing", () => {
  const made = [
    file("global/pg_control", makeContent(3, 8192)),
    file("base/5/1", makeContent(4, 20_000)),
    file("base/6/2", makeContent(5, 20_000)),
    { path: "pg_tblspc/16420", type: "SymbolicLink" as const, content: Buffer.alloc(0), link: "/mnt/old" },
  ];

  test("a file can be held back and extracted by a second call", async () => {
    const { store, archive } = await archived(makeTar(made));
    await extractArchive(archive, optionsFor(store, { select: ({ path }) => path !== "global/pg_control" }));
    expect(existsSync(join(target, "global/pg_control"))).toBe(false);
    await extractArchive(archive, optionsFor(store, { select: ({ path }) => path === "global/pg_control" }));
    expect(readFileSync(join(target, "global/pg_control"))).toEqual(makeContent(3, 8192));
  });

  test("only members that are needed are fetched", async () => {
    const { store, archive } = await archived(makeTar(made));
    await extractArchive(archive, optionsFor(store, { rangeBytes: 1, select: ({ path }) => path === "base/6/2" }));
    expect(store.fetched.length).toBe(5);
    expect(readdirSync(target)).toEqual(["base"]);
  });

  test("paths and link targets can be mapped", async () => {
    const { store, archive } = await archived(makeTar(made));
    await extractArchive(
      archive,
      optionsFor(store, { mapPath: ({ path }) => path.replace("base/5", "moved"), mapLink: () => "/mnt/new" }),
    );
    expect(readFileSync(join(target, "moved/1"))).toEqual(makeContent(4, 20_000));
    expect(readlinkSync(join(target, "pg_tblspc/16420"))).toBe("/mnt/new");
  });

  test("of two entries with one path the last one counts", async () => {
    const { store, archive } = await archived(
      makeTar([file("a", "first"), file("b", "other"), file("./a", makeContent(9, 30_000))]),
    );
    await extractArchive(archive, optionsFor(store));
    expect(readFileSync(join(target, "a"))).toEqual(makeContent(9, 30_000));
  });
});

describe("existing files", () => {
  const made = Array.from({ length: 6 }, (_, index) => file(`base/${index}`, makeContent(index, index * 15_000)));

  test("are refused unless allowed", async () => {
    const { store, archive } = await archived(makeTar(made));
    mkdirSync(join(target, "base"), { recursive: true });
    for (const index of [0, 1, 5]) {
      writeFileSync(join(target, `base/${index}`), "old");
      expect(
        await failureOf(extractArchive(archive, optionsFor(store, { select: ({ path }) => path === `base/${index}` }))),
      ).toMatchObject({ code: "FILE_UNWRITABLE" });
      expect(readFileSync(join(target, `base/${index}`), "utf8")).toBe("old");
    }
  });

  test.each(["overwrite", "keep-unchanged"] as const)(
    "are brought to the right content with %s, whatever is there",
    async (existing) => {
      const { store, archive } = await archived(makeTar(made));
      await extractArchive(archive, optionsFor(store));
      const all = join(target, "base");
      writeFileSync(join(all, "1"), "another");
      truncateSync(join(all, "2"), 7000);
      writeFileSync(join(all, "3"), Buffer.alloc(60_000, 1));
      rmSync(join(all, "4"));
      symlinkSync("/etc/hostname", join(all, "4"));
      linkSync(join(all, "5"), join(target, "second-name"));
      store.fetched.length = 0;
      const summary = await extractArchive(archive, optionsFor(store, { existing }));
      for (const { path, content } of made) expect(readFileSync(join(target, path))).toEqual(content);
      expect(lstatSync(join(all, "4")).isFile()).toBe(true);
      expect(statSync(join(all, "5")).nlink).toBe(1);
      expect(readFileSync(join(target, "second-name"))).toEqual(makeContent(5, 75_000));
      expect(summary.plainBytes).toBe(15_000 * 15);
      expect(summary.keptBytes).toBe(existing === "overwrite" ? 0 : 4096);
    },
  );

  test("that are all right are neither fetched nor written", async () => {
    const { store, archive } = await archived(makeTar(made));
    await extractArchive(archive, optionsFor(store));
    store.fetched.length = 0;
    const summary = await extractArchive(archive, optionsFor(store, { existing: "keep-unchanged" }));
    expect(summary.keptBytes).toBe(15_000 * 15);
    expect(store.fetched).toEqual([]);
  });
});

describe("an archive that wants out of the directory", () => {
  const escape = (made: MadeEntry[]): MadeEntry[] => [...made, file("innocent", "fine")];

  test.each([
    ["an absolute path", escape([file("/tmp/soar-escape", "x")])],
    ["a path with ..", escape([file("base/../../escape", "x")])],
    ["..", escape([{ path: "..", type: "Directory", content: Buffer.alloc(0) }])],
  ])("by %s is refused before anything is written", async (_, made) => {
    const { store, archive } = await archived(makeTar(made));
    expect(hasErrorCode(await failureOf(extractArchive(archive, optionsFor(store))), "FORMAT_INVALID")).toBe(true);
    expect(existsSync(target)).toBe(false);
  });

  test("by a mapped path is refused", async () => {
    const { store, archive } = await archived(makeTar([file("a", "x")]));
    expect(
      hasErrorCode(
        await failureOf(extractArchive(archive, optionsFor(store, { mapPath: () => "../b" }))),
        "FORMAT_INVALID",
      ),
    ).toBe(true);
  });

  test("by a link of its own writes nothing through it", async () => {
    const outside = join(root, `outside-${runs}`);
    mkdirSync(outside);
    const made = [
      { path: "door", type: "SymbolicLink" as const, content: Buffer.alloc(0), link: outside },
      file("door/stolen", "x"),
      file("door/large", makeContent(1, 50_000)),
    ];
    const { store, archive } = await archived(makeTar(made));
    const failure = await failureOf(extractArchive(archive, optionsFor(store)));
    expect(hasErrorCode(failure, "FILE_UNWRITABLE"), String(failure)).toBe(true);
    expect(readdirSync(outside)).toEqual([]);
  });

  test("by a link that lies in the target already writes nothing through it", async () => {
    const outside = join(root, `outside-${runs}`);
    mkdirSync(outside);
    mkdirSync(target);
    symlinkSync(outside, join(target, "base"));
    const { store, archive } = await archived(makeTar([file("base/stolen", "x")]));
    const failure = await failureOf(extractArchive(archive, optionsFor(store, { existing: "overwrite" })));
    expect(hasErrorCode(failure, "FILE_UNWRITABLE"), String(failure)).toBe(true);
    expect(readdirSync(outside)).toEqual([]);
  });

  test("by a hard link is refused", async () => {
    const bytes = execFileSync("sh", [
      "-c",
      `cd "$1" && echo x > a && ln a b && tar cPf - a b --transform 's,^a$,/etc/passwd,'`,
      "sh",
      mkdtempSync(join(root, "links-")),
    ]);
    const { store, archive } = await archived(bytes);
    expect(archive.entries.map(({ type, link }) => [type, link])).toContainEqual(["link", "/etc/passwd"]);
    expect(
      hasErrorCode(
        await failureOf(extractArchive(archive, optionsFor(store, { select: ({ type }) => type === "link" }))),
        "FORMAT_INVALID",
      ),
    ).toBe(true);
  });

  test("a device is refused", async () => {
    const pipe = join(mkdtempSync(join(root, "pipe-")), "p");
    execFileSync("mkfifo", [pipe]);
    const { store, archive } = await archived(execFileSync("tar", ["cf", "-", "-C", join(pipe, ".."), "p"]));
    expect(hasErrorCode(await failureOf(extractArchive(archive, optionsFor(store))), "FORMAT_INVALID")).toBe(true);
  });
});

test("damage is named and never written", async () => {
  const made = [file("small", makeContent(1, 3000)), file("large", makeContent(2, 100_000))];
  const { store, archive } = await archived(makeTar(made), "none");
  const whole = Buffer.from(store.bytes("o"));
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), async (place) => {
      const damaged = Buffer.from(whole);
      damaged[place] = (damaged[place] ?? 0) ^ 0x40;
      store.objects.set("o", damaged);
      target = join(root, `target-${runs++}`);
      const failure = await failureOf(extractArchive(archive, optionsFor(store)));
      // The end of a tar stream holds no file.
      if (failure !== undefined)
        expect(failure).toMatchObject({
          code: "ARCHIVE_DAMAGED",
          message: expect.stringContaining("unable to read 'o' from byte "),
        });
      for (const { path, content } of made) {
        if (!existsSync(join(target, path))) continue;
        const found = readFileSync(join(target, path));
        // Every byte is the right one, or was never written.
        expect(found.every((byte, at) => byte === content[at] || byte === 0)).toBe(true);
      }
      if (failure === undefined) expect(readFileSync(join(target, "large"))).toEqual(makeContent(2, 100_000));
    }),
    { numRuns: 40 },
  );
});

test("gives everything to the owner, keeping special modes", async () => {
  const { store, archive } = await archived(
    makeTar([
      { path: "d", type: "Directory", content: Buffer.alloc(0), mode: 0o2750 },
      file("d/s", "x", { mode: 0o4755 }),
      file("made/for/it", "x"),
      file("d/large", makeContent(1, 30_000)),
      { path: "l", type: "SymbolicLink", content: Buffer.alloc(0), link: "x" },
    ]),
  );
  const owner =
    process.getuid?.() === 0
      ? { uid: 12_345, gid: 54_321 }
      : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  await extractArchive(archive, optionsFor(store, { owner }));
  for (const path of [".", "d", "d/s", "d/large", "l", "made", "made/for", "made/for/it"])
    expect(lstatSync(join(target, path))).toMatchObject(owner);
  expect(statSync(join(target, "d")).mode & 0o7777).toBe(0o2750);
  expect(statSync(join(target, "d/s")).mode & 0o7777).toBe(0o4755);
});

test("reports progress up to the sum, and stops when its signal aborts", async () => {
  const { store, archive } = await archived(
    makeTar(Array.from({ length: 20 }, (_, index) => file(String(index), makeContent(index, 20_000)))),
  );
  const seen: number[] = [];
  const summary = await extractArchive(
    archive,
    optionsFor(store, { onProgress: ({ plainBytes }) => seen.push(plainBytes) }),
  );
  expect(seen.at(-1)).toBe(400_000);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(summary.plainBytes).toBe(400_000);
  const controller = new AbortController();
  target = join(root, "aborted");
  const failure = await failureOf(
    extractArchive(
      archive,
      optionsFor(store, { rangeBytes: 1, signal: controller.signal, onProgress: () => controller.abort() }),
    ),
  );
  expect(hasErrorCode(failure, "ABORTED")).toBe(true);
  expect(
    readdirSync("/proc/self/fd").filter(
      (fd) => existsSync(`/proc/self/fd/${fd}`) && readlinkSync(`/proc/self/fd/${fd}`).startsWith(target),
    ),
  ).toEqual([]);
});
