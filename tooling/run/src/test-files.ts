import { readdir } from "node:fs/promises";
import { join } from "node:path";

const GROUPS = ["apps", "packages", "tooling"];
const GENERATED = new Set(["node_modules", "dist", "coverage"]);

/** Every test file of the workspace, relative to `root`; a run that leaves one out is not a whole run. */
export async function listTestFiles(root: string): Promise<string[]> {
  const found = await Promise.all(GROUPS.map((group) => filesIn(root, group)));
  return found
    .flat()
    .filter((path) => path.endsWith(".test.ts"))
    .sort();
}

async function filesIn(root: string, folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true });
  const nested = entries.map(async (entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return GENERATED.has(entry.name) ? [] : await filesIn(root, path);
    return entry.isFile() ? [path] : [];
  });
  return (await Promise.all(nested)).flat();
}
