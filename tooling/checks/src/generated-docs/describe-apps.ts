import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { AppDescription } from "@soar/app-kit";

/** Asks every binary, from its source, which options it has: what is documented is what runs. */
export async function describeApps(root: string): Promise<AppDescription[]> {
  const folders = (await readdir(join(root, "apps"))).sort();
  // An app that answers without loading the whole program has its commands in a file of their own.
  const files = folders
    .flatMap((folder) => ["main.ts", "app.ts"].map((file) => join(root, "apps", folder, "src", file)))
    .filter((path) => existsSync(path));
  const sources = await Promise.all(files.map(async (file) => ({ file, source: await readFile(file, "utf8") })));
  // An app that is only a placeholder so far has no options to tell of.
  return Promise.all(sources.filter(({ source }) => source.includes("runApp(")).map(({ file }) => describe(file)));
}

async function describe(main: string): Promise<AppDescription> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--conditions=soar-source", "--", main, "--describe"],
    { maxBuffer: 2 ** 24 },
  );
  return JSON.parse(stdout) as AppDescription;
}
