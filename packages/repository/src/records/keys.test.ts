import { readFileSync } from "node:fs";
import { toHex8 } from "@soar/pg-tools";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codecSuffix, splitCodecSuffix } from "../wal/codec-suffix.ts";
import {
  BACKUP_OBJECTS,
  backupKey,
  backupPrefix,
  CONFIG_KEY,
  expiredKey,
  gapKey,
  leaseKey,
  parseBackupKey,
  PROBE_PREFIX,
  tailPieceKey,
} from "./keys.ts";
import { isCompressibleWalFile, parseWalKey, walKey } from "../wal/wal-key.ts";

/** Every path of the tree that docs/bucket-format.md draws, without the remarks. */
function documentedKeys(): string[] {
  const text = readFileSync(new URL("../../../../docs/bucket-format.md", import.meta.url), "utf8");
  const [, drawing = ""] = /## Tree\n\n```\n([^]*?)```/.exec(text) ?? [];
  const folders: string[] = [];
  return drawing.split("\n").flatMap((line) => {
    const [, indent, name] = /^([ │]*)[├└]── (\S+)/.exec(line) ?? [];
    if (indent === undefined || name === undefined) return [];
    const path = [...folders.slice(0, indent.length / 4), name.replace(/\/$/, "")];
    folders.splice(0, folders.length, ...path);
    return name.endsWith("/") ? [] : [path.join("/")];
  });
}

test("the keys are those of the tree in docs/bucket-format.md", () => {
  const segment = "000000010000000000000007";
  const { record, started, keep, index, backupLabel, tablespaceMap, manifest, serverConfig } = BACKUP_OBJECTS;
  const archives = ["backup.tar.gz", "backup.members.gz", "16420.tar.gz"];
  const base = [...archives, backupLabel, tablespaceMap, manifest, serverConfig, index, started, keep, record];
  expect(documentedKeys()).toEqual([
    CONFIG_KEY,
    `${PROBE_PREFIX}<uuid>`,
    leaseKey("<id>"),
    expiredKey("<id>"),
    gapKey("<from>", "<to>"),
    ...base.map((name) => backupKey("2025-01-05", name)),
    walKey("000000010000000000000001", "zstd"),
    walKey(`${segment}.partial`, "zstd"),
    walKey("00000002.history", "zstd"),
    walKey("000000010000000000000005.00000028.backup", "gzip"),
    tailPieceKey(segment, 0, 0x1a2f0),
  ]);
});

describe("a key of a backup", () => {
  test("is parsed into what it was made of", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9TZ-]{1,18}$/), fc.stringMatching(/^[a-z0-9_.-]{1,20}$/), (label, name) => {
        expect(parseBackupKey(backupKey(label, name))).toEqual({ label, name });
        expect(backupKey(label, name).startsWith(backupPrefix(label))).toBe(true);
      }),
    );
  });

  test.each(["base/", "base/x", "base//x", "wal/2025-01-05/x", "xbase/a/b", ""])("is not %j", (key) => {
    expect(parseBackupKey(key)).toBeUndefined();
  });
});

describe("a key of a WAL file", () => {
  const names = fc.oneof(
    fc.stringMatching(/^[0-9A-F]{24}$/),
    fc.stringMatching(/^[0-9A-F]{24}\.partial$/),
    fc.stringMatching(/^[0-9A-F]{8}\.history$/),
    fc.stringMatching(/^[0-9A-F]{24}\.[0-9A-F]{8}\.backup$/),
  );

  test("is parsed into name and codec", () => {
    fc.assert(
      fc.property(names, fc.constantFrom("zstd", "gzip", "none"), fc.nat(), (name, codec, size) => {
        const stored = isCompressibleWalFile(name) ? codec : "none";
        expect(parseWalKey(walKey(name, codec), size)).toEqual({ name, key: walKey(name, codec), codec: stored, size });
      }),
    );
  });

  test.each(["base/000000010000000000000001", "wal/000000010000000000000001.zst.age", "wal/00000002.history.age"])(
    "is not %j",
    (key) => {
      expect(parseWalKey(key, 1)).toBeUndefined();
    },
  );
});

test("a codec's suffix is split off again", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9A-F]{1,24}$/), fc.constantFrom("zstd", "gzip", "none"), (base, codec) => {
      expect(splitCodecSuffix(base + codecSuffix(codec))).toEqual({ base, codec });
    }),
  );
});

test("numbers in keys have eight capital hexadecimal digits", () => {
  fc.assert(
    fc.property(fc.nat(0xff_ff_ff_ff), (value) => {
      expect(Number.parseInt(/^[0-9A-F]{8}$/.exec(toHex8(value))?.[0] ?? "", 16)).toBe(value);
    }),
  );
});
