import { describe, expect, test } from "vitest";
import { changesetFiles, firstReleases } from "./changeset-files.ts";
import type { Check } from "./check.ts";
import { declaredDependencies } from "./declared-dependencies.ts";
import { libraryPurity } from "./library-purity.ts";
import { moduleShape } from "./module-shape.ts";
import { pinnedActions, pinnedTools } from "./pinned-tools.ts";
import { programRuns } from "./program-runs.ts";
import { libraryManifest, sampleWorkspace } from "./sample-workspace.fixture.ts";
import { strangersWords } from "./strangers-words.ts";
import { supportedVersions } from "./supported-versions.ts";

function messages(check: Check, files: Record<string, string>): string[] {
  return check.find(sampleWorkspace(files)).map(({ message }) => message);
}

describe("declared dependencies", () => {
  test.each([
    ["a declared package", "packages/storage/src/a.ts", 'import "@aws-sdk/client-s3/x";'],
    ["Node itself", "packages/storage/src/a.ts", 'import "node:fs/promises";'],
    ["what the root installs, in a test", "packages/errors/src/a.test.ts", 'import { test } from "vitest";'],
    ["a devDependency of an app, which is bundled", "apps/restore-cli/src/main.ts", 'import "@soar/restore";'],
  ])("accept %s", (_what, path, code) => {
    expect(messages(declaredDependencies, { [path]: code })).toEqual([]);
  });

  test.each([
    [
      "an undeclared package",
      "packages/errors/src/a.ts",
      'import "@aws-sdk/client-s3";',
      "'@aws-sdk/client-s3' is not declared under dependencies of @soar/errors",
    ],
    [
      "vitest outside of tests",
      "packages/errors/src/a.ts",
      'import "vitest";',
      "'vitest' is not declared under dependencies of @soar/errors",
    ],
    ["Node without its prefix", "packages/errors/src/a.ts", 'import "fs";', "write 'node:fs'"],
    [
      "an undeclared package in a test",
      "packages/errors/src/a.test.ts",
      'import "tar";',
      "'tar' is not declared under dependencies or devDependencies of @soar/errors",
    ],
  ])("refuse %s", (_what, path, code, message) => {
    expect(messages(declaredDependencies, { [path]: code })).toEqual([message]);
  });

  test("refuse a devDependency where users would need it, and accept its types", () => {
    const manifest = libraryManifest("@soar/errors", { devDependencies: { tar: "catalog:", "@types/pg": "catalog:" } });
    const files = {
      "packages/errors/package.json": manifest,
      "packages/errors/src/a.ts": 'import "tar";\nimport type { Client } from "pg";',
    };
    expect(messages(declaredDependencies, files)).toEqual(["'tar' is not declared under dependencies of @soar/errors"]);
  });
});

describe("programs are run in one way:", () => {
  const spawn = 'import { spawn } from "node:child_process";';
  test.each([
    ["the package for it", "packages/programs/src/spawn-group.ts", spawn],
    ["a test", "packages/storage/src/a.test.ts", spawn],
    ["tooling", "tooling/servers/src/a.ts", spawn],
  ])("accept %s", (_what, path, code) => {
    expect(messages(programRuns, { [path]: code })).toEqual([]);
  });

  test.each([
    ["a library", "packages/storage/src/a.ts", spawn],
    ["an app", "apps/restore-cli/src/a.ts", spawn],
    ["a way round imports", "packages/storage/src/a.ts", 'process.getBuiltinModule("child_process");'],
  ])("refuse %s", (_what, path, code) => {
    expect(messages(programRuns, { [path]: code })).toHaveLength(1);
  });
});

describe("libraries leave the process alone:", () => {
  test.each([
    "process.env.HOME",
    'process.env["HOME"]',
    "process.argv",
    "process.exit(1)",
    "process.exitCode = 1",
    "process.stdout.write('')",
    "console.log(1)",
    'process.on("exit", f)',
    "process[name]",
  ])("%s is refused in a library, accepted in a test, in app-kit, apps and tooling", (code) => {
    expect(
      messages(libraryPurity, { "packages/storage/src/a.ts": `export const a = () => { ${code}; };` }),
    ).toHaveLength(1);
    for (const path of [
      "packages/storage/src/a.test.ts",
      "packages/app-kit/src/a.ts",
      "apps/base-backup/src/a.ts",
      "tooling/servers/src/a.ts",
    ]) {
      expect(messages(libraryPurity, { [path]: `export const a = () => { ${code}; };` })).toEqual([]);
    }
  });

  test.each([
    "process.platform",
    "process.hrtime.bigint()",
    "const process = spawn(); process.on('exit', f)",
    "other.process.env",
    "// process.env",
  ])("%s is accepted", (code) => {
    expect(messages(libraryPurity, { "packages/storage/src/a.ts": `export const a = () => { ${code}; };` })).toEqual(
      [],
    );
  });
});

describe("the shape of modules", () => {
  test.each([
    ["export *", "packages/storage/src/a.ts", 'export * from "./b.ts";', "export * is banned: name what is public"],
    [
      "an index with logic",
      "packages/storage/src/index.ts",
      "const a = 1;\nexport { a };",
      "an index file only re-exports names",
    ],
    [
      "a file named for its shape",
      "packages/storage/src/utils.ts",
      "",
      "name the file after its one idea, not after its shape",
    ],
    [
      "a folder named for its shape",
      "packages/storage/src/common/key.ts",
      "",
      "name the file after its one idea, not after its shape",
    ],
    ["camelCase", "packages/storage/src/objectKey.ts", "", "file names are kebab-case"],
  ])("refuses %s", (_what, path, code, message) => {
    expect(messages(moduleShape, { [path]: code })).toEqual([message]);
  });

  test("says what cannot be parsed", () => {
    expect(messages(moduleShape, { "packages/storage/src/a.ts": "const = 1;" })).toEqual([
      expect.stringContaining("unable to parse"),
    ]);
  });

  test.each(["object-key.ts", "object-key.test.ts", "s3.integration.test.ts", "a2.bench.ts", "install-failure.d.mts"])(
    "accepts %s",
    (name) => {
      expect(messages(moduleShape, { [`packages/storage/src/${name}`]: 'export { a } from "./b.ts";' })).toEqual([]);
    },
  );
});

