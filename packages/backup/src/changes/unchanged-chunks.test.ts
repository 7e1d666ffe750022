import { createHash } from "node:crypto";
import { ChangedBlocks, type RelationChanges } from "@soar/pg-tools/changed-blocks";
import { DigestIndex, type MemberLocation, type PlacedEntry } from "@soar/seekable-tar";
import { describe, expect, test } from "vitest";
import { BaseChunks } from "./base-chunks.ts";
import { UnchangedChunks } from "./unchanged-chunks.ts";

const MIB = 2 ** 20;
const geometry = { blockSize: 8192, blocksPerRelationFile: 131_072 };

function memberOf(content: string, plainLength: number, offset: number): MemberLocation {
  const sha256 = createHash("sha256").update(content).digest();
  const sums = { sha256, crc32c: 1, storedDigest: sha256.subarray(0, 8) };
  return { object: "base/2025-01-01/backup.tar.zst", codec: "zstd", offset, storedLength: 10, plainLength, ...sums };
}

const entryOf = (path: string, size: number, member: number): PlacedEntry => ({
  path,
  type: "file",
  size,
  mode: 0o600,
  mtime: 0,
  uid: 0,
  gid: 0,
  link: "",
  member,
  offset: 0,
});

/** A backup of files, each cut into chunks behind a bundle that holds its header, in a tablespace and in the data directory. */
function baseOf(files: Readonly<Record<string, number>>): BaseChunks {
  const chunks = new BaseChunks(new DigestIndex());
  for (const archive of ["16400", "base"]) {
    chunks.beginArchive(archive);
    let member = 0;
    for (const [path, size] of Object.entries(files)) {
      chunks.addMember(memberOf(`bundle ${archive} ${path}`, 512, member));
      chunks.addEntry(entryOf(path, size, ++member));
      for (let at = 0; at < size; at += MIB, member++)
        chunks.addMember(memberOf(`${archive} ${path} ${at}`, Math.min(MIB, size - at), member));
    }
  }
  return chunks;
}

function unchangedIn(base: BaseChunks, ...relations: readonly Partial<RelationChanges>[]): UnchangedChunks {
  const changed = new ChangedBlocks();
  changed.add(
    {
      blocksPerUnit: 16,
      relations: relations.map((relation) => ({
        tablespace: 1663,
        database: 5,
        fileNumber: 16384,
        newFrom: undefined,
        units: [],
        ...relation,
      })),
      databases: [],
      doubts: [],
      firstPrevious: undefined,
      lastStart: undefined,
      cutStart: undefined,
      cut: Buffer.alloc(0),
      continued: Buffer.alloc(0),
    },
    "one",
  );
  return new UnchangedChunks(base, changed, geometry);
}

/** Positions of the chunks of a file that need not be read, in MiB. */
const unreadOf = (unchanged: UnchangedChunks, path: string, size: number): number[] =>
  Array.from({ length: Math.ceil(size / MIB) }, (_, at) => at).filter(
    (at) => unchanged.find(path, at * MIB, Math.min(MIB, size - at * MIB)) !== undefined,
  );

