import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sampleRecord } from "@soar-tooling/sample-repository";
import { expect, onTestFinished, test } from "vitest";
import { missingNamed } from "./missing-named.ts";

test("lists and included files that were not saved, and are not on this host, are told; others are not", async () => {
  const root = mkdtempSync(join(tmpdir(), "soar-named-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  writeFileSync(join(root, "list"), "");
  const record = sampleRecord({});
  const backup = {
    source: { ...record.source, dataDirectory: "/srv/none" },
    settings: { config_file: "/etc/none/postgresql.conf", hba_file: "/etc/none/pg_hba.conf" },
    leftOut: ["linked"],
  };
  const files = {
    "/etc/none/postgresql.conf": "include 'gone.conf'\ninclude_if_exists 'never.conf'\ninclude_dir 'none.d'\n",
    "/etc/none/pg_hba.conf": `local @saved @gone,@gone,@${root}/list,@/srv/none/inside,@/srv/none/linked peer\n`,
    "/etc/none/saved": "",
  };
  const saved = new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)]));
  const start = "which is in no backup and not on this host: ";
  expect(await missingNamed(backup, { saved, configFile: undefined })).toEqual([
    `'/etc/none/postgresql.conf' names '/etc/none/gone.conf', ${start}the server does not start before it is there`,
    `'/etc/none/pg_hba.conf' names '/etc/none/gone', ${start}its rule lets nobody in, or the server does not start before it is there`,
    `'/etc/none/pg_hba.conf' names '/srv/none/linked', ${start}its rule lets nobody in, or the server does not start before it is there`,
  ]);
  expect(await missingNamed(backup, { saved, configFile: "/etc/none/postgresql.conf" })).toEqual([]);
  expect(await missingNamed(backup, undefined)).toEqual([]);
});
