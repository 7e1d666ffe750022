import { expect, test } from "vitest";
import { quoteForArchiveCommand } from "./quote-for-archive-command.ts";

test("a per cent sign is doubled for PostgreSQL", () => {
  expect(quoteForArchiveCommand("/tmp/100% sure/f")).toBe("'/tmp/100%% sure/f'");
});
