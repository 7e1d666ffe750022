import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { formatConfigSetting } from "@soar/pg-tools";
import { writeDurably } from "./write-durably.ts";

const FENCE_BEGIN = "# soar: a copy of another cluster; it must not archive into that cluster's repository.";
const FENCE_END = "# soar: remove this block, and give the cluster a repository of its own, to adopt it.";

/**
 * Promise 7: a cluster that was restored anywhere but in place cannot archive into the repository that it came from. Its
 * WAL has the source's names, and its own timeline could meet the source's next one there.
 */
export async function fenceClone(dataDir: string): Promise<void> {
  const path = join(dataDir, "postgresql.auto.conf");
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  const block = [FENCE_BEGIN, formatConfigSetting("archive_mode", "off"), formatConfigSetting("archive_command", ""), FENCE_END, ""].join("\n");
  await writeDurably(path, [Buffer.from(text === "" || text.endsWith("\n") ? text + block : `${text}\n${block}`)]);
}
