import { ARCHIVE_END_BYTES, formatHeader, paddingOf, type WritableEntry } from "../tar/format-header.ts";
import { type Cutting, cuttingOf, type CuttingOptions, endsBundle } from "./bundling.ts";

/** An entry of an archive that is to be made, and where the content of a file comes from. */
export interface ListedEntry<Source> {
  readonly entry: WritableEntry;
  /** Of a file. */
  readonly source?: Source | undefined;
}

/** Ends the bundle that is being laid out: what was listed before is then part of a member that can be read. */
export type EndOfBundle = "end-of-bundle";

/** What a member is to hold. */
export type MemberLayout<Source> =
  | { readonly kind: "bundle"; readonly parts: readonly BundlePart<Source>[]; readonly plainBytes: number }
  | {
      readonly kind: "chunk";
      readonly source: Source;
      /** Where the chunk begins in the file. */
      readonly position: number;
      readonly plainBytes: number;
    };

/** A piece of a bundle: headers, small files and the padding of files. */
export interface BundlePart<Source> {
  /** Undefined for padding and for the end of the archive. */
  readonly entry?: WritableEntry | undefined;
  /** The header of the entry, or zeros. */
  readonly structure: Buffer;
  /** For a small file: its content stands behind the structure, `padding` zeros behind that. */
  readonly source?: Source | undefined;
  readonly padding?: number | undefined;
  /** The content of the entry begins with the next member. */
  readonly contentIsNext?: boolean | undefined;
}

/**
 * Cuts an archive that does not exist yet into members, on the same grid as `memberize` cuts a stream, so that their contents
 * can be read side by side. A file has the size of its entry, whatever becomes of it meanwhile.
 */
export async function* layOutMembers<Source>(
  listing: AsyncIterable<ListedEntry<Source> | EndOfBundle> | Iterable<ListedEntry<Source> | EndOfBundle>,
  options: CuttingOptions,
): AsyncGenerator<MemberLayout<Source>, void, undefined> {
  const bundle = new BundleLayout<Source>(cuttingOf(options));
  for await (const listed of listing) {
    if (listed === "end-of-bundle") {
      if (!bundle.isEmpty) yield bundle.take();
      continue;
    }
    const { entry, source } = listed;
    if (bundle.isLarge(entry) && source !== undefined) {
      bundle.add({ entry, structure: formatHeader(entry), contentIsNext: true });
      yield bundle.take();
      yield* chunksOf(entry.size, source, options.chunkBytes);
      const padding = paddingOf(entry.size);
      if (padding > 0) bundle.add({ structure: Buffer.alloc(padding) });
    } else {
      bundle.add({ entry, structure: formatHeader(entry), source, padding: paddingOf(entry.size) });
      if (bundle.endsBehind(entry.path)) yield bundle.take();
    }
  }
  bundle.add({ structure: Buffer.alloc(ARCHIVE_END_BYTES) });
  yield bundle.take();
}

function* chunksOf<Source>(size: number, source: Source, chunkBytes: number): Generator<MemberLayout<Source>> {
  for (let position = 0; position < size; position += chunkBytes) {
    const plainBytes = Math.min(chunkBytes, size - position);
    yield { kind: "chunk", source, position, plainBytes };
  }
}

class BundleLayout<Source> {
  readonly #cutting: Cutting;
  #parts: BundlePart<Source>[] = [];
  #size = 0;

  constructor(cutting: Cutting) {
    this.#cutting = cutting;
  }

  get isEmpty(): boolean {
    return this.#parts.length === 0;
  }

  isLarge({ size }: WritableEntry): boolean {
    return size >= this.#cutting.largeFileBytes;
  }

  add(part: BundlePart<Source>): void {
    this.#parts.push(part);
    this.#size += part.structure.length + contentOf(part) + (part.padding ?? 0);
  }

  endsBehind(path: string): boolean {
    return endsBundle(this.#size, path, this.#cutting);
  }

  take(): MemberLayout<Source> {
    const bundle = { kind: "bundle", parts: this.#parts, plainBytes: this.#size } as const;
    this.#parts = [];
    this.#size = 0;
    return bundle;
  }
}

function contentOf({ entry, source }: BundlePart<unknown>): number {
  return source === undefined ? 0 : (entry?.size ?? 0);
}
