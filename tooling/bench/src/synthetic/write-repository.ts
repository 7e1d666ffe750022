import { createWriteStream, writeFileSync } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { DEFAULT_CHUNK_BYTES, SeekTableWriter } from "@soar/seekable-tar";
import { layOut, OBJECT, tarBytes, type SyntheticSize } from "./layout.ts";
import { keyOf, smallFiles, TABLE_FILE, SUMMARY_FILE } from "./repository-files.ts";

const ROWS_PER_DRAIN = 10_000;

/** Writes the seek table of a backup of this size, and its summary, as the writer of backups does. */
export async function writeSynthetic(directory: string, size: SyntheticSize): Promise<void> {
  const file = createWriteStream(join(directory, TABLE_FILE));
  const table = new SeekTableWriter({
    chunkBytes: DEFAULT_CHUNK_BYTES,
    async sink(frame) {
      if (!file.write(frame)) await once(file, "drain");
    },
  });
  table.beginArchive("base");
  let rows = 0;
  for (const laid of layOut(size, smallFiles(), keyOf(OBJECT))) {
    if (laid.kind === "entry") table.addEntry(laid.entry);
    else table.addMember(laid.member);
    rows += 1;
    if (rows % ROWS_PER_DRAIN === 0) await table.drain();
  }
  table.endArchive();
  const summary = await table.end();
  file.end();
  await once(file, "close");
  writeFileSync(
    join(directory, SUMMARY_FILE),
    JSON.stringify({ ...summary, tar: tarBytes(size.gigabytes, smallFiles()) }),
  );
}
