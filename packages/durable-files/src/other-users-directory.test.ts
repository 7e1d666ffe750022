import { execFileSync } from "node:child_process";
import {
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { requires } from "@soar-tooling/test-bench";
import {
  makeDirectory,
  moveEntry,
  openForAppend,
  removeFile,
  removeLeftovers,
  replaceFile,
  replaceLink,
  writeNew,
} from "./index.ts";

/** A user who is not us where we are root; else nobody can be anybody else, and links are what is left to look at. */
const isRoot = process.geteuid?.() === 0;
const SELF = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const OTHER = isRoot ? { uid: 65534, gid: 65533 } : SELF;
const NOTHING = { mode: 0o600, sync: "none" } as const;

let root: string;
let theirs: string;
let ours: string;
/** Bytes, owner and mode of everything that is not theirs. */
let before: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "soar-others-"));
  theirs = join(root, "theirs");
  ours = join(root, "ours");
  for (const directory of [theirs, ours]) mkdirSync(directory);
  writeFileSync(join(ours, "victim"), "untouched");
  if (isRoot) chownSync(theirs, OTHER.uid, OTHER.gid);
  before = describeOurs();
});
afterEach(() => {
  expectNothingChanged();
  rmSync(root, { recursive: true });
});

function expectNothingChanged(): void {
  expect(describeOurs()).toBe(before);
}

function describeOurs(): string {
  return readdirSync(ours)
    .sort()
    .map((name) => {
      const { uid, gid, mode, nlink } = lstatSync(join(ours, name));
      return [name, uid, gid, mode, nlink, readFileSync(join(ours, name), "utf8")].join(" ");
    })
    .concat(String(statSync(ours).uid))
    .join("\n");
}

function ownerOfPath(...names: string[]): unknown {
  const { uid, gid } = lstatSync(join(theirs, ...names));
  return { uid, gid };
}

const within = (): { base: string; owner: typeof OTHER } => ({ base: theirs, owner: OTHER });

describe("what is made in somebody's directory belongs to them", requires("root"), () => {
  test("unless another owner is named", async () => {
    await replaceFile(join(theirs, "replaced"), "", NOTHING);
    await writeNew(join(theirs, "new"), "", NOTHING);
    await (await openForAppend(join(theirs, "log"), NOTHING)).close();
    await makeDirectory(join(theirs, "a", "b"), { ...NOTHING, mode: 0o700 });
    await replaceFile(join(theirs, "a", "b", "deep"), "", { ...NOTHING, within: within() });
    await replaceFile(join(theirs, "ours"), "", { ...NOTHING, owner: SELF });
    for (const name of ["replaced", "new", "log", "a", "a/b", "a/b/deep"]) expect(ownerOfPath(name)).toEqual(OTHER);
    expect(ownerOfPath("ours")).toEqual(SELF);
  });

  test("although a file of another owner is replaced", async () => {
    writeFileSync(join(theirs, "file"), "old");
    await replaceFile(join(theirs, "file"), "new", { ...NOTHING, keepMode: true });
    expect(ownerOfPath("file")).toEqual(OTHER);
  });
});

describe("a link to a file of ours", () => {
  const plant = (name: string): void => symlinkSync(join(ours, "victim"), join(theirs, name));

  test("at the name of what is replaced, is replaced itself", async () => {
    plant("file");
    await replaceFile(join(theirs, "file"), "new", NOTHING);
    expect(readFileSync(join(theirs, "file"), "utf8")).toBe("new");
  });

  test("at each temporary name that comes next, is passed over", async () => {
    const number = await nextNumber();
    for (let next = 1; next <= 20; next += 1) plant(`file.${process.pid}-${number + next}.soar-tmp`);
    await replaceFile(join(theirs, "file"), "new", NOTHING);
    expect(readFileSync(join(theirs, "file"), "utf8")).toBe("new");
  });

  test("at all temporary names that are tried, is an error and nothing else", async () => {
    const number = await nextNumber();
    for (let next = 1; next <= 300; next += 1) plant(`file.${process.pid}-${number + next}.soar-tmp`);
    await expect(replaceFile(join(theirs, "file"), "new", NOTHING)).rejects.toMatchObject({ code: "FILE_UNWRITABLE" });
    expect(existsSync(join(theirs, "file"))).toBe(false);
  });

  test("at the name of something new, counts as taken", async () => {
    plant("new");
    expect(await writeNew(join(theirs, "new"), "x", NOTHING)).toBe(false);
    symlinkSync(join(ours, "made"), join(theirs, "dangling"));
    expect(await writeNew(join(theirs, "dangling"), "x", NOTHING)).toBe(false);
  });

  test("at the name of what is removed or moved, is removed or moved itself", async () => {
    plant("one");
    expect(await removeFile(join(theirs, "one"), { sync: "none" })).toBe(true);
    plant("two");
    await moveEntry(join(theirs, "two"), join(theirs, "three"), { sync: "none" });
    expect(readlinkSync(join(theirs, "three"))).toBe(join(ours, "victim"));
    plant("four");
    await moveEntry(join(theirs, "three"), join(theirs, "four"), { sync: "none" });
    expect(readdirSync(theirs)).toEqual(["four"]);
    await replaceLink(join(theirs, "four"), "elsewhere", { sync: "none" });
    expect(readlinkSync(join(theirs, "four"))).toBe("elsewhere");
  });

  test("at the name of a leftover, is removed itself", async () => {
    plant("file.1-1.soar-tmp");
    await removeLeftovers(theirs, { idleMs: 0 });
    expect(readdirSync(theirs)).toEqual([]);
  });

  test.each([
    ["symbolic", (path: string) => symlinkSync(join(ours, "victim"), path)],
    ["leading to nothing", (path: string) => symlinkSync(join(ours, "made"), path)],
    ["a pipe", (path: string) => void execFileSync("mkfifo", [path])],
  ])("at the name of a log, is refused: %s", async (_, make) => {
    make(join(theirs, "log"));
    await expect(openForAppend(join(theirs, "log"), NOTHING)).rejects.toMatchObject({ code: "FILE_UNWRITABLE" });
  });

  test("at the name of a log, is refused: a second name of it", async () => {
    linkSync(join(ours, "victim"), join(theirs, "log"));
    await expect(openForAppend(join(theirs, "log"), NOTHING)).rejects.toMatchObject({ code: "FILE_UNWRITABLE" });
    rmSync(join(theirs, "log"));
  });
});

