import { wasmModule } from "./wasm-module.ts";

/** Pages in the verifier's memory that are to be judged. */
export interface JudgedPages {
  /** Where the first of them begins in the memory. */
  readonly offset: number;
  readonly count: number;
  /** Of these, where to begin. */
  readonly from: number;
  readonly blockSize: number;
  /** Number of the first of all pages in its fork. */
  readonly firstBlock: number;
  /** Pages with this LSN or a later one are not judged; undefined judges all. */
  readonly changedBefore: bigint | undefined;
}

export interface WrongPage {
  /** Counted from the first of all pages. */
  readonly index: number;
  /** The checksum in its header. */
  readonly found: number;
  readonly expected: number;
}

/** Judges pages at the speed of memory, where they lie in memory of its own. */
export interface PageVerifier {
  /** To be filled by the caller; it never moves. */
  readonly memory: Buffer;
  firstDamaged(pages: JudgedPages): WrongPage | undefined;
}

interface WasmExports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  checksum(page: number, size: number, block: number): number;
  firstDamaged(
    pages: number,
    from: number,
    count: number,
    size: number,
    block: number,
    all: number,
    start: bigint,
  ): number;
}

const WASM_PAGE_BYTES = 65_536;
const CHECKSUM_OFFSET = 8;

/** Makes a verifier with memory for at least this many bytes. */
export function createPageVerifier(bytes: number): PageVerifier {
  const { memory, checksum, firstDamaged } = instantiate();
  memory.grow(Math.ceil(bytes / WASM_PAGE_BYTES));
  const buffer = Buffer.from(memory.buffer);
  return {
    memory: buffer,
    firstDamaged({ offset, count, from, blockSize, firstBlock, changedBefore }) {
      const start = BigInt.asIntN(64, changedBefore ?? 0n);
      const all = changedBefore === undefined ? 1 : 0;
      const index = firstDamaged(offset, from, count, blockSize, firstBlock, all, start);
      if (index < 0) return undefined;
      const page = offset + index * blockSize;
      const expected = checksum(page, blockSize, firstBlock + index);
      return { index, found: buffer.readUInt16LE(page + CHECKSUM_OFFSET), expected };
    },
  };
}

/** What is used of the global of this name, which Node's types leave to those of browsers. */
interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: object };
}
const { Module, Instance } = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }).WebAssembly;

let compiled: object | undefined;

function instantiate(): WasmExports {
  compiled ??= new Module(wasmModule());
  return new Instance(compiled).exports as WasmExports;
}
