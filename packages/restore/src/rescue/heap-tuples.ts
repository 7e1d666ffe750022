/** Bytes of `PageHeaderData` before the line pointers (bufpage.h). */
const PAGE_HEADER_BYTES = 24;
const LINE_POINTER_BYTES = 4;
const LP_NORMAL = 1;
/** Where `HeapTupleHeaderData` holds `t_hoff` (htup_details.h), and its least size. */
const HOFF_OFFSET = 22;
const TUPLE_HEADER_BYTES = 23;
const ALIGNED_HEADER_BYTES = 24;

/**
 * The data of every tuple in the pages of a table, whatever its visibility: also of versions that are dead or whose
 * transaction never ended. Pages of a copy that was taken while they were written may be torn, so nothing is believed:
 * what does not lie inside of its page is left out.
 */
export function* heapTuples(pages: Buffer, blockSize: number): Generator<Buffer, void, undefined> {
  for (let at = 0; at + blockSize <= pages.length; at += blockSize)
    yield* tuplesOfPage(pages.subarray(at, at + blockSize));
}

function* tuplesOfPage(page: Buffer): Generator<Buffer, void, undefined> {
  // As many as a page has room for (MaxHeapTuplesPerPage): pointers to one and the same tuple would make rows out of nothing.
  const most = Math.floor((page.length - PAGE_HEADER_BYTES) / (ALIGNED_HEADER_BYTES + LINE_POINTER_BYTES));
  const lower = Math.min(page.readUInt16LE(12), PAGE_HEADER_BYTES + most * LINE_POINTER_BYTES);
  for (let at = PAGE_HEADER_BYTES; at + LINE_POINTER_BYTES <= lower; at += LINE_POINTER_BYTES) {
    // ItemIdData: 15 bits of offset, 2 of flags, 15 of length.
    const item = page.readUInt32LE(at);
    const [offset, flags, length] = [item & 0x7fff, (item >>> 15) & 0x3, item >>> 17];
    if (flags !== LP_NORMAL || length < TUPLE_HEADER_BYTES || offset + length > page.length) continue;
    const dataOffset = page.readUInt8(offset + HOFF_OFFSET);
    if (dataOffset >= TUPLE_HEADER_BYTES && dataOffset <= length)
      yield page.subarray(offset + dataOffset, offset + length);
  }
}
