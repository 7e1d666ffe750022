import { LONG_PAGE_HEADER_SIZE } from "./wal-page-header.ts";

/** `configure --with-wal-blocksize=64` is the most there can be. */
const LARGEST_PAGE_SIZE = 65536;

export interface PageSplitter {
  /** Takes any number of bytes; calls `onPage` for every page that they complete. */
  push(bytes: Uint8Array): void;
  /** Completes an unfinished page with zeros, which WAL readers take for the end of WAL. */
  finish(): void;
}

/** Receives one page: `view` covers the same memory as `bytes`, the page begins at `offset`. Valid during the call only. */
export type OnPage = (bytes: Uint8Array, view: DataView, offset: number) => void;

/**
 * Cuts a stream of WAL into its pages, whatever pieces it comes in, without copying pages that arrive whole.
 * `begin` is shown the first header (or less, if there is no more) once and tells the page size.
 */
export function createPageSplitter(begin: (firstBytes: Uint8Array) => number, onPage: OnPage): PageSplitter {
  const carry = new Uint8Array(LARGEST_PAGE_SIZE);
  const carryView = new DataView(carry.buffer);
  let carried = 0;
  let pageSize = 0;

  /** Adds bytes to the unfinished page; returns how many were taken. */
  function fill(bytes: Uint8Array): number {
    const wanted = (pageSize === 0 ? LONG_PAGE_HEADER_SIZE : pageSize) - carried;
    const taken = bytes.subarray(0, wanted);
    carry.set(taken, carried);
    carried += taken.length;
    if (taken.length === wanted) {
      if (pageSize === 0) pageSize = begin(carry.subarray(0, carried));
      else emitCarry();
    }
    return taken.length;
  }

  function emitCarry(): void {
    carried = 0;
    onPage(carry, carryView, 0);
  }

  return {
    push(bytes) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      let offset = 0;
      while (offset < bytes.length) {
        if (carried > 0 || pageSize === 0 || bytes.length - offset < pageSize) {
          offset += fill(bytes.subarray(offset));
        } else {
          onPage(bytes, view, offset);
          offset += pageSize;
        }
      }
    },
    finish() {
      if (pageSize === 0) pageSize = begin(carry.subarray(0, carried));
      if (carried === 0) return;
      carry.fill(0, carried, pageSize);
      emitCarry();
    },
  };
}
