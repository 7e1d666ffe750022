import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Metafile } from "esbuild";

/**
 * Worker threads are started from `new URL("./x-worker.js", import.meta.url)`, which a bundler does not follow.
 * Each such name in a bundled source becomes an entry of its own, so that it lies beside `main.js` under that name.
 * Two workers of one name in different packages would overwrite each other and are refused.
 */
export async function findWorkers(folder: string, { inputs }: Metafile): Promise<Record<string, string>> {
  const sources = Object.keys(inputs).filter((path) => path.endsWith(".ts") && !path.includes("node_modules"));
  const workers: Record<string, string> = {};
  for (const source of sources) {
    const path = join(folder, source);
    for (const [, name = ""] of (await readFile(path, "utf8")).matchAll(/["'`]\.\/([\w-]+-worker)\.js["'`]/g)) {
      const worker = join(dirname(path), `${name}.ts`);
      const other = workers[name];
      if (other !== undefined && other !== worker) {
        throw new Error(`unable to bundle '${basename(folder)}': the workers '${other}' and '${worker}' have one name`);
      }
      workers[name] = worker;
    }
  }
  return workers;
}
