import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { requireScratchRoom } from "./scratch-room.ts";

const plan = { fetchBytes: { backup: 1, wal: 1 } };

/** So many plain bytes without any holes. */
const solid = (plainBytes: number) => ({ plainBytes, countHoles: async () => 0, isDumped: true });

test("a scratch cluster that does not fit is refused before anything is written, with what is needed", async () => {
  await expect(requireScratchRoom(plan, solid(2 ** 60), tmpdir())).rejects.toMatchObject({
    code: "DISK_FULL",
    message: expect.stringMatching(/about \d+ bytes are needed there, \d+ are free/),
    hint: expect.stringContaining("BACKUP_TEMP_DIR"),
  });
  await expect(
    requireScratchRoom({ fetchBytes: { backup: 1, wal: 2 ** 60 } }, solid(1), tmpdir()),
  ).rejects.toMatchObject({ code: "DISK_FULL" });
});

test("one that fits is not, also where the directory does not exist yet", async () => {
  await expect(requireScratchRoom(plan, solid(1), join(tmpdir(), "soar-not-made-yet"))).resolves.toBeUndefined();
});

test("holes need no room, and are asked for only where it matters", async () => {
  const sparse = (holes: number) => ({ ...solid(2 ** 60), countHoles: async () => holes });
  await expect(requireScratchRoom(plan, sparse(2 ** 60 - 1), tmpdir())).resolves.toBeUndefined();
  await expect(requireScratchRoom(plan, sparse(2 ** 59), tmpdir())).rejects.toMatchObject({
    message: expect.stringContaining(`about ${2 ** 59 * 1.5 + 2 + 2 ** 28} bytes`),
  });
  await expect(requireScratchRoom(plan, { ...sparse(0), isDumped: false }, tmpdir())).rejects.toMatchObject({
    message: expect.stringContaining(`about ${2 ** 60 + 2 + 2 ** 28} bytes`),
  });
  const countHoles = () => Promise.reject(new Error("nobody asked"));
  await expect(requireScratchRoom(plan, { ...solid(1), countHoles }, tmpdir())).resolves.toBeUndefined();
});
