import { expect, test } from "vitest";
import { packageFiles } from "./package-files.ts";
import { appManifest, libraryManifest, sampleWorkspace, toolingManifest } from "./sample-workspace.fixture.ts";

/** Findings of one package that is complete apart from these changes. */
function find(folder: string, manifest: string, without: readonly string[] = []): string[] {
  const files = {
    [`${folder}/package.json`]: manifest,
    [`${folder}/README.md`]: "# Sample",
    [`${folder}/tsconfig.build.json`]: "{}",
  };
  const kept = Object.fromEntries(
    Object.entries(files).filter(([path]) => !without.some((name) => path.endsWith(name))),
  );
  return packageFiles
    .find(sampleWorkspace(kept))
    .filter(({ path }) => path.startsWith(`${folder}/`))
    .map(({ message }) => message);
}

test("a complete library, app and tool pass", () => {
  expect(find("packages/errors", libraryManifest("@soar/errors"))).toEqual([]);
  expect(find("apps/base-backup", appManifest("@soar/base-backup"))).toEqual([]);
  expect(find("tooling/servers", toolingManifest("@soar-tooling/servers"))).toEqual([]);
});

test.each([
  [{ private: true }, "the package is private although it is to be published"],
  [{ license: "MIT" }, "description or licence is missing"],
  [{ type: "commonjs" }, 'type is not "module"'],
  [{ engines: { node: ">=22" } }, 'engines.node is not ">=24": zstd of Node 22 accepts truncated input in silence'],
  [{ files: ["src"] }, "files does not list dist"],
  [{ publishConfig: {} }, "publishConfig.provenance is not true"],
  [{ sideEffects: true }, "sideEffects is not false"],
  [{ bin: { a: "a.js" } }, "a library has no bin"],
  [{ exports: { "./lib/*": "./lib/*.js" } }, "the entry './lib/*' makes internal files public"],
  [{ dependencies: { tar: "^7.0.0" } }, "tar is '^7.0.0': use catalog: or workspace:*"],
])("a library with %j fails", (changes, message) => {
  expect(find("packages/errors", libraryManifest("@soar/errors", changes))).toEqual([message]);
});

test("a library without README or build fails", () => {
  expect(find("packages/errors", libraryManifest("@soar/errors"), ["README.md"])).toEqual([
    "the package has no README.md",
  ]);
  expect(find("packages/errors", libraryManifest("@soar/errors"), ["tsconfig.build.json"])).toEqual([
    "tsconfig.build.json is missing",
  ]);
});

test("an app with two programs or with a bundled dependency fails", () => {
  expect(find("apps/base-backup", appManifest("@soar/base-backup", { bin: { a: "a.js", b: "b.js" } }))).toEqual([
    "an app has one bin",
  ]);
  const dependencies = { "@soar/storage": "workspace:*" };
  expect(find("apps/base-backup", appManifest("@soar/base-backup", { dependencies }))).toEqual([
    "@soar/storage is part of the bundle: list it under devDependencies",
  ]);
});

test("tooling that could be published fails", () => {
  expect(find("tooling/servers", toolingManifest("servers", { private: false }))).toEqual([
    "tooling is private",
    "the name of tooling starts with @soar-tooling/",
  ]);
});
