import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { largeBufferFlags } from "./favour-large-buffers.ts";

test("a program that favours large buffers writes nothing for it, on the Node that runs it", () => {
  const module = JSON.stringify(new URL("favour-large-buffers.ts", import.meta.url).href);
  const script = `import { favourLargeBuffers } from ${module}; favourLargeBuffers();`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    env: { PATH: process.env["PATH"] },
  });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
});

test("a version of Node whose V8 nobody has looked at is given no flags of V8", () => {
  for (const known of ["24.0.0", "24.21.0", "26.10.0"]) expect(largeBufferFlags(known), known).toHaveLength(3);
  for (const other of ["22.20.0", "27.0.0", "240.1.0", "", "latest"])
    expect(largeBufferFlags(other), other).toEqual([]);
});

test("a program that goes on for ever has no heap that may grow far", () => {
  const growing = (isResident: boolean): boolean =>
    largeBufferFlags("24.21.0", { isResident }).some((flag) => flag.startsWith("--heap-growing-percent"));
  expect([growing(false), growing(true)]).toEqual([true, false]);
});
