import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { meansAbsent, type Owner } from "@soar/durable-files";
import { removeTree } from "@soar/durable-files/directories";
import { inDataDirectory, RESTORE_STATE_DIRECTORY } from "../../data-directory.ts";

/**
 * Removes what stands in the way of a restore's own files in its directory for them, when everything is fetched or compared
 * again. No directory there is ours, but for that of a socket, whose server is gone.
 */
export async function clearState(dataDir: string, owner: Owner | undefined): Promise<void> {
  const stateDir = join(dataDir, RESTORE_STATE_DIRECTORY);
  const entries = await readdir(stateDir, { withFileTypes: true }).catch((error: unknown) => {
    if (meansAbsent(error)) return [];
    throw error;
  });
  for (const entry of entries.filter((one) => one.isDirectory() || one.name === "socket"))
    await removeTree(join(stateDir, entry.name), { sync: "none", within: inDataDirectory(dataDir, owner) });
}
