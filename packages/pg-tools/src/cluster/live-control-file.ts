import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { unreadable } from "@soar/durable-files";
import { readTrustedFile } from "@soar/durable-files/reading";
import { hasErrorCode } from "@soar/errors";
import { type ControlFile, readControlFile } from "../control-file/control-file.ts";

const BETWEEN_MS = 50;
const ATTEMPTS = 10;

/**
 * pg_control of a data directory whose server may run. It rewrites the file in place: a torn copy has a wrong checksum, and the
 * next one is whole. Rejects with `FORMAT_INVALID` for one that stays damaged, and with
 * `FILE_UNREADABLE`.
 */
export async function readLiveControlFile(dataDir: string): Promise<ControlFile> {
  const path = join(dataDir, "global", "pg_control");
  for (let attempt = 1; ; attempt += 1) {
    try {
      return readControlFile(await readTrustedFile(path));
    } catch (error) {
      if (attempt === ATTEMPTS || !hasErrorCode(error, "FORMAT_INVALID")) throw unreadable(path, error);
      await delay(BETWEEN_MS);
    }
  }
}
