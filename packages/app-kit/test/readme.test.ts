import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runProgram, type Outcome } from "./run-fixture.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
let program: string;
let bucket: string;
beforeAll(() => {
  const readme = readFileSync(path.join(here, "..", "README.md"), "utf8");
  const source = /```ts\n(.*?)```/s.exec(readme)?.[1];
  if (source === undefined) throw new Error("the README has no example");
  // Inside the package, so that it finds @soar/app-kit as an app does.
  program = path.join(mkdtempSync(path.join(here, ".readme-")), "main.ts");
  writeFileSync(program, source);
  bucket = mkdtempSync(path.join(tmpdir(), "soar-readme-"));
  writeFileSync(path.join(bucket, "a"), "body");
});
afterAll(() => {
  rmSync(path.dirname(program), { recursive: true });
  rmSync(bucket, { recursive: true });
});

const run = (...args: string[]): Promise<Outcome> =>
  runProgram(["--conditions=soar-source", "--", program], args, { BACKUP_BUCKET: pathToFileURL(bucket).href });

test("the example of the README lists and removes", async () => {
  expect(await run()).toMatchObject({ status: 0, stdout: "KEY  SIZE\na     4 B\n", stderr: "" });
  expect(JSON.parse((await run("list", "--json", "--newer", "2000-01-01 00:00:00Z")).stdout)).toMatchObject([
    { key: "a", size: 4 },
  ]);
  expect(await run("remove", "a")).toMatchObject({ status: 3, stderr: expect.stringContaining("Will remove: a\n") });
  expect(await run("remove", "a", "--yes")).toMatchObject({
    status: 0,
    stderr: expect.stringMatching(/ info {2}objects removed 1 objects from file:/),
  });
  expect(await run()).toMatchObject({ status: 0, stdout: "KEY  SIZE\n" });
});
