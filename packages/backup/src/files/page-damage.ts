import type { DamageReport } from "@soar/pg-tools/replication";
import type { DamagedBlock } from "./read-tasks.ts";

/** As many blocks of a file as the server names (`sendFile`). */
const NAMED_BLOCKS = 5;

/** Collects pages whose checksum was wrong, of which a large file may have a hundred thousand. */
export class PageDamage {
  readonly #files = new Map<string, { blocks: number[]; total: number }>();

  /** `path` is relative to the data directory; blocks count from the start of the file. */
  add(path: string, damaged: readonly DamagedBlock[], blocksBefore: number): void {
    if (damaged.length === 0) return;
    const file = this.#files.get(path) ?? { blocks: [], total: 0 };
    for (const { blockNumber } of damaged)
      if (file.blocks.length < NAMED_BLOCKS) file.blocks.push(blockNumber - blocksBefore);
    file.total += damaged.length;
    this.#files.set(path, file);
  }

  report(): DamageReport | undefined {
    const files: DamageReport["files"] = [...this.#files].map(([path, file]) => ({ path, ...file }));
    const pages = [...this.#files.values()].reduce((sum, { total }) => sum + total, 0);
    return files.length === 0 ? undefined : { message: `${pages} pages have a wrong checksum`, files };
  }
}
