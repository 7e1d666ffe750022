import { basename } from "node:path";
import { formatGuard } from "@soar-tooling/release";
import type { Check } from "./check.ts";
import type { Workspace } from "./workspace.ts";

/** Every `apps/*\/bin/*.js` that is there, as its template says it should be. */
export function wantedGuards({ paths }: Workspace): ReadonlyMap<string, string> {
  const bins = Array.from(paths).filter((path) => /^apps\/[^/]+\/bin\/[^/]+\.js$/.test(path));
  return new Map(bins.map((path) => [path, formatGuard(basename(path, ".js"))]));
}

/** The exit statuses of a program that cannot run must not drift from one app to the next. */
export const programGuards: Check = {
  name: "guards of programs",
  find: (workspace) =>
    Array.from(wantedGuards(workspace))
      .filter(([path, wanted]) => workspace.files.get(path) !== wanted)
      .map(([path]) => ({
        path,
        message: "differs from its template in tooling/release/src/program-guard.ts: run `pnpm check --write`",
      })),
};
