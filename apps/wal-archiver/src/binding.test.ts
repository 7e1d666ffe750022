import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFileIdentity } from "@soar/archive/client";
import { expect, onTestFinished, test } from "vitest";
import { bindingOf } from "./binding.ts";

const config = { bucket: "s3://bucket/one", endpoint: undefined };

test("an env file binds as it was when the program started, and one that was changed since fits no caller", async () => {
  const directory = mkdtempSync(join(tmpdir(), "soar-binding-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const changed = join(directory, "env");
  writeFileSync(changed, "");
  expect((await bindingOf(config, changed)).envFile).toBe("changed");
  expect((await bindingOf(config, "/etc/passwd")).envFile).toBe((await findFileIdentity("/etc/passwd"))?.text);
  expect((await bindingOf(config, undefined)).envFile).toBe("-");
});
