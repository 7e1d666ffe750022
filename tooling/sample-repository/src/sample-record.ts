import { formatWalSegment, parseLsn, segmentIndexOfLsn } from "@soar/pg-tools";
import type { BackupRecord } from "@soar/repository";
import { positionsOf } from "./sample-positions.ts";
import { SEGMENT_SIZE, SYSTEM_IDENTIFIER } from "./sample-wal.ts";

export const SAMPLE_LABEL = "2025-01-05";
/** Plain bytes of a chunk of a sample backup. */
export const SAMPLE_CHUNK_BYTES = 16_384;

/**
 * The record of a full backup of an empty cluster: what is not given follows from what is, the segments from the LSNs, the
 * times from the label, the kind from the references. Nothing is put anywhere.
 */
export function sampleRecord(overrides: Partial<BackupRecord> = {}): BackupRecord {
  const { label = SAMPLE_LABEL, walSegmentSize = SEGMENT_SIZE, timeline = 1, references = [] } = overrides;
  const { startLsn = positionsOf(3).startLsn, stopLsn = overrides.startLsn ?? positionsOf(3).stopLsn } = overrides;
  const segmentOf = (lsn: bigint): string =>
    formatWalSegment({ timeline, index: segmentIndexOfLsn(lsn, walSegmentSize) }, walSegmentSize);
  return {
    format: 1,
    label,
    kind: references.length === 0 ? "full" : "incremental",
    references,
    systemIdentifier: SYSTEM_IDENTIFIER,
    postgresVersion: 150_018,
    walSegmentSize,
    timeline,
    startLsn,
    stopLsn,
    checkpointLsn: startLsn,
    firstSegment: segmentOf(parseLsn(startLsn)),
    lastSegment: segmentOf(parseLsn(stopLsn) - 1n),
    startedAt: `${label.slice(0, 10)}T02:00:00.000Z`,
    stoppedAt: `${label.slice(0, 10)}T03:00:00.000Z`,
    durationMs: 3_600_000,
    sizes: { database: 1000, tar: 1100, stored: 300, new: 300 },
    codec: "gzip",
    chunkSize: SAMPLE_CHUNK_BYTES,
    source: { method: "replication", fromStandby: false, host: "h", dataDirectory: "/data" },
    dataChecksums: true,
    settings: {},
    databases: [],
    tablespaces: [],
    archives: [],
    objects: [],
    index: { members: [] },
    damagedPages: [],
    createdBy: "test",
    ...overrides,
  };
}
