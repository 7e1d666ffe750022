import type { Check, Finding } from "./check.ts";

/** The pnpm that a bare machine installs with, the one that scripts use and the catalog's are the same. */
export const pinnedTools: Check = {
  name: "one pnpm",
  find: ({ files }) => {
    const manifest = JSON.parse(files.get("package.json") ?? "{}") as { readonly packageManager?: string };
    const [, version] = /^ {2}pnpm: (\d\S+)$/m.exec(files.get("pnpm-workspace.yaml") ?? "") ?? [];
    const same = version !== undefined && manifest.packageManager === `pnpm@${version}`;
    return same
      ? []
      : [
          {
            path: "package.json",
            message: `packageManager is ${manifest.packageManager}, the catalog's pnpm is ${version}`,
          },
        ];
  },
};

/** A tag of an action can be moved to other code after a review; a commit cannot. */
export const pinnedActions: Check = {
  name: "pinned actions",
  find: ({ files }) =>
    Array.from(files)
      .filter(([path]) => path.startsWith(".github/workflows/"))
      .flatMap(([path, text]): Finding[] =>
        Array.from(text.matchAll(/uses: *(\S+)/g), ([, action = ""]) => action)
          .filter((action) => !/@[0-9a-f]{40}$/.test(action))
          .map((action) => ({ path, message: `'${action}' is not pinned to a commit` })),
      ),
};