describe("a link to a directory of ours, on the way to what is written", () => {
  const work: [string, (path: string) => Promise<unknown>][] = [
    ["replaceFile", (path) => replaceFile(path, "x", { ...NOTHING, within: within() })],
    ["writeNew", (path) => writeNew(path, "x", { ...NOTHING, within: within() })],
    ["removeFile", (path) => removeFile(path, { sync: "none", within: within() })],
    ["moveEntry from there", (path) => moveEntry(path, join(theirs, "x"), { sync: "none", within: within() })],
    ["moveEntry to there", (path) => moveEntry(join(theirs, "own"), path, { sync: "none", within: within() })],
    ["replaceLink", (path) => replaceLink(path, "x", { sync: "none", within: within() })],
    ["openForAppend", (path) => openForAppend(path, { ...NOTHING, within: within() })],
    ["makeDirectory", (path) => makeDirectory(join(path, "x"), { ...NOTHING, within: within() })],
  ];

  test.each(work)("is refused by %s, as the last directory and further above", async (_, run) => {
    writeFileSync(join(theirs, "own"), "");
    mkdirSync(join(theirs, "real"));
    mkdirSync(join(root, "deep"));
    renameSync(ours, join(root, "deep", "ours"));
    symlinkSync(join(root, "deep", "ours"), join(theirs, "real", "link"));
    symlinkSync(join(root, "deep"), join(theirs, "link"));
    for (const path of ["real/link/victim", "link/ours/victim"])
      await expect(run(join(theirs, path))).rejects.toMatchObject({
        code: "FILE_UNWRITABLE",
        message: expect.stringContaining("is a symbolic link"),
        hint: expect.stringContaining("No links are followed below"),
      });
    renameSync(join(root, "deep", "ours"), ours);
  });

  test("is refused as the base, because it belongs to somebody else", requires("root"), async () => {
    renameSync(theirs, join(root, "aside"));
    symlinkSync(ours, theirs);
    for (const [, run] of work)
      await expect(run(join(theirs, "victim"))).rejects.toMatchObject({
        code: "FILE_UNWRITABLE",
        message: expect.stringContaining("belongs to user 0 and not to user 65534"),
      });
  });

  test("changes nothing when it is put there while the file is written", async () => {
    mkdirSync(join(theirs, "real"));
    async function* exchanging(): AsyncGenerator<Buffer> {
      renameSync(join(theirs, "real"), join(theirs, "moved"));
      symlinkSync(ours, join(theirs, "real"));
      yield Buffer.from("x");
    }
    await replaceFile(join(theirs, "real", "victim"), exchanging(), { ...NOTHING, within: within() });
    expect(readFileSync(join(theirs, "moved", "victim"), "utf8")).toBe("x");
  });
});

test("nothing is written beside the base", async () => {
  for (const path of [join(theirs, "..", "ours", "victim"), join(ours, "victim"), `${theirs}x`])
    await expect(replaceFile(path, "x", { ...NOTHING, within: within() })).rejects.toMatchObject({
      message: expect.stringContaining("does not lie below"),
    });
});

/** Number of the last temporary name of this process. */
async function nextNumber(): Promise<number> {
  let seen = "";
  await replaceFile(
    join(root, "probe"),
    (async function* () {
      seen = readdirSync(root).find((name) => name.startsWith("probe.")) ?? "";
      yield* [];
    })(),
    NOTHING,
  );
  return Number(/-(\d+)\.soar-tmp$/.exec(seen)?.[1]);
}
