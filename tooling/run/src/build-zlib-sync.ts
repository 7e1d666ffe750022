import { existsSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { missingBuildTools, ZLIB_SYNC_ADDON } from "@soar-tooling/test-bench";
import { ROOT } from "./root.ts";
import { type CapturedRun, runCaptured } from "./run-captured.ts";

const BUILD_TIMEOUT_MS = 5 * 60_000;
const FETCH_TIMEOUT_MS = 5 * 60_000;
const LOAD_TIMEOUT_MS = 30_000;
/** Status of a build for which this machine lacks a program: the tests that need it are skipped by name. */
export const CANNOT_BUILD = 69;
const BUILT_FOR = "build/soar-built-for";

/**
 * Builds the addon with which tests of @soar/seekable-tar read our gzip members, against the headers of this Node; does
 * nothing when that was done. pnpm does not build it (`allowBuilds`): it would run beside the script that brings Node,
 * for whatever Node happens to run pnpm, and for everybody who only wants to run a program.
 */
export async function buildZlibSync(): Promise<CapturedRun> {
  const folder = realpathSync(join(ROOT, "packages", "seekable-tar", "node_modules", "zlib-sync"));
  const wanted = `${process.version} ${process.platform}-${process.arch}\n`;
  const builtFor = join(folder, BUILT_FOR);
  if (existsSync(ZLIB_SYNC_ADDON) && existsSync(builtFor) && readFileSync(builtFor, "utf8") === wanted)
    return { status: 0, output: "" };
  const missing = missingBuildTools(process.env["PATH"] ?? "");
  if (missing !== undefined) return { status: CANNOT_BUILD, output: `error: unable to build zlib-sync: ${missing}\n` };
  const headers = await nodeHeaders();
  if (typeof headers !== "string") return headers;
  const gyp = join(realpathSync(join(ROOT, "tooling", "run", "node_modules", "node-gyp")), "bin", "node-gyp.js");
  const run = await runCaptured(process.execPath, [gyp, "rebuild", "-C", folder, `--nodedir=${headers}`], {
    timeoutMs: BUILD_TIMEOUT_MS,
    env: {
      PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter),
      // node-gyp believes npm's settings more than its own arguments, and `npm test` hands those of the machine on to us: with a
      // nodedir in ~/.npmrc the addon was built for the Node that runs npm, and did not load.
      npm_config_nodedir: headers,
    },
  });
  if (run.status !== 0) return run;
  const loaded = await runCaptured(process.execPath, ["-e", `require(${JSON.stringify(ZLIB_SYNC_ADDON)})`], {
    timeoutMs: LOAD_TIMEOUT_MS,
  });
  if (loaded.status === 0) writeFileSync(builtFor, wanted);
  return loaded;
}

/**
 * Folder with `include/node` of this very Node. The npm package `node` brings its platform's package with it, headers
 * included; in a checkout that pnpm filled from its store only the program is left, and the package is fetched again.
 */
async function nodeHeaders(): Promise<string | CapturedRun> {
  const { platform, arch, version } = process;
  const name = `${platform === "darwin" && arch === "arm64" ? "node-bin" : "node"}-${platform}-${arch}`;
  const fetched = join(ROOT, ".soar", "node-headers", version);
  const places = [
    join(realpathSync(join(ROOT, "node_modules", "node")), "node_modules", name),
    join(fetched, "node_modules", name),
  ];
  const found = (): string | undefined => places.find((place) => existsSync(join(place, "include", "node", "node.h")));
  const present = found();
  if (present !== undefined) return present;
  const options = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
  const run = await runCaptured("npm", ["install", "--prefix", fetched, ...options, `${name}@${version.slice(1)}`], {
    timeoutMs: FETCH_TIMEOUT_MS,
  });
  return (
    found() ?? {
      status: 1,
      output: `${run.output}\nerror: unable to fetch the headers of Node ${version} for zlib-sync\n`,
    }
  );
}
