/** One hash per column of the page seen as 32 columns of 32-bit words; chosen at random by PostgreSQL's authors (checksum_impl.h). */
const COLUMNS = 32;
const BASE_OFFSETS = Int32Array.of(
  0x5b1f36e9,
  0xb8525960,
  0x02ab50aa,
  0x1de66d2a,
  0x79ff467a,
  0x9bb9f8a3,
  0x217e7cd2,
  0x83e13d2c,
  0xf8d4474f,
  0xe39eb970,
  0x42c6ae16,
  0x993216fa,
  0x7b093b5d,
  0x98daff3c,
  0xf718902a,
  0x0b1c9cdb,
  0xe58f764b,
  0x187636bc,
  0x5d7b3bb1,
  0xe73de7de,
  0x92bec979,
  0xcca6c0b2,
  0x304a0979,
  0x85aa43d4,
  0x783125bb,
  0x6ca8eaa2,
  0xe407eac6,
  0x4b5cfc3e,
  0x9fbf8c76,
  0x15ca20be,
  0xf2ca9fd3,
  0x959bd756,
);
const FNV_PRIME = 16777619;

/** Offset of `pd_checksum` in the page header; the field counts as zero in its own checksum. */
const CHECKSUM_OFFSET = 8;

/** Columns that are hashed at a time: enough for the processor to overlap their multiplications. */
const LANES = 8;

/**
 * The checksum that a page must carry in its header when it stands at this block of its relation's fork
 * (`pg_checksum_page`), 1 to 65535. The page lies at `offset`, the block number counts through all files of the fork.
 */
export function pageChecksum(view: DataView, offset: number, blockSize: number, blockNumber: number): number {
  let hash = 0;
  for (let column = 0; column < COLUMNS; column += LANES) hash ^= hashColumns(view, offset, blockSize, column);
  return (((hash ^ blockNumber) >>> 0) % 65535) + 1;
}

/** The XOR of the hashes of eight neighbouring columns. */
function hashColumns(view: DataView, offset: number, blockSize: number, column: number): number {
  let a = BASE_OFFSETS[column] as number;
  let b = BASE_OFFSETS[column + 1] as number;
  let c = BASE_OFFSETS[column + 2] as number;
  let d = BASE_OFFSETS[column + 3] as number;
  let e = BASE_OFFSETS[column + 4] as number;
  let f = BASE_OFFSETS[column + 5] as number;
  let g = BASE_OFFSETS[column + 6] as number;
  let h = BASE_OFFSETS[column + 7] as number;
  const end = offset + blockSize;
  // The header field lies in the third word of the first row.
  const header = column === 0 ? view.getInt32(offset + CHECKSUM_OFFSET, true) & 0xffff : 0;
  for (let at = offset + column * 4; at < end; at += COLUMNS * 4) {
    a = mix(a, view.getInt32(at, true));
    b = mix(b, view.getInt32(at + 4, true));
    c = mix(c, view.getInt32(at + 8, true) ^ (at === offset ? header : 0));
    d = mix(d, view.getInt32(at + 12, true));
    e = mix(e, view.getInt32(at + 16, true));
    f = mix(f, view.getInt32(at + 20, true));
    g = mix(g, view.getInt32(at + 24, true));
    h = mix(h, view.getInt32(at + 28, true));
  }
  return finish(a) ^ finish(b) ^ finish(c) ^ finish(d) ^ finish(e) ^ finish(f) ^ finish(g) ^ finish(h);
}

/** FNV-1a with a shift, so that the upper bits also reach the lower ones. */
function mix(hash: number, word: number): number {
  const mixed = hash ^ word;
  return Math.imul(mixed, FNV_PRIME) ^ (mixed >>> 17);
}

/** Two rounds of zeros spread the last words over all bits. */
function finish(hash: number): number {
  return mix(mix(hash, 0), 0);
}