describe("chunks that need not be read", () => {
  test("are those without a changed block, each where the earlier backup has it", () => {
    const unchanged = unchangedIn(baseOf({ "base/5/16384": 4 * MIB }), { units: [8, 17, 24] });
    expect(unreadOf(unchanged, "base/5/16384", 4 * MIB)).toEqual([0]);
    expect(unchanged.find("base/5/16384", 0, MIB)).toEqual(memberOf("base base/5/16384 0", MIB, 1));
    expect([...unchanged.all()].map(({ path, position }) => `${path} ${position / MIB}`)).toEqual(["base/5/16384 0"]);
  });

  test("are of the file's own part of its relation, and of its own tablespace", () => {
    const base = baseOf({ "base/5/16384.2": 2 * MIB, "PG_15_202209061/5/16384": 2 * MIB });
    const behind = unchangedIn(base, { units: [(2 * 131_072) / 16 + 9] });
    expect(unreadOf(behind, "base/5/16384.2", 2 * MIB)).toEqual([0]);
    const elsewhere = unchangedIn(base, { tablespace: 16400, units: [0] });
    expect(unreadOf(elsewhere, "base/5/16384.2", 2 * MIB)).toEqual([0, 1]);
    expect(unreadOf(elsewhere, "pg_tblspc/16400/PG_15_202209061/5/16384", 2 * MIB)).toEqual([1]);
  });

  test("are none of the forks that change without a word in WAL, nor of what is no relation", () => {
    const files = ["base/5/16384_vm", "base/5/16384_fsm", "base/5/16384_init", "pg_xact/0000", "base/5/notes"];
    const unchanged = unchangedIn(baseOf(Object.fromEntries(files.map((path) => [path, 2 * MIB]))));
    for (const path of files) expect(unreadOf(unchanged, path, 2 * MIB), path).toEqual([]);
    expect([...unchanged.all()]).toEqual([]);
  });

  test("are not at the end of a file that is longer or shorter now, nor behind where it was cut off", () => {
    const unchanged = unchangedIn(baseOf({ "base/5/16384": 2.5 * MIB }));
    expect(unreadOf(unchanged, "base/5/16384", 2.5 * MIB)).toEqual([0, 1, 2]);
    expect(unreadOf(unchanged, "base/5/16384", 3.5 * MIB)).toEqual([0, 1]);
    expect(unreadOf(unchanged, "base/5/16384", 1.5 * MIB)).toEqual([0]);
    const cut = unchangedIn(baseOf({ "base/5/16384": 3 * MIB }), { newFrom: 200 });
    expect(unreadOf(cut, "base/5/16384", 3 * MIB)).toEqual([0]);
  });

  test("are none of a file that the earlier backup has damaged, does not have, or has bundled", () => {
    const base = baseOf({ "base/5/16384": 2 * MIB, "base/5/16385": 0.4 * MIB });
    base.forget("base/5/16384");
    const unchanged = unchangedIn(base);
    expect(unreadOf(unchanged, "base/5/16384", 2 * MIB)).toEqual([]);
    expect(unreadOf(unchanged, "base/5/16385", 0.4 * MIB)).toEqual([]);
    expect(unreadOf(unchanged, "base/5/16999", 2 * MIB)).toEqual([]);
  });

  test("are none of a file that the server called damaged by its path in a tablespace, and none at all when it named none", () => {
    const files = { "base/5/16384": MIB, "PG_15_202209061/5/16384": MIB };
    const moved = "pg_tblspc/16400/PG_15_202209061/5/16384";
    const tablespaces = [{ oid: 16400, location: "/srv/extra" }];
    const base = baseOf(files);
    base.forgetDamaged("/srv/extra/PG_15_202209061/5/16384", tablespaces);
    expect(unreadOf(unchangedIn(base), moved, MIB)).toEqual([]);
    expect(unreadOf(unchangedIn(base), "base/5/16384", MIB)).toEqual([0]);
    base.forgetDamaged("base/5/16999", tablespaces);
    expect(unreadOf(unchangedIn(base), "base/5/16384", MIB)).toEqual([0]);
    base.forgetDamaged("a file that the server did not name", tablespaces);
    expect(unreadOf(unchangedIn(base), "base/5/16384", MIB)).toEqual([]);
  });

  test("are found among as many as a large cluster has", () => {
    const base = new BaseChunks(new DigestIndex());
    base.beginArchive("base");
    for (let member = 0; member < 70_000; member++) {
      if (member % 1000 === 0) base.addEntry(entryOf(`base/5/${16384 + member}`, 1000 * MIB, member));
      base.addMember(memberOf(String(member), MIB, member));
    }
    expect(base.find("base/5/85384", 5 * MIB, MIB)).toEqual(memberOf("69005", MIB, 69_005));
    expect(base.find("base/5/85384", 5 * MIB + 1, MIB)).toBeUndefined();
  });
});
