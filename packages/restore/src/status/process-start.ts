import { readFile } from "node:fs/promises";

/**
 * When a process was started, in the kernel's own unit (field 22 of /proc/<pid>/stat): with it an id names one process
 * only. Undefined when there is no such process; empty where the system does not tell.
 */
export async function processStart(processId: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${processId}/stat`, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ESRCH") return undefined;
    throw error;
  });
  if (text === undefined) return process.platform === "linux" ? undefined : "";
  // The name stands in parentheses and may itself hold any character.
  return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}
