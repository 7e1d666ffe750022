import type { Check } from "./check.ts";

/** The pnpm that a bare machine installs with, the one that scripts use and the catalog's are the same. */
export const pinnedTools: Check = {
  name: "one pnpm",
  find: ({ files }) => {
    const manifest = JSON.parse(files.get("package.json") ?? "{}") as { readonly packageManager?: string };
    const [, version] = /^ {2}pnpm: (\d\S+)$/m.exec(files.get("pnpm-workspace.yaml") ?? "") ?? [];
    const same = version !== undefined && manifest.packageManager === `pnpm@${version}`;
    return same ? [] : [{ path: "package.json", message: `packageManager is ${manifest.packageManager}, the catalog's pnpm is ${version}` }];
  },
};
