import { crc32cOf } from "@soar/pg-tools/manifest";
import { DEFAULT_CHUNK_BYTES, type PlacedEntry } from "@soar/seekable-tar";
import {
  type BundlePart,
  type EndOfBundle,
  layOutMembers,
  type ListedEntry,
  type MemberLayout,
  type NewMember,
  type PackedMember,
} from "@soar/seekable-tar/members";
import type { MemberItems, PackingRequest } from "../source/backup-source.ts";
import type { ClusterFile } from "./cluster-listing.ts";
import type { Pace } from "./pace.ts";
import type { PageDamage } from "./page-damage.ts";
import type { BundlePiece, PackedPiece, PackedRun, Packing, PageRules, ReadRun, ReadTask } from "./read-tasks.ts";
import type { ReaderPool } from "./reader-pool.ts";

type Layout = MemberLayout<ClusterFile>;
type Task = {
  readonly [Kind in ReadTask["kind"]]: Omit<Extract<ReadTask, { kind: Kind }>, "packing">;
}[ReadTask["kind"]];

/** Members in work or waiting for their turn: enough to keep all readers busy. */
const ITEMS_PER_READER = 3;

export interface ArchivePackerOptions {
  readonly request: PackingRequest;
  readonly pool: ReaderPool;
  readonly pages: PageRules | undefined;
  readonly damage: PageDamage;
  readonly pace: Pace;
  /** Called when all of a file, or a part of a large one, was read. */
  readonly onRead: (bytes: number) => void;
}

/** Turns the files of a cluster into members, read and packed by the pool, and keeps count of those that are under way. */
export class ArchivePacker {
  readonly #options: ArchivePackerOptions;
  #underWay = 0;
  #idle = Promise.withResolvers<undefined>();

  constructor(options: ArchivePackerOptions) {
    this.#options = options;
  }

  members(listing: AsyncIterable<ListedEntry<ClusterFile> | EndOfBundle>): MemberItems {
    return {
      items: this.#layouts(listing),
      pack: async (layout, signal) => {
        // The items are ours; whoever writes members does not look into them.
        const packed = await this.#pack(layout as Layout, signal);
        if (--this.#underWay === 0) this.#idle.resolve(undefined);
        return packed;
      },
      maxItems: this.#options.request.workers * ITEMS_PER_READER + 1,
    };
  }

  /** Resolves when everything that was laid out so far has been read. */
  async drained(): Promise<void> {
    if (this.#underWay > 0) await this.#idle.promise;
  }

  async *#layouts(
    listing: AsyncIterable<ListedEntry<ClusterFile> | EndOfBundle>,
  ): AsyncGenerator<Layout, void, undefined> {
    for await (const layout of layOutMembers(listing, { chunkBytes: DEFAULT_CHUNK_BYTES })) {
      if (this.#underWay++ === 0) this.#idle = Promise.withResolvers();
      yield layout;
    }
  }

  async #pack(layout: Layout, signal: AbortSignal): Promise<PackedMember> {
    return layout.kind === "chunk"
      ? await this.#packChunk(layout, signal)
      : await this.#packBundle(layout.parts, signal);
  }

  async #packChunk(
    { source, position, plainBytes }: Layout & { kind: "chunk" },
    signal: AbortSignal,
  ): Promise<PackedMember> {
    const { opened } = source;
    if (opened === undefined) throw new Error("a large file was not opened");
    const { unchanged } = this.#options.request;
    const known = unchanged?.find(source.path.toString("latin1"), position, plainBytes);
    if (known === undefined) await this.#options.pace.take(plainBytes, signal);
    const packed =
      known === undefined
        ? await this.#read({ kind: "chunk", fd: opened.fd, run: this.#runOf(source, position, plainBytes) }, signal)
        : { content: known, run: { crc: known.crc32c, damaged: [] } };
    this.#note(source, position, plainBytes, "run" in packed ? packed.run : packed.pieces[0]?.run);
    // Chunks end in any order: the last one to be read is not always the file's last.
    if (source.sum.isComplete(source.size)) opened.close();
    return { plainLength: plainBytes, content: packed.content, entriesAt: () => [] };
  }

