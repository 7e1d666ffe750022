import { expect, test } from "vitest";
import { commandWords, formatCommand, type Choices } from "./choices.ts";
import { isBareCommandLine } from "./bare-command-line.ts";

const latest = { kind: "latest" } as const;
const time = { kind: "time", micros: 1_736_519_100_000_001n, inclusive: false, backup: "2025-01-05" } as const;

test.each<[Choices, string]>([
  [{ subject: { kind: "cluster", dataDir: undefined }, instant: latest, timeline: undefined }, "soar-restore --latest"],
  [
    { subject: { kind: "cluster", dataDir: "/srv/my copy" }, instant: time, timeline: 2 },
    "soar-restore --data-dir '/srv/my copy' --target-time '2025-01-10 14:25:00.000001+00' --exclusive --base-backup 2025-01-05 --target-timeline 2",
  ],
  [
    { subject: { kind: "database", source: "soar", target: "it's" }, instant: latest, timeline: undefined },
    String.raw`soar-restore --database soar --target-database 'it'\''s' --no-destructive --latest`,
  ],
  [
    {
      subject: {
        kind: "tables",
        database: "soar",
        tables: ["public.devices", '"My schema"."T"'],
        into: { file: "a.sql" },
      },
      instant: { kind: "end-of-backup", label: "2025-01-05" },
      timeline: undefined,
    },
    `soar-restore table public.devices '"My schema"."T"' --database soar --output a.sql --immediate --base-backup 2025-01-05`,
  ],
  [
    {
      subject: { kind: "tables", database: "soar", tables: ["t"], into: { database: "soar", schema: "restored" } },
      instant: latest,
      timeline: undefined,
    },
    "soar-restore table t --database soar --into soar --as restored --latest",
  ],
])("what was chosen is a command line: %#", (choices, line) => {
  expect(formatCommand(commandWords(choices))).toBe(line);
});

test("nothing is said as long as only surroundings are named", () => {
  for (const words of [[], ["restore"], ["--bucket", "s3://a/b", "--env-file=/etc/x", "--timezone", "UTC"]])
    expect(isBareCommandLine(words), words.join(" ")).toBe(true);
  for (const words of [
    ["--latest"],
    ["--data-dir", "/x"],
    ["--no-destructive"],
    ["--dry-run"],
    ["--yes"],
    ["--json"],
    ["--port", "1"],
    ["--target-time=x"],
    ["--"],
  ])
    expect(isBareCommandLine(words), words.join(" ")).toBe(false);
});
