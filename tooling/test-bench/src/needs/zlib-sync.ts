import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The addon with which tests of @soar/seekable-tar read our gzip members; `npm test` builds it. */
export const ZLIB_SYNC_ADDON = join(
  fileURLToPath(new URL("../../../../packages/seekable-tar/", import.meta.url)),
  "node_modules/zlib-sync",
  "build/Release/zlib_sync.node",
);

/** What node-gyp runs; the packages of Debian have the same names. */
const BUILD_TOOLS = ["python3", "make", "g++"];

/** What a search path lacks to build an addon, in words; undefined when it lacks nothing. */
export function missingBuildTools(path: string): string | undefined {
  const missing = BUILD_TOOLS.filter((name) => !path.split(delimiter).some((folder) => isProgram(join(folder, name))));
  return missing.length === 0
    ? undefined
    : `there is no ${missing.join(", ")} (Debian: apt install ${missing.join(" ")})`;
}

/** Why the addon cannot be used here. */
export function findZlibSyncLack(): string | undefined {
  if (existsSync(ZLIB_SYNC_ADDON)) return undefined;
  const missing = missingBuildTools(process.env["PATH"] ?? "");
  return missing === undefined ? "it was not built: npm test builds it" : `it was not built: ${missing}`;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
