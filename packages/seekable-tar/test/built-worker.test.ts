import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));
const ROUND_TRIP = `
  import { createCodecPool } from "./index.js";
  const pool = createCodecPool({ workers: 1 });
  const { stored, sha256 } = await pool.compress("zstd", Buffer.from("from a built worker"));
  console.log(String(await pool.decompress(stored, { codec: "zstd", plainLength: 19, sha256 })));
`;
let built: string;

/** The sources as a build leaves them: JavaScript whose imports end in \`.js\`. Inside of the package, where imports resolve. */
beforeAll(() => {
  built = mkdtempSync(join(PACKAGE, "built-"));
  cpSync(join(PACKAGE, "src"), built, { recursive: true, filter: (path) => !path.endsWith(".test.ts") });
  for (const name of readdirSync(built, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"))) {
    const path = join(built, name);
    const script = stripTypeScriptTypes(readFileSync(path, "utf8")).replaceAll(/(from "\.[^"]*)\.ts"/g, '$1.js"');
    writeFileSync(path, script);
    renameSync(path, path.replace(/ts$/, "js"));
  }
});
afterAll(() => rmSync(built, { recursive: true, force: true }));

function run(script: string): string {
  const path = join(built, "run.js");
  writeFileSync(path, script);
  return execFileSync(process.execPath, ["--conditions=soar-source", path], { timeout: 30_000 }).toString();
}

test("a built package starts its worker from the file beside it, and an idle pool lets the process end", () => {
  expect(run(ROUND_TRIP)).toBe("from a built worker\n");
});

test("sources start their worker without a build", () => {
  expect(run(ROUND_TRIP.replace("./index.js", join(PACKAGE, "src/index.ts")))).toBe("from a built worker\n");
});

test("the worker's entry does nothing on the main thread", () => {
  expect(run(`import "${join(PACKAGE, "src/codec-worker.ts")}"`)).toBe("");
});
