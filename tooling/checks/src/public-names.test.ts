import { expect, test } from "vitest";
import { formatPublicApi, publicNames, readPublicApi, SNAPSHOT_PATH } from "./public-names.ts";
import { libraryManifest, sampleWorkspace } from "./sample-workspace.fixture.ts";
import type { Workspace } from "./workspace.ts";

const INDEX =
  'export { openStore, type ObjectStore } from "./a.ts";\nexport type { StoreConfig } from "./b.ts";\nexport const VERSION = 1;\n';
const LIBRARIES = ["errors", "app-kit", "restore", "verify"];

function workspaceWith(index: string, snapshot?: string): Workspace {
  const stubs = Object.fromEntries(LIBRARIES.map((name) => [`packages/${name}/src/index.ts`, "export {};"]));
  return sampleWorkspace({
    ...stubs,
    "packages/storage/src/index.ts": index,
    ...(snapshot === undefined ? {} : { [SNAPSHOT_PATH]: snapshot }),
  });
}

test("names every export of every entry, types marked", () => {
  expect(readPublicApi(workspaceWith(INDEX))["@soar/storage"]).toEqual({
    ".": ["type ObjectStore", "openStore", "type StoreConfig", "VERSION"],
  });
});

test("is content with its own snapshot", () => {
  expect(publicNames.find(workspaceWith(INDEX, formatPublicApi(readPublicApi(workspaceWith(INDEX)))))).toEqual([]);
});

test("notices an added and a removed name, and a type that became a value", () => {
  const snapshot = formatPublicApi(readPublicApi(workspaceWith(INDEX)));
  const messages = publicNames
    .find(
      workspaceWith('export { openStore, ObjectStore, extra } from "./a.ts";\nexport const VERSION = 1;\n', snapshot),
    )
    .map(({ message }) => message.split(";")[0]);
  expect(messages).toEqual([
    "@soar/storage now exports extra, ObjectStore",
    "@soar/storage no longer exports type ObjectStore, type StoreConfig, which users notice",
  ]);
});

test("refuses an entry with more names than anybody reads", () => {
  const index = (count: number): string =>
    Array.from({ length: count }, (_, at) => `export { name${at} } from "./a.ts";\n`).join("");
  const find = (count: number): string[] => {
    const snapshot = formatPublicApi(readPublicApi(workspaceWith(index(count))));
    return publicNames.find(workspaceWith(index(count), snapshot)).map(({ message }) => message);
  };
  expect(find(45)).toEqual([]);
  expect(find(46)).toEqual(["@soar/storage exports 46 names; give its chapters entries of their own"]);
});

test("notices an entry without a source", () => {
  const files = {
    "packages/storage/package.json": libraryManifest("@soar/storage", {
      exports: { "./testing": { "soar-source": "./src/testing/index.ts" } },
    }),
  };
  expect(publicNames.find(sampleWorkspace(files)).map(({ message }) => message)).toContain(
    "the entry './testing' has no source: packages/storage/src/testing/index.ts",
  );
});
