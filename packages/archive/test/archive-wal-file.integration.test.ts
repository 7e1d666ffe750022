import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  createReadStream,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { createTestCluster, requireInstallation, type TestCluster } from "@soar-tooling/postgres-clusters";
import { serverUser } from "@soar-tooling/test-bench";
import { claimRepository, CONFIG_KEY, COPY_MARK, findRepositoryRecord } from "@soar/repository";
import { findWalObjects, getWalFile, readWalDescription, readWalFile } from "@soar/repository/wal";
import { createMemoryStore, readObject, type ObjectStore } from "@soar/storage";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { archiveWalFile, type ArchiveOptions } from "../src/archive-wal-file.ts";
import { archiveBeside } from "../src/beside-the-archiver.ts";
import { readClusterIdentity } from "../src/cluster-identity.ts";
import { declareGap } from "../src/gap/declare-gap.ts";
import { createWalPusher, type WalPusher } from "../src/wal-pusher.ts";

const options: ArchiveOptions = { codec: "zstd", toolVersion: "test 1", now: new Date() };

async function finishedSegment(cluster: TestCluster): Promise<string> {
  await cluster.query("create table if not exists t (n int, pad text)");
  await cluster.query("insert into t select n, md5(n::text) from generate_series(1, 2000) n");
  const [row] = await cluster.query<{ name: string }>("select pg_walfile_name(pg_switch_wal() - 1) as name");
  return row?.name ?? "";
}

let cluster: TestCluster;
let directory: string;
let store: ObjectStore;
let name: string;
beforeAll(async () => {
  cluster = await createTestCluster({ installation: requireInstallation("pg_ctl"), initdbArgs: ["--wal-segsize=1"] });
  directory = mkdtempSync(join(tmpdir(), "soar-push-"));
  mkdirSync(join(directory, "pg_wal"));
  mkdirSync(join(directory, "global"));
  name = await finishedSegment(cluster);
  copyFileSync(join(cluster.dataDir, "global", "pg_control"), join(directory, "global", "pg_control"));
});
afterAll(async () => {
  rmSync(directory, { recursive: true });
  await cluster.remove();
});
beforeEach(() => {
  store = createMemoryStore({ name: "push" });
});

const source = (file: string = name): string => join(cluster.dataDir, "pg_wal", file);
const copy = (as: string, change: (path: string) => void = () => undefined): string => {
  const path = join(directory, "pg_wal", as);
  copyFileSync(source(), path);
  change(path);
  return path;
};
const written = (as: string, content: string | Buffer): string => copy(as, (path) => writeFileSync(path, content));
/** As PostgreSQL writes that of a backup which begins 40 bytes into this segment. */
const backupHistory = (file: string): string => {
  const segment = file.slice(0, 24);
  const lsn = `0/${parseInt(segment.slice(16), 16).toString(16).toUpperCase()}00028`;
  return `START WAL LOCATION: ${lsn} (file ${segment})
STOP WAL LOCATION: ${lsn.replace("28", "F0")} (file ${segment})
CHECKPOINT LOCATION: ${lsn.replace("28", "60")}
BACKUP METHOD: streamed
BACKUP FROM: primary
START TIME: 2026-11-24 03:28:25 UTC
LABEL: by hand
START TIMELINE: 1
STOP TIME: 2026-11-24 03:28:26 UTC
STOP TIMELINE: 1
`;
};
const BACKUP = "0000000100000000000000A0.00000028.backup";
async function stored(file: string): Promise<Buffer | undefined> {
  const [object] = await findWalObjects(store, file);
  return object && (await readWalFile(store, object));
}

