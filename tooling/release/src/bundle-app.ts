import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type BundleSummary, bundleApp } from "./bundle.ts";
import { readManifest } from "./manifest.ts";

/**
 * The build script of an app, run in the app's folder: bundles `src/main.ts` to `dist/main.js` and prints what came
 * out. Exits with 1 and the reasons when the bundle would not run where the package is installed.
 */
async function main(folder: string): Promise<number> {
  const manifest = readManifest(await readFile(join(folder, "package.json"), "utf8"));
  const { summary, problems } = await bundleApp(folder, manifest);
  process.stdout.write(`${manifest.name}: ${formatSummary(summary)}\n`);
  for (const problem of problems) process.stderr.write(`error: ${problem}\n`);
  return problems.length > 0 ? 1 : 0;
}

function formatSummary({ startBytes, lazyBytes, workers }: BundleSummary): string {
  const kib = (bytes: number) => `${Math.round(bytes / 1024)} KiB`;
  const worker = workers.length > 0 ? `, worker ${workers.join(", ")}` : "";
  return `${kib(startBytes)} read at start-up, ${kib(lazyBytes)} on demand${worker}`;
}

try {
  process.exitCode = await main(process.cwd());
} catch (error) {
  // esbuild has printed what it could not bundle, with the place in the source; its stack would add nothing.
  if (!(error instanceof Error && "errors" in error && "warnings" in error)) throw error;
  process.exitCode = 1;
}
