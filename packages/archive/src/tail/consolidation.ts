import { asError } from "@soar/errors";
import type { TailPiece } from "@soar/repository/tail";

export interface ConsolidationOptions {
  /** Pieces since the last consolidated one. */
  readonly since: number;
  /** Puts one piece of all these bytes, from 0. */
  readonly put: (parts: readonly Buffer[], sha256: string) => Promise<TailPiece>;
  readonly onConsolidated: ((piece: TailPiece) => void) | undefined;
}

/**
 * After so many pieces one is put that holds all of them, so that a reader never has thousands to fetch. It goes beside the
 * next ones: it may be megabytes, and commits may be waiting for these.
 */
export interface Consolidation {
  /** A piece was put; all bytes up to its end, and their digest. */
  shipped(parts: readonly Buffer[], sha256: string): void;
  /** Rejects what comes next when the last one could not be put. */
  requireSuccess(): void;
  /** Resolves when none is on its way. */
  idle(): Promise<void>;
}

const CONSOLIDATE_AFTER = 64;

export function createConsolidation({ since, put, onConsolidated }: ConsolidationOptions): Consolidation {
  let count = since;
  let running: Promise<void> | undefined;
  let failure: Error | undefined;
  const run = async (parts: readonly Buffer[], sha256: string): Promise<void> => {
    try {
      const piece = await put(parts, sha256);
      onConsolidated?.(piece);
    } catch (error) {
      failure = asError(error);
    }
    running = undefined;
  };
  return {
    shipped(parts, sha256) {
      count += 1;
      if (count < CONSOLIDATE_AFTER || running !== undefined) return;
      count = 0;
      running = run(parts, sha256);
    },
    requireSuccess() {
      if (failure !== undefined) throw failure;
    },
    async idle() {
      await running;
    },
  };
}
