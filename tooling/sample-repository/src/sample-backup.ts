import { requireMajor } from "@soar/pg-tools/majors";
import { formatBackupManifest } from "@soar/pg-tools/manifest";
import { backupKey, putBackupRecord, sha256Hex, type BackupRecord } from "@soar/repository";
import { claimLabel } from "@soar/repository/markers";
import type { ObjectStore } from "@soar/storage";
import { type Files, filesOf, type SampleState } from "./sample-files.ts";
import { manifestOf } from "./sample-manifest.ts";
import { positionsOf } from "./sample-positions.ts";
import { sampleRecord } from "./sample-record.ts";
import type { BesideFiles } from "./sample-tar.ts";
import { writeArchives } from "./write-archives.ts";

export interface SampleBackup extends SampleState {
  /** It begins in this segment and is consistent in the next one. */
  readonly first: number;
  readonly timeline?: number;
  /** Refers to the chunks of this backup. */
  readonly base?: BackupRecord;
  readonly checksums?: "CRC32C" | "SHA256";
  /** Files of the data directory beside those that every sample has, or instead of them. */
  readonly more?: Files;
  /** Files of the data directory that its archive lacks. */
  readonly without?: readonly string[];
  /** In the archive of the data directory, which otherwise holds nothing but files. */
  readonly beside?: BesideFiles;
  /** Changes the record before it is written. */
  readonly change?: (record: BackupRecord) => BackupRecord;
}

/** A backup of a cluster with one relation of twelve pages and one in a tablespace. */
export async function putSampleBackup(store: ObjectStore, options: SampleBackup): Promise<BackupRecord> {
  const { label, first, base, timeline } = options;
  const positions = positionsOf(first, timeline);
  await claimLabel(store, {
    format: 1,
    label,
    host: "h",
    processId: 1,
    startedAt: `${label.slice(0, 10)}T02:00:00.000Z`,
    deadline: `${label.slice(0, 10)}T03:00:00.000Z`,
    references: [],
  });
  const all = filesOf(options, positions);
  const files = {
    ...all,
    base: Object.fromEntries(
      Object.entries({ ...all.base, ...options.more }).filter(([path]) => options.without?.includes(path) !== true),
    ),
  };
  const written = await writeArchives(store, options, files);
  const manifest = formatBackupManifest(manifestOf(files, positions, options.checksums ?? "CRC32C"), requireMajor(15));
  const loose = {
    backup_label: all.base["backup_label"] ?? Buffer.alloc(0),
    backup_manifest: Buffer.from(manifest),
    "server-config.tar.gz": Buffer.from("configuration"),
  };
  for (const [name, bytes] of Object.entries(loose)) await store.put(backupKey(label, name), bytes);
  const objects = [
    ...written.objects,
    ...Object.entries(loose).map(([name, bytes]) => ({ name, size: bytes.length, sha256: sha256Hex(bytes) })),
  ];
  const record = (options.change ?? ((same) => same))({
    ...sampleRecord({ label, ...positions, references: base === undefined ? [] : [base.label] }),
    archives: written.archives,
    objects,
    index: {
      members: written.table.frames.map(
        ({ storedLength, plainLength, sha256 }) => [storedLength, plainLength, sha256] as [number, number, string],
      ),
    },
    sizes: { database: 1, tar: 1, stored: written.archives.reduce((sum, { stored }) => sum + stored, 0), new: 1 },
  });
  await putBackupRecord(store, record);
  return record;
}
