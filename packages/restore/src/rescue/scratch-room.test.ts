import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { requireScratchRoom } from "./scratch-room.ts";

const plan = { fetchBytes: { backup: 1, wal: 1 } };

test("a scratch cluster that does not fit is refused before anything is written, with what is needed", async () => {
  await expect(requireScratchRoom(plan, 2 ** 60, tmpdir())).rejects.toMatchObject({
    code: "DISK_FULL",
    message: expect.stringMatching(/about \d+ bytes are needed there, \d+ are free/),
    hint: expect.stringContaining("BACKUP_TEMP_DIR"),
  });
  await expect(requireScratchRoom({ fetchBytes: { backup: 1, wal: 2 ** 60 } }, 1, tmpdir())).rejects.toMatchObject({
    code: "DISK_FULL",
  });
});

test("one that fits is not, also where the directory does not exist yet", async () => {
  await expect(requireScratchRoom(plan, 1, join(tmpdir(), "soar-not-made-yet"))).resolves.toBeUndefined();
});
