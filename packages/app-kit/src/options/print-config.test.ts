import { expect, test } from "vitest";
import { printedSettings } from "./print-config.ts";
import { resolveConfig } from "./resolve-config.ts";
import { storageOptions } from "./storage-options.ts";

test("a proxy's address is shown without its user and password", () => {
  const environment = { HTTPS_PROXY: "http://me:a-secret-word@proxy:3128", BACKUP_BUCKET: "s3://bucket" };
  const printed = JSON.stringify(
    printedSettings(storageOptions, resolveConfig(storageOptions, { flags: {}, environment })),
  );
  expect(printed).toContain("http://[hidden]@proxy:3128");
  expect(printed).not.toContain("a-secret-word");
});
