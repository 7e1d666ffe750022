import { createWalScanner, type WalRecord, type WalScanner } from "../src/wal-records/index.ts";

/** Where the logs that tests build begin: segment 5 of 1 MiB. */
export const START = 5n * 2n ** 20n;
export const NAME = "000000010000000000000005";

export interface Scan {
  readonly records: readonly WalRecord[];
  readonly scanner: WalScanner;
}

/** Scans a log that begins with segment 5, in pieces of this size. */
export function scan(
  bytes: Uint8Array,
  pieceSize = bytes.length,
  options: { readonly everyRecord?: boolean } = { everyRecord: true },
): Scan {
  const scanner = createWalScanner({ name: NAME, ...options });
  const records: WalRecord[] = [];
  for (let at = 0; at < bytes.length; at += pieceSize)
    records.push(...scanner.push(bytes.subarray(at, at + pieceSize)));
  records.push(...scanner.finish());
  return { records, scanner };
}
