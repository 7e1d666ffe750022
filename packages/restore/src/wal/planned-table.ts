import { join } from "node:path";
import { readTextIfPresent } from "@soar/durable-files";
import { hasErrorCode } from "@soar/errors";
import { RESTORE_STATE_DIRECTORY } from "../data-directory.ts";
import { parseLineageTable, type LineageTable } from "./lineage-table.ts";

export const TABLE_NAME = "lineage.json";

/** What the restore that was begun in a data directory gave recovery. Undefined where it is not there, or torn. */
export async function readPlannedTable(dataDir: string): Promise<LineageTable | undefined> {
  const path = join(dataDir, RESTORE_STATE_DIRECTORY, TABLE_NAME);
  const text = await readTextIfPresent(path, { within: { base: dataDir } });
  try {
    return text === undefined ? undefined : parseLineageTable(text, path);
  } catch (error) {
    if (hasErrorCode(error, "FORMAT_INVALID")) return undefined;
    throw error;
  }
}
