import { afterEach, expect, test, vi } from "vitest";
import { memoryDirectory } from "./memory-directory.ts";

afterEach(() => vi.unstubAllEnvs());

test("temporary files go where somebody has said", () => {
  vi.stubEnv("TMPDIR", "/var/tmp");
  expect(memoryDirectory()).toBeUndefined();
});

test("what is chosen lies in memory", () => {
  vi.stubEnv("TMPDIR", undefined);
  expect(["/dev/shm", undefined]).toContain(memoryDirectory());
});