describe("changesets", () => {
  const changeset = (text: string) => messages(changesetFiles, { ".changeset/a.md": text });

  test("accept packages of the workspace with a summary", () => {
    expect(changeset('---\n"@soar/storage": minor\n"@soar/errors": patch\n---\n\nBefore, now.\n')).toEqual([]);
  });

  test.each([
    [
      "an unknown package",
      '---\n"@soar/storrage": minor\n---\n\nText\n',
      "'\"@soar/storrage\": minor' names no published package of the workspace",
    ],
    [
      "tooling",
      '---\n"@soar-tooling/servers": minor\n---\n\nText\n',
      "'\"@soar-tooling/servers\": minor' names no published package of the workspace",
    ],
    ["an unknown bump", '---\n"@soar/storage": huge\n---\n\nText\n', "'huge' is not patch, minor or major"],
    ["no summary", '---\n"@soar/storage": minor\n---\n\n', "tell the operator what was wrong and what happens now"],
    ["no package", "---\n---\n\nText\n", "no package is named"],
    ["no head", "Text\n", "a changeset begins with the packages between two lines of ---"],
  ])("refuse %s", (_what, text, message) => {
    expect(changeset(text)).toEqual([message]);
  });

  test("announce every package that was never released", () => {
    const files = { "packages/errors/package.json": libraryManifest("@soar/errors", { version: "0.0.0" }) };
    expect(messages(firstReleases, files)).toEqual(["no changeset announces @soar/errors"]);
    expect(
      messages(firstReleases, { ...files, ".changeset/a.md": '---\n"@soar/errors": minor\n---\n\nText\n' }),
    ).toEqual([]);
  });
});

test("one pnpm: the version of the bare machine is the one of the scripts", () => {
  const files = (version: string) => ({
    "package.json": JSON.stringify({ packageManager: "pnpm@12.0.1" }),
    "pnpm-workspace.yaml": `allowBuilds:\n  pnpm: true\ncatalog:\n  pnpm: ${version}\n`,
  });
  expect(messages(pinnedTools, files("12.0.1"))).toEqual([]);
  expect(messages(pinnedTools, files("12.0.2"))).toEqual([
    "packageManager is pnpm@12.0.1, the catalog's pnpm is 12.0.2",
  ]);
});

test("actions are pinned to commits", () => {
  const path = ".github/workflows/ci.yml";
  expect(messages(pinnedActions, { [path]: `- uses: actions/checkout@${"0a".repeat(20)} # v4.2.2` })).toEqual([]);
  expect(messages(pinnedActions, { [path]: "- uses: actions/checkout@v4" })).toEqual([
    "'actions/checkout@v4' is not pinned to a commit",
  ]);
});

test("documents say the versions of PostgreSQL that the table has, and code says none", () => {
  const table = (newest: number) => ({
    "packages/pg-tools/package.json": libraryManifest("@soar/pg-tools"),
    "packages/pg-tools/src/majors/supported-majors.ts": `[\n  {\n    major: 15,\n  },\n  {\n    major: ${newest},\n  },\n]`,
    "README.md": "Backups.\nFor PostgreSQL 15 to 18.",
  });
  expect(messages(supportedVersions, table(18))).toEqual([]);
  expect(messages(supportedVersions, table(19))).toEqual([
    "'15 to 18' are not the versions of packages/pg-tools/src/majors/supported-majors.ts, which are 15 to 19",
  ]);
  const source = { "packages/backup/src/a.ts": "/** Reads versions 15 to 18. */" };
  expect(messages(supportedVersions, { ...table(18), ...source })).toEqual([
    "'15 to 18' goes out of date with the next major: take SUPPORTED_VERSIONS of @soar/pg-tools",
  ]);
});

describe("libraries for strangers", () => {
  const inStorage = (code: string) => messages(strangersWords, { "packages/storage/src/a.ts": code });

  test.each([
    ['throw invalid("Check BACKUP_BUCKET.");', "our variable 'BACKUP_BUCKET' in a message"],
    [
      "const hint = `Set the region to '${region}' (AWS_DEFAULT_REGION).`;",
      "our variable 'AWS_DEFAULT_REGION' in a message",
    ],
    ['const hint = "Run soar-base-backup list.";', "our program 'soar-base-backup' in a message"],
    ["const hint = `Give --region ${region}.`;", "our flag '--region' in a message"],
  ])("do not say %s", (code, found) => {
    expect(inStorage(code)).toEqual([`${found}: name the field of the configuration`]);
    expect(messages(strangersWords, { "packages/restore/src/a.ts": code })).toEqual([]);
    expect(messages(strangersWords, { "packages/storage/src/a.test.ts": code })).toEqual([]);
  });

  test.each([
    'throw new SoarError("BACKUP_INCOMPLETE", "it ended early");',
    'run("postgres", ["--version"]);',
    "const hint = `aws s3api create-bucket --bucket ${bucket}`;",
    "// Check BACKUP_BUCKET before.",
    'const suffix = ".soar-tmp";',
  ])("may say %s", (code) => {
    expect(inStorage(code)).toEqual([]);
  });
});