/** Both ways to the bucket keep the same promises: the command by itself, and the archiver's threads. */
describe.each(["by itself", "through the archiver's threads"])("archiving %s", (way) => {
  let pusher: WalPusher | undefined;
  const archive = async (
    path: string,
    file: string,
    more: Partial<ArchiveOptions> = {},
    to: ObjectStore = store,
  ): Promise<string> => {
    if (way === "by itself") return (await archiveWalFile(to, path, file, { ...options, ...more })).outcome;
    pusher = createWalPusher(to, { ...options, ...more, workers: 2 });
    const { signal } = new AbortController();
    try {
      using memory = await pusher.reserve(2 ** 20, signal);
      return (await pusher.push(path, file, { memory, signal })).outcome;
    } finally {
      await pusher.close();
    }
  };

  test.each(["zstd", "gzip", "none"] as const)("stores a segment byte for byte with codec %s", async (codec) => {
    expect(await archive(source(), name, { codec })).toBe("archived");
    expect((await stored(name))?.equals(readFileSync(source()))).toBe(true);
  });

  test("takes a path relative to the working directory, as PostgreSQL passes it", async () => {
    expect(await archive(relative(process.cwd(), source()), name)).toBe("archived");
  });

  test("the same file twice is success, also in another codec, and stores nothing more", async () => {
    await archive(source(), name);
    expect(await archive(source(), name)).toBe("already archived");
    expect(await archive(copy(name), name, { codec: "gzip" })).toBe("already archived");
    expect(await findWalObjects(store, name)).toHaveLength(1);
  });

  test("another file under the same name is refused, and nothing is overwritten", async () => {
    await archive(source(), name);
    const path = copy(name, (file) => {
      const bytes = readFileSync(file);
      bytes.writeUInt8(bytes.readUInt8(300_000) ^ 1, 300_000);
      writeFileSync(file, bytes);
    });
    await expect(archive(path, name)).rejects.toMatchObject({
      code: "WAL_CONFLICT",
      message: expect.stringContaining(`'memory:push/wal/${name}.zst' holds other bytes`) as string,
    });
    expect((await stored(name))?.equals(readFileSync(source()))).toBe(true);
  });

  test("a segment of another cluster is refused by what its header says", async () => {
    await archive(source(), name);
    const other = copy(name, (file) => {
      const bytes = readFileSync(file);
      bytes.writeBigUInt64LE(7_000_000_000_000_000_000n, 24);
      writeFileSync(file, bytes);
    });
    await expect(archive(other, name)).rejects.toMatchObject({
      code: "REPOSITORY_FOREIGN",
      message: expect.stringContaining("system identifier") as string,
      hint: expect.stringContaining("prefix") as string,
    });
  });

  test("a segment under the name of another one is refused", async () => {
    const wrong = "0000000100000000000000AA";
    await expect(archive(copy(wrong), wrong)).rejects.toMatchObject({ code: "WAL_INVALID" });
  });

  test.each([
    ["an empty file", 0, "the file is empty"],
    ["a file that was cut short", 300_000, "300000 bytes"],
  ])("%s is refused", async (_, length, fact) => {
    const path = copy(name, (file) => truncateSync(file, length));
    await expect(archive(path, name)).rejects.toMatchObject({
      code: "WAL_INVALID",
      message: expect.stringContaining(fact) as string,
    });
    expect(await stored(name)).toBeUndefined();
  });

  test("a half-written segment is refused: zeros where records should be", async () => {
    const path = copy(name, (file) => {
      const bytes = readFileSync(file);
      bytes.fill(0, 8192 * 3);
      writeFileSync(file, bytes);
    });
    await expect(archive(path, name)).rejects.toMatchObject({
      code: "WAL_INVALID",
      message: expect.stringContaining("nothing was written behind") as string,
    });
  });

  test("a file that is not there, and one that must not be read, have their own words", async () => {
    await expect(archive("pg_wal/nowhere", name)).rejects.toMatchObject({
      code: "FILE_UNREADABLE",
      message: expect.stringContaining("there is no such file") as string,
    });
    await expect(archive(join(directory, "pg_wal"), name)).rejects.toMatchObject({
      code: "FILE_UNREADABLE",
      message: expect.stringContaining("it is not a regular file") as string,
    });
  });

  test("history, backup history and partial files", async () => {
    const history = copy("00000002.history", (file) =>
      writeFileSync(file, "1\t0/3000000\tno recovery target specified\n"),
    );
    expect(await archive(history, "00000002.history")).toBe("archived");
    expect((await readObject(store, "wal/00000002.history")).toString()).toContain("no recovery target");
    const backup = `${name}.00000028.backup`;
    expect(await archive(written(backup, backupHistory(name)), backup)).toBe("archived");
    expect((await readObject(store, `wal/${backup}`)).toString()).toBe(backupHistory(name));
    const partial = `${name}.partial`;
    expect(await archive(copy(partial), partial)).toBe("archived");
    const [object] = await findWalObjects(store, partial);
    if (object === undefined) throw new Error("the partial file is not there");
    expect((await readWalDescription(store, object)).description).toMatchObject({ name: partial, size: 2 ** 20 });
  });

  test.each<[string, string, string | Buffer]>([
    ["is no history", "00000002.history", "this is not a history\n"],
    ["names itself as an ancestor", "00000002.history", "2\t0/3000000\tno recovery target specified\n"],
    ["names no ancestor", "00000002.history", "\n# nothing\n"],
    ["is cut off in a number", "00000002.history", "1\t0/30"],
    ["is larger than any history", "00000002.history", Buffer.alloc(16 * 1024 * 1024, "#")],
    ["is no backup history", BACKUP, "not a backup history at all"],
    [
      "is a backup's label",
      BACKUP,
      backupHistory(BACKUP)
        .replace(/STOP WAL.*\n/, "")
        .replace(/STOP TIME:[^]*/, ""),
    ],
    ["is cut off", BACKUP, backupHistory(BACKUP).slice(0, -4)],
    ["is of a backup that began in another segment", BACKUP, backupHistory(BACKUP.replace("A0", "A1"))],
    ["is of a backup that began elsewhere in it", BACKUP, backupHistory(BACKUP).replace("0028 (", "0060 (")],
    ["is empty", BACKUP, ""],
    ["is larger than any backup history", BACKUP, Buffer.alloc(16 * 1024 * 1024, "#")],
  ])("a file that %s is not stored as %s, where it would stand for ever", async (_, file, content) => {
    await expect(archive(written(file, content), file)).rejects.toMatchObject({
      code: "WAL_INVALID",
      message: expect.stringContaining(`it is not what its name '${file}' says`) as unknown,
      hint: expect.stringContaining("Nothing was stored.") as unknown,
    });
    expect(await Array.fromAsync(store.list(""))).toEqual([]);
    const right = file === BACKUP ? backupHistory(BACKUP) : "1\t0/3000000\tno recovery target specified\n";
    expect(await archive(written(file, right), file)).toBe("archived");
  });

  test("a history file that a command of the operator's has copied is that of the repository, or of the data directory", async () => {
    const lost = join(directory, "00000002.history");
    writeFileSync(lost, "1\t0/3000000\tno recovery target specified\n");
    // Nothing was archived here yet that could tell.
    await expect(archive(lost, "00000002.history")).rejects.toMatchObject({
      code: "WAL_INVALID",
      message: expect.stringContaining("which cluster") as string,
    });
    const dataDir = dirname(dirname(source()));
    const pushed = await archiveWalFile(store, lost, "00000002.history", { ...options, dataDir });
    expect(pushed).toMatchObject({ outcome: "archived" });
    expect(await archive(lost, "00000002.history")).toBe("already archived");
  });

  test("the WAL of a copy is refused, in its data directory and where a command of the operator's has copied it to", async () => {
    const away = mkdtempSync(join(tmpdir(), "soar-away-"));
    const mark = join(directory, COPY_MARK);
    onTestFinished(() => {
      rmSync(away, { recursive: true });
      rmSync(mark, { force: true });
    });
    writeFileSync(join(away, "00000002.history"), "1\t0/3000000\tno recovery target specified\n");
    copyFileSync(source(), join(away, name));
    // A gap is given up by the command of its own server only.
    const spoolDir = join(away, "spool");
    mkdirSync(spoolDir);
    await claimRepository(store, await readClusterIdentity(source()), { toolVersion: "test", now: new Date() });
    const given = { from: "0000000100000000000000AA", to: "0000000100000000000000AA" };
    const gap = { declaredBy: "dba", reason: "unreadable", spoolDir, dataDir: cluster.dataDir, now: new Date() };
    await declareGap(store, given, gap);
    const before = await Array.fromAsync(store.list(""));
    writeFileSync(mark, "");
    const refused = { code: "REPOSITORY_FOREIGN", message: expect.stringContaining(`from '${directory}'`) as unknown };
    await expect(archive(copy(name), name)).rejects.toMatchObject(refused);
    await expect(archive(copy(given.from), given.from, { spoolDir })).rejects.toMatchObject(refused);
    const dataDir = directory;
    for (const file of [name, "00000002.history"])
      await expect(archiveWalFile(store, join(away, file), file, { ...options, dataDir })).rejects.toMatchObject(
        refused,
      );
    const beside = archiveBeside(store, options);
    await expect(beside(join(away, name), name, { dataDir: directory, signal: undefined })).rejects.toMatchObject(
      refused,
    );
    expect(await Array.fromAsync(store.list(""))).toEqual(before);
    rmSync(mark);
    expect((await archiveWalFile(store, join(away, name), name, { ...options, dataDir })).outcome).toBe("archived");
  });

  test("a pipe that nobody writes to is no WAL, and is not waited for", async () => {
    const pipe = join(directory, name);
    execFileSync("mkfifo", [pipe]);
    onTestFinished(() => rmSync(pipe));
    await expect(archive(pipe, name)).rejects.toMatchObject({
      code: "FILE_UNREADABLE",
      message: expect.stringContaining("it is no ordinary file") as string,
    });
  });

  test("what the bucket knows is asked for while the file is read, and a file that is no WAL claims nothing", async () => {
    const begun = { record: Promise.withResolvers<void>(), listing: Promise.withResolvers<void>() };
    // Each answer waits until the other was asked for.
    const slow: ObjectStore = {
      ...store,
      async get(key, more) {
        if (key === "config/backup-config.json") begun.record.resolve();
        if (way === "by itself") await begun.listing.promise;
        return await store.get(key, more);
      },
      async *list(prefix, more) {
        begun.listing.resolve();
        if (way === "by itself") await begun.record.promise;
        yield* store.list(prefix, more);
      },
    };
    const broken = copy(name, (path) => truncateSync(path, 1000));
    await expect(archive(broken, name, {}, slow)).rejects.toMatchObject({ code: "WAL_INVALID" });
    expect(await Array.fromAsync(store.list(""))).toEqual([]);
    expect(await archive(source(), name, {}, slow)).toBe("archived");
    expect(await archive(source(), name, {}, slow)).toBe("already archived");
    expect(await stored(name)).toEqual(readFileSync(source()));
  });

  test("a repository that has lost its record is its own cluster's, and not another's", async () => {
    await archive(source(), name);
    await store.remove([CONFIG_KEY]);
    await using other = await createTestCluster({
      installation: requireInstallation("pg_ctl"),
      initdbArgs: ["--wal-segsize=1"],
    });
    // Some way behind what is stored, so that no name is taken.
    for (let n = 0; n < 3; n += 1) await finishedSegment(other);
    const theirs = await finishedSegment(other);
    const path = join(other.dataDir, "pg_wal", theirs);
    expect(theirs > name).toBe(true);
    await expect(archive(path, theirs)).rejects.toMatchObject({
      code: "REPOSITORY_FOREIGN",
      message: expect.stringMatching(
        /^'memory:push\/wal\/\w+\.zst' belongs to another cluster: its system identifier/,
      ) as string,
    });
    expect(await findWalObjects(store, theirs)).toEqual([]);
    expect(await findRepositoryRecord(store)).toBeUndefined();
    expect(await archive(source(), name)).toBe("already archived");
    expect(await findRepositoryRecord(store)).toMatchObject(await readClusterIdentity(source()));
  });

  test("a name that PostgreSQL does not give is refused", async () => {
    await expect(archive(source(), "../etc/passwd")).rejects.toMatchObject({ code: "WAL_NAME_INVALID" });
    await expect(archive(source(), "something.else")).rejects.toMatchObject({
      code: "WAL_NAME_INVALID",
      message: expect.stringContaining("it is not the name of") as string,
    });
  });

  test("a segment of a declared gap is given up, also a damaged one, and nothing is stored", async () => {
    const spoolDir = mkdtempSync(join(tmpdir(), "soar-gap-"));
    onTestFinished(() => rmSync(spoolDir, { recursive: true }));
    await claimRepository(store, await readClusterIdentity(source()), { toolVersion: "test", now: new Date() });
    await declareGap(
      store,
      { from: name, to: name },
      { declaredBy: "dba", reason: "unreadable", spoolDir, dataDir: cluster.dataDir, now: new Date() },
    );
    const damaged = copy(name, (path) => truncateSync(path, 5));
    expect(await archive(damaged, name, { spoolDir })).toBe("given up");
    expect(await stored(name)).toBeUndefined();
    // Its .partial and what has another name are archived as ever.
    const partial = `${name}.partial`;
    expect(await archive(copy(partial), partial, { spoolDir })).toBe("archived");
    // Without the spool nothing is given up, and a bucket without the record knows of no gap.
    await expect(archive(damaged, name)).rejects.toMatchObject({ code: "WAL_INVALID" });
    store = createMemoryStore({ name: "elsewhere" });
    expect(await archive(source(), name, { spoolDir })).toBe("archived");
  });

  test("a segment of a declared gap is given up where a command of the operator's has copied it, and it is known whose it is", async () => {
    const spoolDir = mkdtempSync(join(tmpdir(), "soar-gap-"));
    onTestFinished(() => rmSync(spoolDir, { recursive: true }));
    await claimRepository(store, await readClusterIdentity(source()), { toolVersion: "test", now: new Date() });
    const gap = { declaredBy: "dba", reason: "unreadable", spoolDir, dataDir: cluster.dataDir, now: new Date() };
    await declareGap(store, { from: name, to: name }, gap);
    const away = join(spoolDir, name);
    writeFileSync(away, "what is left of it");
    const known = { ...options, spoolDir, dataDir: cluster.dataDir };
    expect((await archiveWalFile(store, away, name, known)).outcome).toBe("given up");
    // It may be another cluster's that has the spool, too: the repository's own record would say yes to each.
    await expect(archiveWalFile(store, away, name, { ...options, spoolDir })).rejects.toMatchObject({
      code: "WAL_INVALID",
      message: expect.stringContaining("unable to tell which cluster") as unknown,
    });
    expect(await stored(name)).toBeUndefined();
  });

  test("a gap of another cluster's repository gives nothing up", async () => {
    const spoolDir = mkdtempSync(join(tmpdir(), "soar-gap-"));
    onTestFinished(() => rmSync(spoolDir, { recursive: true }));
    await claimRepository(
      store,
      { ...(await readClusterIdentity(source())), systemIdentifier: "7000000000000000000" },
      { toolVersion: "test", now: new Date() },
    );
    await declareGap(
      store,
      { from: name, to: name },
      { declaredBy: "dba", reason: "theirs", spoolDir, dataDir: cluster.dataDir, now: new Date() },
    );
    await expect(archive(source(), name, { spoolDir })).rejects.toMatchObject({ code: "REPOSITORY_FOREIGN" });
    // What the server says of itself is believed before the repository.
    const away = join(spoolDir, name);
    copyFileSync(source(), away);
    await expect(
      archiveWalFile(store, away, name, { ...options, spoolDir, dataDir: cluster.dataDir }),
    ).rejects.toMatchObject({ code: "REPOSITORY_FOREIGN" });
  });

  test("a file that must not be read", async () => {
    const path = copy(name, (file) => chmodSync(file, 0));
    // root may read everything, so it stops being root for a moment.
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(serverUser().uid);
    try {
      await expect(archive(path, name)).rejects.toMatchObject({
        code: "FILE_UNREADABLE",
        message: expect.stringContaining("permission denied") as string,
      });
    } finally {
      if (isRoot) process.seteuid?.(0);
      rmSync(path);
    }
  });
});

