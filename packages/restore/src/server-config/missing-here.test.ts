import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sampleRecord } from "@soar-tooling/sample-repository";
import { afterAll, expect, test } from "vitest";
import { findMissingHere } from "./missing-here.ts";

const root = mkdtempSync(join(tmpdir(), "soar-missing-"));
const source = join(root, "main");
const copy = join(root, "copy");
mkdirSync(join(root, "ssl"));
writeFileSync(join(root, "ssl/server.key"), "");
mkdirSync(source);
symlinkSync("../ssl", join(source, "certs"));
symlinkSync("../ssl/server.key", join(source, "server.key"));
symlinkSync("../ssl/gone.key", join(source, "gone.key"));
afterAll(() => rmSync(root, { recursive: true }));

/** `in place` and `as a copy`: what the plan warns of. */
test.each([
  // In the backup.
  ["server.crt", false, false],
  ["./server.crt", false, false],
  ["sub/../server.crt", false, false],
  ["certs.d/server.crt", false, false],
  // A link, and a file behind one.
  ["server.key", false, true],
  ["./server.key", false, true],
  [".//server.key", false, true],
  ["certs/server.key", false, true],
  ["gone.key", true, true],
  ["certs/gone.key", true, true],
  // Outside of the data directory.
  ["../ssl/server.key", false, false],
  ["../ssl/gone.key", true, true],
  ["../../nowhere/server.key", true, true],
  ["/nowhere/server.key", true, true],
  // By its place on the source: the copy's server would read it there.
  ["SOURCE/server.crt", false, true],
  ["SOURCE/server.key", false, false],
  ["SOURCE/certs/gone.key", true, true],
  ["COPY/server.crt", true, false],
])("the key '%s' is missing in place: %j, in a copy: %j", async (path, inPlace, inCopy) => {
  const name = path.replace("SOURCE", source).replace("COPY", copy);
  const record = sampleRecord({});
  const backup = {
    ...record,
    source: { ...record.source, dataDirectory: source },
    settings: { ssl: "on", ssl_key_file: name },
    leftOut: ["certs", "server.key", "gone.key"],
    databases: [],
  };
  const missing = async (dataDir: string) =>
    (
      await findMissingHere(backup, {
        dataDir,
        binDir: root,
        config: undefined,
        inPlace: dataDir === source,
        systemEnv: {},
      })
    ).map((sentence) => /ssl_key_file = '(.*)', which/.exec(sentence)?.[1]);
  expect(await missing(source)).toEqual(inPlace ? [name] : []);
  expect(await missing(copy)).toEqual(inCopy ? [name] : []);
});
