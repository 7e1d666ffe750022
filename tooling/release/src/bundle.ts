import { chmod, rm } from "node:fs/promises";
import { join } from "node:path";
import { build, type BuildOptions, type Metafile } from "esbuild";
import { findProblems } from "./bundle-problems.ts";
import { findWorkers } from "./find-workers.ts";
import type { AppManifest } from "./manifest.ts";
import { plainHttp } from "./plain-http.ts";

export interface BundleSummary {
  /** Bytes of the files that `main.js` imports before its first line runs, itself included. */
  readonly startBytes: number;
  /** Bytes of the files that are loaded by `import()` only, workers left out. */
  readonly lazyBytes: number;
  readonly workers: readonly string[];
}

export interface Bundle {
  readonly summary: BundleSummary;
  /** Empty when the bundle will run where the package is installed. */
  readonly problems: readonly string[];
}

/** Native addons cannot be part of a bundle; CommonJS packages look for the last two and live without them. */
const EXTERNAL = ["@node-rs/crc32", "zlib-sync", "pg-native"];

// CommonJS inside an ESM bundle calls `require`, which ESM lacks. The names cannot meet a name of the bundle. The
// first line is for main.js; in the other files it is a comment, and the source maps stay right.
const BANNER = `#!/usr/bin/env -S node --
import { createRequire as __soarCreateRequire } from "node:module"; const require = __soarCreateRequire(import.meta.url);`;

/** Bundles the app in `folder` from the sources of all workspace packages into `dist/`, and its workers beside it. */
export async function bundleApp(folder: string, manifest: AppManifest): Promise<Bundle> {
  const dist = join(folder, "dist");
  await rm(dist, { recursive: true, force: true });
  const main = join(folder, "src", "main.ts");
  const analysis = await build({ ...options(folder, manifest, { main }), write: false });
  const workers = await findWorkers(folder, analysis.metafile);
  const { metafile } = await build({ ...options(folder, manifest, { main, ...workers }), outdir: dist });
  await chmod(join(dist, "main.js"), 0o755);
  return {
    summary: summarize(metafile, Object.keys(workers)),
    problems: await findProblems(folder, metafile, manifest, EXTERNAL),
  };
}

function options(folder: string, { name, version }: AppManifest, entryPoints: Record<string, string>) {
  return {
    absWorkingDir: folder,
    entryPoints,
    outdir: "dist",
    bundle: true,
    // Packages that are imported on demand, such as the S3 SDK, become files of their own that a start does not read.
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node24",
    conditions: ["soar-source"],
    mainFields: ["module", "main"],
    external: EXTERNAL,
    plugins: [plainHttp],
    banner: { js: BANNER },
    define: {
      "process.env.SOAR_APP_NAME": JSON.stringify(name),
      "process.env.SOAR_APP_VERSION": JSON.stringify(version),
    },
    keepNames: true,
    sourcemap: "linked",
    sourcesContent: false,
    legalComments: "eof",
    metafile: true,
    logLevel: "warning",
  } as const satisfies BuildOptions;
}

function summarize({ outputs }: Metafile, workers: readonly string[]): BundleSummary {
  const reach = (start: readonly string[], kinds: readonly string[]) => {
    const seen = new Set<string>();
    const queue = [...start];
    for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
      if (seen.has(path)) continue;
      seen.add(path);
      for (const next of outputs[path]?.imports ?? [])
        if (!next.external && kinds.includes(next.kind)) queue.push(next.path);
    }
    return seen;
  };
  const bytes = (paths: Iterable<string>) =>
    Array.from(paths, (path) => outputs[path]?.bytes ?? 0).reduce((sum, size) => sum + size, 0);
  const atStart = reach(["dist/main.js"], ["import-statement", "require-call"]);
  const all = reach(["dist/main.js"], ["import-statement", "require-call", "dynamic-import"]);
  return { startBytes: bytes(atStart), lazyBytes: bytes(all.difference(atStart)), workers };
}
