import type { Lsn } from "../wal-names/lsn.ts";
import { pageChecksum } from "./page-checksum.ts";

/** A page whose checksum is wrong. */
export interface DamagedPage {
  /** Counted through all files of the relation's fork. */
  readonly blockNumber: number;
  readonly found: number;
  readonly expected: number;
}

export interface VerifyPagesOptions {
  /** Number of the first block: that of the file's segment times the blocks per file, plus what was skipped. */
  readonly firstBlock: number;
  /** 8192 unless PostgreSQL was compiled otherwise; it is in pg_control. */
  readonly blockSize?: number;
  /**
   * Pages changed at or after this position are not judged: copied from a running server they may be torn, and replay
   * replaces them from full-page images. Give a backup's start LSN; leave out for a stopped cluster.
   */
  readonly changedBefore?: Lsn | undefined;
}

/** Offsets in `PageHeaderData` (bufpage.h). */
const CHECKSUM_OFFSET = 8;
const UPPER_OFFSET = 14;

/**
 * Verifies the checksums of consecutive pages of a relation in a cluster with data checksums. Pages never used
 * (`PageIsNew`) must be all zeros. A last page that is incomplete is left out.
 */
export function findDamagedPages(bytes: Uint8Array, options: VerifyPagesOptions): readonly DamagedPage[] {
  const { firstBlock, blockSize = 8192, changedBefore } = options;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const damaged: DamagedPage[] = [];
  for (let offset = 0; offset + blockSize <= bytes.length; offset += blockSize) {
    const blockNumber = firstBlock + offset / blockSize;
    if (isNewPage(bytes, view, offset, blockSize)) continue;
    if (changedBefore !== undefined && pageLsn(view, offset) >= changedBefore) continue;
    const found = view.getUint16(offset + CHECKSUM_OFFSET, true);
    const expected = pageChecksum(view, offset, blockSize, blockNumber);
    if (found !== expected) damaged.push({ blockNumber, found, expected });
  }
  return damaged;
}

/** A page header without free-space pointers on a page that is not empty is damage, not newness (`PageIsVerified`). */
function isNewPage(bytes: Uint8Array, view: DataView, offset: number, blockSize: number): boolean {
  return (
    view.getUint16(offset + UPPER_OFFSET, true) === 0 &&
    bytes.subarray(offset, offset + blockSize).every((byte) => byte === 0)
  );
}

/** `pd_lsn` is kept as two 32-bit halves, the upper one first. */
function pageLsn(view: DataView, offset: number): Lsn {
  return (BigInt(view.getUint32(offset, true)) << 32n) | BigInt(view.getUint32(offset + 4, true));
}