test.each([
  { megabytes: 128, members: 8 },
  { megabytes: 1024, members: 64 },
])(
  "segments of $megabytes MiB, too large to hold, are read twice, by the command and by the archiver's threads, to the same object",
  // A gibibyte is read six times, and initialised before.
  { timeout: 240_000 },
  async ({ megabytes, members }) => {
    await using large = await createTestCluster({
      installation: requireInstallation("pg_ctl"),
      initdbArgs: [`--wal-segsize=${megabytes}`],
      settings: { min_wal_size: `${2 * megabytes}MB`, max_wal_size: `${4 * megabytes}MB` },
    });
    const file = await finishedSegment(large);
    const path = join(large.dataDir, "pg_wal", file);
    const pusher = createWalPusher(store, { ...options, workers: 2 });
    const { signal } = new AbortController();
    using memory = await pusher.reserve(megabytes * 2 ** 20, signal);
    const pushed = await pusher.push(path, file, { memory, signal });
    await pusher.close();
    expect(pushed).toMatchObject({
      outcome: "archived",
      size: megabytes * 2 ** 20,
      object: { key: `wal/${file}.zst` },
    });
    if (pushed.outcome === "given up") throw new Error("nobody gave it up");
    expect((await readWalDescription(store, pushed.object)).description.members).toHaveLength(members);
    const digest = createHash("sha256");
    for await (const piece of getWalFile(store, pushed.object)) digest.update(piece);
    expect(digest.digest("hex")).toBe(await sha256OfFile(path));
    expect((await archiveWalFile(store, path, file, options)).outcome).toBe("already archived");
    const alone = createMemoryStore({ name: "alone" });
    expect((await archiveWalFile(alone, path, file, options)).outcome).toBe("archived");
    expect((await readWalDescription(alone, pushed.object)).description.sha256).toBe(await sha256OfFile(path));
  },
);

async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  return hash.digest("hex");
}
