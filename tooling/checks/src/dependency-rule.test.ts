import { describe, expect, test } from "vitest";
import { dependencyRule } from "./dependency-rule.ts";
import { libraryManifest, sampleWorkspace } from "./sample-workspace.fixture.ts";

function find(files: Record<string, string>): string[] {
  return dependencyRule.find(sampleWorkspace(files)).map(({ path, line, message }) => `${path}:${line} ${message}`);
}

describe("the dependency rule allows", () => {
  test.each([
    ["a library below", "packages/verify/src/a.ts", 'import { restore } from "@soar/restore";'],
    ["any library in an app", "apps/restore-cli/src/main.ts", 'import { restore } from "@soar/restore";'],
    ["a file of the same package", "packages/storage/src/drivers/s3/sdk-wire.ts", 'import { a } from "../a.ts";'],
    ["the package's own name", "packages/storage/test/a.test.ts", 'import { a } from "@soar/storage/testing";'],
    ["tooling in a test", "packages/storage/src/a.test.ts", 'import { start } from "@soar-tooling/servers";'],
    ["any library in tooling", "tooling/servers/src/a.ts", 'import { verify } from "@soar/verify";'],
    [
      "openStore and types in app-kit",
      "packages/app-kit/src/a.ts",
      'import { openStore, type ObjectStore } from "@soar/storage";\nimport { PROVIDER_NAMES } from "@soar/storage/provider-names";\nimport type { StoreEvent } from "@soar/storage";',
    ],
    [
      "the SDK in one file",
      "packages/storage/src/drivers/s3/sdk-wire.ts",
      'import { S3Client } from "@aws-sdk/client-s3";\nimport "@smithy/types";',
    ],
    [
      "words in a comment",
      "packages/errors/src/a.ts",
      '// import { a } from "@soar/storage";\nexport const text = \'import "@soar/storage"\';',
    ],
  ])("%s", (_what, path, code) => {
    expect(find({ [path]: code })).toEqual([]);
  });
});

describe("the dependency rule refuses", () => {
  test.each([
    [
      "an arrow that points up",
      "packages/storage/src/a.ts",
      'import { restore } from "@soar/restore";',
      "@soar/storage must not import '@soar/restore'",
    ],
    [
      "an arrow that points up, as a type",
      "packages/storage/src/a.ts",
      'import type { Plan } from "@soar/restore";',
      "@soar/storage must not import '@soar/restore'",
    ],
    [
      "an arrow that points up, as a re-export",
      "packages/storage/src/a.ts",
      'export { restore } from "@soar/restore";',
      "@soar/storage must not import '@soar/restore'",
    ],
    [
      "an arrow that points up, as a wildcard",
      "packages/storage/src/a.ts",
      'export * from "@soar/restore";',
      "@soar/storage must not import '@soar/restore'",
    ],
    [
      "an arrow that points up, on demand",
      "packages/storage/src/a.ts",
      'await import("@soar/restore");',
      "@soar/storage must not import '@soar/restore'",
    ],
    [
      "an arrow that points up, in a test",
      "packages/storage/src/a.test.ts",
      'import { restore } from "@soar/restore/x";',
      "@soar/storage must not import '@soar/restore'",
    ],
    [
      "an app in an app",
      "apps/base-backup/src/a.ts",
      'import { a } from "@soar/restore-cli";',
      "apps are programs: nobody imports '@soar/restore-cli'",
    ],
    [
      "an app in tooling",
      "tooling/servers/src/a.ts",
      'import { a } from "@soar/restore-cli";',
      "apps are programs: nobody imports '@soar/restore-cli'",
    ],
    [
      "a relative path out of the package",
      "apps/base-backup/src/a.ts",
      'import { a } from "../../../packages/storage/src/a.ts";',
      "'../../../packages/storage/src/a.ts' leaves the package: import packages by their names",
    ],
    [
      "an absolute path",
      "apps/base-backup/src/a.ts",
      'import { a } from "/tmp/a.ts";',
      "'/tmp/a.ts' is an absolute path",
    ],
    [
      "a computed name",
      "packages/storage/src/a.ts",
      "await import(name);",
      "import() of a computed name: no check can see where it leads",
    ],
    [
      "tooling in what users run",
      "packages/storage/src/a.ts",
      'import { a } from "@soar-tooling/servers";',
      "'@soar-tooling/servers' is tooling: only tests and tooling import it",
    ],
    [
      "more than openStore in app-kit",
      "packages/app-kit/src/a.ts",
      'import { openStore, withRetry } from "@soar/storage";',
      "app-kit takes openStore and types from storage, not withRetry",
    ],
    [
      "names of providers together with the drivers",
      "packages/app-kit/src/a.ts",
      'import { PROVIDER_NAMES } from "@soar/storage";',
      "app-kit takes openStore and types from storage, not PROVIDER_NAMES",
    ],
    [
      "the SDK outside of storage",
      "packages/restore/src/a.ts",
      'import type { S3Client } from "@aws-sdk/client-s3";',
      "the S3 SDK is imported by one file only, in storage",
    ],
  ])("%s", (_what, path, code, message) => {
    expect(find({ [path]: code })).toEqual([`${path}:1 ${message}`]);
  });

  test("the SDK in a second file of storage", () => {
    const sdk = 'import { S3Client } from "@aws-sdk/client-s3";';
    expect(find({ "packages/storage/src/a.ts": sdk, "packages/storage/src/b.ts": sdk })).toEqual([
      "packages/storage/src/b.ts:1 the S3 SDK is imported by one file only: packages/storage/src/a.ts",
    ]);
  });

  test("a package that has no row", () => {
    expect(find({ "packages/utils/package.json": libraryManifest("@soar/utils") })).toEqual([
      "packages/utils/package.json:undefined @soar/utils has no row in the dependency rule",
    ]);
  });
});
