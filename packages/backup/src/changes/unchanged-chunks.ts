import { parseRelationPath } from "@soar/pg-tools/page-checksum";
import type { ChangedBlocks } from "@soar/pg-tools/changed-blocks";
import type { MemberLocation } from "@soar/seekable-tar";
import type { BaseChunk, BaseChunks } from "./base-chunks.ts";

/** How a cluster counts blocks (pg_control). */
export interface BlockGeometry {
  readonly blockSize: number;
  readonly blocksPerRelationFile: number;
}

/** Chunks that need not be read, because no WAL changes them since an earlier backup began, which has them. */
export class UnchangedChunks {
  readonly #base: BaseChunks;
  readonly #changed: ChangedBlocks;
  readonly #geometry: BlockGeometry;

  constructor(base: BaseChunks, changed: ChangedBlocks, geometry: BlockGeometry) {
    this.#base = base;
    this.#changed = changed;
    this.#geometry = geometry;
  }

  /** Where the chunk of a file lies, of `length` bytes from `position` on; undefined when it has to be read. */
  find(path: string, position: number, length: number): MemberLocation | undefined {
    const location = this.#base.find(path, position, length);
    return location !== undefined && this.#isUnchanged(path, position, length) ? location : undefined;
  }

  /** Has a file read whole. */
  forget(path: string): void {
    this.#base.forget(path);
  }

  /** All that the earlier backup has and nothing changed: files may be gone, shorter or longer by now. */
  *all(): Generator<BaseChunk, void, undefined> {
    for (const chunk of this.#base.chunks())
      if (this.#isUnchanged(chunk.path, chunk.position, chunk.location.plainLength)) yield chunk;
  }

  #isUnchanged(path: string, position: number, length: number): boolean {
    const relation = parseRelationPath(path);
    const { blockSize, blocksPerRelationFile } = this.#geometry;
    // The other forks change in ways that WAL does not tell.
    if (relation?.fork !== "main" || length % blockSize !== 0) return false;
    const first = relation.segment * blocksPerRelationFile + position / blockSize;
    return !this.#changed.mayHaveChanged(relation, first, first + length / blockSize);
  }
}
