import { createHash } from "node:crypto";
import { backupKey, putBackupRecord, sha256Hex, type BackupRecord } from "@soar/repository";
import { parseWalKey, putWalFile, readWalFile } from "@soar/repository/wal";
import { createMemoryStore, readObject } from "@soar/storage";
import type { Change } from "./change.ts";
import type { Dice } from "./dice.ts";
import type { RepositoryCopy } from "./repository-copy.ts";

/** Damage that is consistent in itself, as programs and people make it. */

/** A segment with another system identifier in its header and its description, both well-formed. */
export async function foreignSegment(copy: RepositoryCopy, dice: Dice): Promise<Change> {
  const key = dice.pick(copy.segments);
  const stored = copy.objects.get(key) ?? Buffer.alloc(0);
  const object = parseWalKey(key, stored.length);
  if (object === undefined) throw new TypeError(`'${key}' is no WAL object`);
  const store = createMemoryStore();
  await store.put(key, stored);
  const plain = Buffer.from(await readWalFile(store, object));
  plain.writeBigUInt64LE(7_000_000_000_000_000_001n + BigInt(dice.below(1000)), 24);
  const other = createMemoryStore();
  const facts = { sysid: String(plain.readBigUInt64LE(24)) };
  await putWalFile(
    other,
    { name: object.name, size: plain.length, sha256: sha256Hex(plain), facts, open: () => once(plain) },
    { codec: "zstd" },
  );
  return {
    objects: new Map([[key, await readObject(other, key)]]),
    description: `${key} of another cluster`,
    expected: { level: "full", kinds: ["wal-damaged"], about: ["another cluster"] },
  };
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield await Promise.resolve(bytes);
}

/** The seek table of the older backup in the place of the newer one's; with a record that was made to fit it, or not. */
export async function staleIndex(copy: RepositoryCopy, dice: Dice): Promise<Change> {
  const [older, newer] = copy.records;
  if (older === undefined || newer === undefined) throw new TypeError("two backups are needed");
  const key = backupKey(newer.label, "index.zst");
  const table = copy.objects.get(backupKey(older.label, "index.zst")) ?? Buffer.alloc(0);
  const objects = new Map<string, Buffer>([[key, table]]);
  const expected = {
    level: "quick",
    kinds: ["table-damaged", "object-wrong-size"],
    about: [`base/${newer.label}/`],
  } as const;
  if (dice.below(2) === 0) return { objects, description: `${key} is that of ${older.label}`, expected };
  objects.set(
    backupKey(newer.label, "backup.json"),
    await sealed({ ...withObject(newer, "index.zst", table), index: older.index }),
  );
  return { objects, description: `${key} and its record are those of ${older.label}`, expected };
}

/** One file's checksum is another: with the manifest's own checksum, and the record, made to fit, or not. */
export async function editManifest(copy: RepositoryCopy, dice: Dice): Promise<Change> {
  const record = dice.pick(copy.records);
  const key = backupKey(record.label, "backup_manifest");
  const lines = (copy.objects.get(key) ?? Buffer.alloc(0)).toString("utf8").split("\n");
  const files = lines.flatMap((line, at) => (/"Checksum": "[0-9a-f]{8}"/.test(line) ? [at] : []));
  const at = dice.pick(files);
  lines[at] = (lines[at] ?? "").replace(
    /"Checksum": "([0-9a-f])/,
    (_, digit: string) => `"Checksum": "${digit === "0" ? "1" : "0"}`,
  );
  const how = dice.below(3);
  if (how === 2)
    lines[lines.length - 2] = `"Manifest-Checksum": "${createHash("sha256")
      .update(`${lines.slice(0, -2).join("\n")}\n`)
      .digest("hex")}"}`;
  const manifest = Buffer.from(lines.join("\n"));
  const objects = new Map<string, Buffer>([[key, manifest]]);
  if (how > 0)
    objects.set(backupKey(record.label, "backup.json"), await sealed(withObject(record, "backup_manifest", manifest)));
  const expected = [
    { level: "quick", kinds: ["object-damaged"], about: [key] },
    { level: "quick", kinds: ["manifest-damaged"], about: [key] },
    { level: "full", kinds: ["file-damaged"], about: [record.label] },
  ] as const;
  return { objects, description: `a file's checksum in ${key}, form ${how}`, expected: expected[how] ?? expected[0] };
}

function withObject(record: BackupRecord, name: string, bytes: Buffer): BackupRecord {
  return {
    ...record,
    objects: record.objects.map((object) =>
      object.name === name ? { name, size: bytes.length, sha256: sha256Hex(bytes) } : object,
    ),
  };
}

/** A record as the program writes it, with a digest that fits. */
async function sealed({ ...record }: BackupRecord & { digest?: string }): Promise<Buffer> {
  delete record.digest;
  const store = createMemoryStore();
  await putBackupRecord(store, record);
  return readObject(store, backupKey(record.label, "backup.json"));
}