  async #packBundle(parts: readonly BundlePart<ClusterFile>[], signal: AbortSignal): Promise<PackedMember> {
    await this.#options.pace.take(
      parts.reduce((sum, { source }) => sum + (source?.size ?? 0), 0),
      signal,
    );
    const packed = await this.#read({ kind: "bundle", pieces: parts.map((part) => this.#pieceOf(part)) }, signal);
    for (const [index, { source }] of parts.entries())
      if (source !== undefined) this.#note(source, 0, source.size, runOf(source, packed.pieces[index]));
    const { plainLength, content, pieces } = packed;
    return { plainLength, content, entriesAt: (member) => placeEntries(parts, pieces, member) };
  }

  #pieceOf({ structure, source, padding = 0 }: BundlePart<ClusterFile>): BundlePiece {
    if (source === undefined) return { kind: "bytes", bytes: structure };
    if (source.content !== undefined)
      return { kind: "bytes", bytes: Buffer.concat([structure, source.content, Buffer.alloc(padding)]) };
    return {
      kind: "file",
      file: {
        ...this.#runOf(source, 0, source.size),
        tree: source.tree,
        place: source.place,
        header: structure,
        padding,
      },
    };
  }

  #runOf({ path, firstBlock }: ClusterFile, position: number, length: number): ReadTaskRun {
    const { pages } = this.#options;
    const first = firstBlock === undefined || pages === undefined ? undefined : firstBlock + position / pages.blockSize;
    return { path: path.toString("utf8"), position, length, firstBlock: first };
  }

  /** What seems to lie in an earlier backup but does not is read once more. */
  async #read(task: Task, signal: AbortSignal): Promise<ReadMember> {
    const { request, pages } = this.#options;
    const packing: Packing = {
      codec: request.codec,
      level: request.level,
      pages,
      always: request.existing === undefined,
    };
    const found = await this.#options.pool.run({ ...task, packing }, [], signal);
    const { plainLength, pieces } = found;
    const content = newMemberOf(found) ?? request.existing?.find(asBuffer(found.sha256), plainLength);
    if (content !== undefined) return { plainLength, pieces, content };
    const again = await this.#options.pool.run({ ...task, packing: { ...packing, always: true } }, [], signal);
    const stored = newMemberOf(again);
    if (stored === undefined) throw new Error("a reader that must store has not");
    return { plainLength: again.plainLength, pieces: again.pieces, content: stored };
  }

  #note(file: ClusterFile, position: number, length: number, run: ReadRun | undefined): void {
    const { damage, onRead } = this.#options;
    if (run === undefined) return;
    file.sum.add(position, run.crc, length);
    damage.add(file.path.toString("utf8"), run.damaged, file.firstBlock ?? 0);
    onRead(length);
  }
}

type ReadTaskRun = Extract<ReadTask, { kind: "chunk" }>["run"];
type ReadMember = Omit<PackedMember, "entriesAt"> & { readonly pieces: PackedRun["pieces"] };

function newMemberOf({ sha256, crc32c, stored }: PackedRun): NewMember | undefined {
  if (stored === undefined) return undefined;
  return { sha256: asBuffer(sha256), crc32c, stored: asBuffer(stored.bytes), storedDigest: asBuffer(stored.digest) };
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** Of content that was known before, the checksum is that of what we gave; the reader only copies it. */
function runOf({ content }: ClusterFile, piece: PackedPiece | undefined): ReadRun | undefined {
  return content === undefined ? piece?.run : { crc: crc32cOf(content), damaged: [] };
}

function placeEntries(
  parts: readonly BundlePart<ClusterFile>[],
  pieces: PackedRun["pieces"],
  member: number,
): PlacedEntry[] {
  return parts.flatMap(({ entry, structure, source, contentIsNext }, index) => {
    const piece = pieces[index];
    if (entry === undefined || piece === undefined) return [];
    if (contentIsNext === true) return [{ ...entry, member: member + 1, offset: 0 }];
    // A file's content begins where its run does; of bytes the header is a part.
    const offset =
      source !== undefined && source.content === undefined ? piece.offset : piece.offset + structure.length;
    return [{ ...entry, member, offset }];
  });
}
