import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { findPeers } from "./find-peers.ts";

const directory = mkdtempSync(join(tmpdir(), "soar-peers-"));
afterAll(() => rmSync(directory, { recursive: true }));

function program(name: string, script: string): string {
  const path = join(directory, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return path;
}

test("a tool that is named tells its version, and one that is not there or cannot run is missing", () => {
  const { tools, missing } = findPeers(
    {
      pgbackrest: program("pgbackrest", "[ $1 = version ] && echo pgBackRest 2.60.0"),
      "wal-g": join(directory, "nothing"),
      barman: program("barman-cloud-backup", "echo a library is missing; exit 1"),
    },
    { binDir: directory },
  );
  expect(tools.map(({ name, version }) => [name, version])).toEqual([["pgbackrest", "2.60.0"]]);
  expect(missing).toEqual(["wal-g", "barman", "pg_basebackup"]);
});
