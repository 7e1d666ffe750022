import { expect, test } from "vitest";
import { quoteForArchiveCommand, quoteForShell } from "./quote-for-shell.ts";

test("leaves plain words alone and quotes the others", () => {
  expect(quoteForShell("/tmp/soar-pg-1/backup-env")).toBe("/tmp/soar-pg-1/backup-env");
  expect(quoteForShell("/tmp/it's here/x")).toBe(String.raw`'/tmp/it'\''s here/x'`);
});

test("a per cent sign is doubled for PostgreSQL", () => {
  expect(quoteForArchiveCommand("/tmp/100% sure/f")).toBe("'/tmp/100%% sure/f'");
});
