import { expect, test } from "vitest";
import { packServerConfig } from "./server-config.ts";

const at = new Date("2025-01-10T02:00:00Z");

test("what a restore would refuse to read is not packed", () => {
  const files = Array.from({ length: 5 }, (_, index) => ({
    path: `/etc/${index}.conf`,
    content: Buffer.alloc(2 ** 24),
  }));
  expect(packServerConfig(files.slice(0, 3), at).length).toBeGreaterThan(0);
  expect(() => packServerConfig(files, at)).toThrow(
    expect.objectContaining({
      code: "SERVER_UNSUITABLE",
      message: expect.stringContaining("its 5 files have 8388") as string,
    }),
  );
});
