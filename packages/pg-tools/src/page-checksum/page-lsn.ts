import type { Lsn } from "../wal-names/lsn.ts";

/** `pd_lsn` of a page: the end of the record that changed it last. Two numbers of 32 bits, the high one first (bufpage.h). */
export function pageLsn(page: Buffer): Lsn {
  return (BigInt(page.readUInt32LE(0)) << 32n) | BigInt(page.readUInt32LE(4));
}
