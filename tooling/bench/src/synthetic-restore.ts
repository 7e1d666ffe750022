/*
 * Plan, seek table and the beginning of a fetch of a backup of any size, from a generated repository: record, seek table and manifest
 * are real in format, what the objects hold is made when it is asked for. Files come to be as holes of their full size.
 *
 *   node --conditions=soar-source tooling/bench/src/synthetic-restore.ts [GIGABYTES [FETCHED]]
 *
 * The repository is written by one process and read by another, whose memory is looked at.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readSynthetic } from "./synthetic/read-repository.ts";
import { writeSynthetic } from "./synthetic/write-repository.ts";

const [first = "420", second = "4", directory] = process.argv.slice(2);
const [gigabytes, fetched] = [Number(first), Number(second)];

if (directory !== undefined) {
  console.log(JSON.stringify(await readSynthetic(directory, { gigabytes, fetched })));
} else {
  const fresh = mkdtempSync(join(tmpdir(), "soar-synthetic-"));
  try {
    await writeSynthetic(fresh, { gigabytes, fetched });
    const self = fileURLToPath(import.meta.url);
    const { status, stdout } = spawnSync(process.execPath, ["--conditions=soar-source", self, first, second, fresh], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
    process.stdout.write(stdout);
    process.exitCode = status ?? 1;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}
