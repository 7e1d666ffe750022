import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bundleApp } from "./bundle.ts";

const run = promisify(execFile);
const MANIFEST = { name: "@soar/sample", version: "4.5.6", dependencies: {} };

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "soar bundle "));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function write(files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}

async function runBundle(...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [join(folder, "dist", "main.js"), ...args]);
  return stdout;
}

describe("bundleApp", () => {
  test("makes a program that runs without its sources, with its name and version", async () => {
    await write({
      "package.json": JSON.stringify({ type: "module" }),
      "src/main.ts":
        'import { greet } from "./greet.ts";\nconsole.log(greet(process.env.SOAR_APP_NAME, process.env.SOAR_APP_VERSION));\n',
      "src/greet.ts":
        "export const greet = (name: string | undefined, version: string | undefined): string => `${name} ${version}`;\n",
    });
    const { problems } = await bundleApp(folder, MANIFEST);
    await rm(join(folder, "src"), { recursive: true });
    expect(problems).toEqual([]);
    expect(await runBundle()).toBe("@soar/sample 4.5.6\n");
    const { stdout } = await run(join(folder, "dist", "main.js"), [], { env: { PATH: dirname(process.execPath) } });
    expect(stdout).toBe("@soar/sample 4.5.6\n");
    expect((await stat(join(folder, "dist", "main.js"))).mode & 0o111).toBe(0o111);
  });

  test("keeps what is imported on demand out of the files that a start reads", async () => {
    await write({
      "package.json": JSON.stringify({ type: "module" }),
      "src/main.ts": 'if (process.argv[2] === "big") console.log((await import("./big.ts")).big.length);\n',
      "src/big.ts": `export const big = "${"x".repeat(50_000)}";\n`,
    });
    const { summary } = await bundleApp(folder, MANIFEST);
    expect(summary.startBytes).toBeLessThan(5_000);
    expect(summary.lazyBytes).toBeGreaterThan(50_000);
    expect(await runBundle()).toBe("");
    expect(await runBundle("big")).toBe("50000\n");
  });

  test("runs CommonJS packages, which call require", async () => {
    await write({
      "package.json": JSON.stringify({ type: "module" }),
      "node_modules/legacy/package.json": JSON.stringify({ name: "legacy" }),
      "node_modules/legacy/index.js":
        'const { join } = require("node:path");\nmodule.exports = { place: join("a", "b") };\n',
      "src/main.ts":
        '// @ts-expect-error: a package without types\nimport legacy from "legacy";\nconsole.log(legacy.place);\n',
    });
    await bundleApp(folder, MANIFEST);
    expect(await runBundle()).toBe("a/b\n");
  });

  test("imports node:http without what that loads for names nobody asks for", async () => {
    await write({
      "package.json": JSON.stringify({ type: "module" }),
      "src/main.ts": `import http, { request, type IncomingMessage } from "node:http";
const loaded = (process as unknown as { moduleLoadList: string[] }).moduleLoadList;
console.log(typeof request, http.request === request, loaded.filter((name) => name.includes("undici")).length);
export type Answer = IncomingMessage;
`,
    });
    await bundleApp(folder, MANIFEST);
    expect(await runBundle()).toBe("function true 0\n");
  });

  test("builds worker threads beside main.js", async () => {
    await write({
      "package.json": JSON.stringify({ type: "module" }),
      "lib/pool.ts":
        'import { Worker } from "node:worker_threads";\nexport const start = (): Worker => new Worker(new URL(import.meta.url.endsWith(".ts") ? "./codec-worker.ts" : "./codec-worker.js", import.meta.url));\n',
      "lib/codec-worker.ts":
        'import { parentPort } from "node:worker_threads";\nparentPort?.postMessage("from the worker" as string);\n',
      "src/main.ts":
        'import { start } from "../lib/pool.ts";\nstart().once("message", (text: string) => console.log(text));\n',
    });
    const { summary, problems } = await bundleApp(folder, MANIFEST);
    await rm(join(folder, "lib"), { recursive: true });
    expect(problems).toEqual([]);
    expect(summary.workers).toEqual(["codec-worker"]);
    expect(await runBundle()).toBe("from the worker\n");
  });

  test("refuses a native package that users would not get, and accepts it once it is declared", async () => {
    await write({
      "package.json": JSON.stringify({ type: "module" }),
      "src/main.ts": 'import { crc32 } from "@node-rs/crc32";\nconsole.log(crc32("a"));\n',
    });
    const undeclared = await bundleApp(folder, MANIFEST);
    expect(undeclared.problems).toEqual([
      "unable to leave '@node-rs/crc32' outside of the bundle: @soar/sample does not list it under dependencies",
    ]);
    const declared = await bundleApp(folder, { ...MANIFEST, dependencies: { "@node-rs/crc32": "1.0.0" } });
    expect(declared.problems).toEqual([]);
  });

  test("refuses a dependency that is part of the bundle, so that users do not install it twice", async () => {
    await write({ "package.json": JSON.stringify({ type: "module" }), "src/main.ts": "console.log(1);\n" });
    const { problems } = await bundleApp(folder, { ...MANIFEST, dependencies: { yargs: "1.0.0" } });
    expect(problems).toEqual(["'yargs' is part of the bundle: list it under devDependencies of @soar/sample"]);
  });

  test("refuses test code and tooling in a program", async () => {
    await write({
      "package.json": JSON.stringify({ type: "module" }),
      "src/main.ts": 'import "./sample.test.ts";\nimport "../tooling/servers.ts";\n',
      "src/sample.test.ts": "console.log(1);\n",
      "tooling/servers.ts": "console.log(2);\n",
    });
    const { problems } = await bundleApp(folder, MANIFEST);
    expect(problems).toEqual([
      "unable to bundle 'src/sample.test.ts': it is a test",
      "unable to bundle 'tooling/servers.ts': it is tooling of the repository",
    ]);
  });

  test("leaves nothing of an earlier build behind", async () => {
    await write({
      "package.json": JSON.stringify({ type: "module" }),
      "src/main.ts": "console.log(1);\n",
      "dist/old.js": "throw new Error();\n",
    });
    await bundleApp(folder, MANIFEST);
    await expect(readFile(join(folder, "dist", "old.js"))).rejects.toMatchObject({ code: "ENOENT" });
  });
});
