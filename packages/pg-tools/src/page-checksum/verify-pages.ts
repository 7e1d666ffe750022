import type { Lsn } from "../wal-names/lsn.ts";
import { createPageVerifier, type PageVerifier } from "./page-verifier.ts";

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

/** Of a run of any length this much is judged at a time; whole pages of every size that PostgreSQL has. */
const WINDOW_BYTES = 1024 * 1024;

let verifier: PageVerifier | undefined;

/**
 * Verifies the checksums of consecutive pages of a relation in a cluster with data checksums. Pages never used
 * (`PageIsNew`) must be all zeros. A last page that is incomplete is left out.
 */
export function findDamagedPages(bytes: Uint8Array, options: VerifyPagesOptions): readonly DamagedPage[] {
  const { firstBlock, blockSize = 8192, changedBefore } = options;
  const damaged: DamagedPage[] = [];
  verifier ??= createPageVerifier(WINDOW_BYTES);
  for (let start = 0; start + blockSize <= bytes.length; start += WINDOW_BYTES) {
    const window = bytes.subarray(start, start + WINDOW_BYTES);
    verifier.memory.set(window);
    const first = firstBlock + start / blockSize;
    const rules = {
      offset: 0,
      count: Math.floor(window.length / blockSize),
      blockSize,
      firstBlock: first,
      changedBefore,
    };
    for (let from = 0; ;) {
      const wrong = verifier.firstDamaged({ ...rules, from });
      if (wrong === undefined) break;
      damaged.push({ blockNumber: first + wrong.index, found: wrong.found, expected: wrong.expected });
      from = wrong.index + 1;
    }
  }
  return damaged;
}
