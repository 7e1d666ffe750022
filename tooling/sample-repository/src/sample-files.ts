import { parseLsn } from "@soar/pg-tools";
import { formatBackupLabel, type BackupLabel } from "@soar/pg-tools/labels";
import { requireMajor } from "@soar/pg-tools/majors";
import { pageChecksum } from "@soar/pg-tools/page-checksum";
import type { Positions } from "./sample-positions.ts";

const PAGE = 8192;
/** Oid of the tablespace of every sample backup. */
export const SAMPLE_TABLESPACE = 16_420;
const RELATION = "base/5/16384";

/** Content by path. */
export type Files = Readonly<Record<string, Buffer>>;

export interface SampleFiles {
  readonly base: Files;
  readonly tablespace: Files;
}

/** What the files of a sample backup depend on. */
export interface SampleState {
  readonly label: string;
  /** Seed of the pages: another one is another state of the cluster. */
  readonly state?: number;
  /** Changes pages before they are backed up. */
  readonly damage?: (pages: Buffer) => void;
}

/** What the server says of a sample backup. */
export function sampleLabel(label: string, { timeline, startLsn, firstSegment }: Positions): BackupLabel {
  return {
    startLsn: parseLsn(startLsn),
    startSegmentName: firstSegment,
    checkpointLsn: parseLsn(startLsn),
    method: "streamed",
    from: "primary",
    startTime: "2025-01-05 02:00:00 UTC",
    label: `soar ${label}`,
    startTimeline: timeline,
    incrementalFrom: undefined,
  };
}

/** The data directory of a cluster with one relation of twelve pages, and its tablespace with another one. */
export function filesOf({ label, state = 1, damage }: SampleState, positions: Positions): SampleFiles {
  const text = formatBackupLabel(sampleLabel(label, positions), requireMajor(15));
  const relation = pages(12, state);
  damage?.(relation);
  return {
    base: {
      PG_VERSION: Buffer.from("15\n"),
      backup_label: Buffer.from(text),
      empty: Buffer.alloc(0),
      "base/5/2619": pages(2, 7),
      [RELATION]: relation,
      "global/pg_control": Buffer.alloc(PAGE, 3),
    },
    tablespace: { "PG_15_202209061/5/16500": pages(4, 9) },
  };
}

function pages(count: number, seed: number): Buffer {
  const bytes = Buffer.alloc(count * PAGE);
  for (let block = 0; block < count; block++) {
    const page = bytes.subarray(block * PAGE, (block + 1) * PAGE);
    // The last page changes with the state, the others stay.
    for (let at = 24; at < PAGE; at += 4)
      page.writeUInt32LE(((block === count - 1 ? seed : 1) * 2_654_435_761 + at * (block + 1)) >>> 0, at);
    page.writeUInt32LE(0x1000, 4);
    page.writeUInt16LE(24, 12);
    page.writeUInt16LE(PAGE, 14);
    page.writeUInt16LE(pageChecksum(new DataView(page.buffer, page.byteOffset, PAGE), 0, PAGE, block), 8);
  }
  return bytes;
}
