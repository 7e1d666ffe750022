import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Finding } from "./check.ts";
import { checkDeclarations } from "./packed-declarations.ts";
import { checkFiles } from "./packed-files.ts";
import type { InstalledPackage, PackedInstallation } from "./packed-installation.ts";
import { checkImports, checkPrograms } from "./packed-runs.ts";
import type { PackageGroup } from "./workspace.ts";

const TYPES_OF_NODE = fileURLToPath(new URL("../../../node_modules/@types/node", import.meta.url));
const MANIFEST = {
  version: "1.2.3",
  type: "module",
  license: "Apache-2.0",
  sideEffects: false,
  engines: { node: ">=24" },
  repository: { type: "git", url: "git+https://github.com/soar/soar.git" },
  files: ["dist"],
};
const LIBRARY = {
  ...MANIFEST,
  exports: { ".": { types: "./dist/index.d.ts", default: "./dist/index.js" }, "./package.json": "./package.json" },
};
const SOUND = {
  LICENSE: "",
  "dist/index.js": "export const a = 1;\n",
  "dist/index.d.ts": "export declare const a: number;\n",
};

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "soar-packed-"));
  await mkdir(join(folder, "node_modules", "@types"), { recursive: true });
  await symlink(TYPES_OF_NODE, join(folder, "node_modules", "@types", "node"));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function install(
  group: PackageGroup,
  manifest: object,
  files: Record<string, string>,
): Promise<PackedInstallation> {
  const home = join(folder, "node_modules", "@soar", "sample");
  const full = { name: "@soar/sample", ...manifest };
  for (const [name, text] of Object.entries({ "package.json": JSON.stringify(full), ...files })) {
    await mkdir(dirname(join(home, name)), { recursive: true });
    await writeFile(join(home, name), text);
  }
  const sample: InstalledPackage = {
    name: "@soar/sample",
    group,
    source: "packages/sample",
    folder: home,
    manifest: full,
  };
  return { folder, packages: [sample] };
}

const messages = (findings: readonly Finding[]) => findings.map(({ message }) => message);

test("a sound library passes every check", async () => {
  const installation = await install("packages", LIBRARY, SOUND);
  expect(await checkFiles(installation)).toEqual([]);
  expect(await checkImports(installation)).toEqual([]);
  expect(await checkDeclarations(installation)).toEqual([]);
});

describe("tarballs: refused is", () => {
  test.each([
    ["an entry that is not there", { ...LIBRARY, exports: { ".": "./dist/other.js" } }, SOUND, "publint: pkg.exports"],
    ["a test", LIBRARY, { ...SOUND, "dist/a.test.js": "" }, "the tarball holds the test 'dist/a.test.js'"],
    ["a fixture", LIBRARY, { ...SOUND, "dist/a.fixture.js": "" }, "the tarball holds the test 'dist/a.fixture.js'"],
    [
      "a range of the workspace",
      { ...LIBRARY, dependencies: { a: "workspace:*" } },
      SOUND,
      'the tarball still depends on "workspace:*"',
    ],
    ["a missing licence", LIBRARY, { "dist/index.js": "", "dist/index.d.ts": "" }, "the tarball has no LICENSE"],
  ])("%s", async (_what, manifest, files, message) => {
    expect(messages(await checkFiles(await install("packages", manifest, files)))).toContainEqual(
      expect.stringContaining(message),
    );
  });
});

describe("imports: refused is a library that", () => {
  test.each([
    ["prints", 'console.log("hello");', "hello"],
    ["prints to stderr", 'process.emitWarning("old");', "Warning: old"],
    [
      "leaves a server open",
      'import { createServer } from "node:net";\ncreateServer().listen(0, "127.0.0.1");',
      "it leaves open: TCPServerWrap",
    ],
    ["leaves a timer running", "setTimeout(() => {}, 100_000);", "it leaves open: Timeout"],
    ["listens to the process", 'process.on("exit", () => {});', "it listens to events of the process"],
    ["throws", 'throw new Error("broken");', "broken"],
    ["imports what it does not declare", 'import "left-pad";', "Cannot find package 'left-pad'"],
    ["ends the process", "process.exit(0);", "ended with 0"],
  ])("%s", async (_what, code, said) => {
    const installation = await install("packages", LIBRARY, { ...SOUND, "dist/index.js": `${code}\n` });
    expect(messages(await checkImports(installation))).toEqual([expect.stringContaining(said)]);
  });
});

describe("declarations: refused are", () => {
  test.each([
    ["@aws-sdk/client-s3", "S3Client"],
    ["pg", "Client"],
  ])("types of %s", async (vendor, name) => {
    const files = { ...SOUND, "dist/a.d.ts": `export type A = import("${vendor}").${name};\n` };
    expect(messages(await checkDeclarations(await install("packages", LIBRARY, files)))).toEqual([
      `the declarations in dist/a.d.ts mention '${vendor}'`,
    ]);
  });

  test("declarations that a user cannot compile", async () => {
    const files = { ...SOUND, "dist/index.d.ts": 'export { type Client } from "left-pad";\n' };
    expect(messages(await checkDeclarations(await install("packages", LIBRARY, files)))).toEqual([
      expect.stringContaining("Cannot find module 'left-pad'"),
    ]);
  });
});

describe("programs:", () => {
  const APP = { ...MANIFEST, bin: { sample: "bin/sample.js" } };

  test("one that prints its version and usage passes", async () => {
    const files = { "bin/sample.js": 'console.log(process.argv[2] === "--version" ? "1.2.3" : "Usage: sample");\n' };
    expect(await checkPrograms(await install("apps", APP, files))).toEqual([]);
  });

  test("one that cannot start is refused", async () => {
    const found = messages(
      await checkPrograms(await install("apps", APP, { "bin/sample.js": 'import "./missing.js";\n' })),
    );
    expect(found).toEqual([
      expect.stringContaining("--version does not print the version: status 1"),
      expect.stringContaining("--help does not print the usage: status 1"),
    ]);
  });
});
