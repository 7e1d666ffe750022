import { makeWorkspace, type Workspace } from "./workspace.ts";

const LIBRARY = {
  version: "0.1.0",
  description: "A sample.",
  license: "Apache-2.0",
  type: "module",
  sideEffects: false,
  engines: { node: ">=24" },
  files: ["dist"],
  exports: { ".": { "soar-source": "./src/index.ts", default: "./dist/index.js" } },
  publishConfig: { provenance: true },
};

/** The package.json of a library that breaks no rule, with changes. */
export function libraryManifest(name: string, changes: Record<string, unknown> = {}): string {
  return JSON.stringify({ name, ...LIBRARY, ...changes });
}

export function appManifest(name: string, changes: Record<string, unknown> = {}): string {
  const { sideEffects: _sideEffects, exports: _exports, ...app } = LIBRARY;
  return JSON.stringify({ name, ...app, bin: { sample: "bin/sample.js" }, ...changes });
}

export function toolingManifest(name: string, changes: Record<string, unknown> = {}): string {
  return JSON.stringify({ name, private: true, ...changes });
}

/** A workspace of these files on top of one of each kind of package. */
export function sampleWorkspace(files: Record<string, string>): Workspace {
  const base = {
    "packages/errors/package.json": libraryManifest("@soar/errors"),
    "packages/storage/package.json": libraryManifest("@soar/storage", {
      dependencies: { "@soar/errors": "workspace:*", "@aws-sdk/client-s3": "catalog:" },
    }),
    "packages/app-kit/package.json": libraryManifest("@soar/app-kit", {
      dependencies: { "@soar/storage": "workspace:*" },
    }),
    "packages/restore/package.json": libraryManifest("@soar/restore", {
      dependencies: { "@soar/storage": "workspace:*" },
    }),
    "packages/verify/package.json": libraryManifest("@soar/verify", {
      dependencies: { "@soar/restore": "workspace:*" },
    }),
    "apps/restore-cli/package.json": appManifest("@soar/restore-cli", {
      devDependencies: { "@soar/restore": "workspace:*" },
    }),
    "apps/base-backup/package.json": appManifest("@soar/base-backup"),
    "tooling/servers/package.json": toolingManifest("@soar-tooling/servers"),
  };
  return makeWorkspace(new Map(Object.entries({ ...base, ...files })));
}
