import type { AppDescription, OptionTable } from "@soar/app-kit";
import { ERROR_CODES } from "@soar/errors";
import { ALERTS, METRICS, METRICS_FILE_VARIABLES } from "@soar/metrics";
import { describe, expect, test } from "vitest";
import { formatConfigurationPage } from "./configuration-page.ts";
import { formatEnvExample } from "./env-example.ts";
import { formatErrorsPage } from "./errors-page.ts";
import { formatMetricsPage } from "./metrics-page.ts";
import { collectSettings } from "./settings.ts";

const bucket = {
  env: "BACKUP_BUCKET",
  type: "url",
  schemes: ["s3"],
  required: true,
  group: "Storage",
  example: "s3://b",
  help: "Bucket.",
} as const;
const jobs = { env: "BACKUP_PARALLEL_JOBS", type: "integer", min: 1, default: 4, help: "Jobs." } as const;
const secret = {
  env: "AWS_SECRET_ACCESS_KEY",
  type: "string",
  flag: false,
  secret: true,
  group: "Storage",
  example: "...",
  help: "Secret key.",
} as const;

function app(name: string, ...tables: OptionTable[]): AppDescription {
  return {
    name,
    summary: "App.",
    commands: tables.map((options, index) => ({
      name: `c${index}`,
      isDefault: false,
      summary: "Command.",
      positionals: {},
      options,
      examples: [],
    })),
  };
}

const apps = [
  app(
    "soar-a",
    { jobs, bucket, yes: { type: "boolean", default: false, help: "Do not ask." } },
    { "secret-access-key": secret, expire: { type: "boolean", default: true, help: "Keep all | everything." } },
  ),
  app("soar-b", { bucket }),
];

describe("settings", () => {
  test("each variable once, by group, with the binaries that read it", () => {
    expect(collectSettings(apps).map(({ variable, group, readBy }) => [variable, group, readBy])).toEqual([
      ["BACKUP_BUCKET", "Storage", ["soar-a", "soar-b"]],
      ["AWS_SECRET_ACCESS_KEY", "Storage", ["soar-a"]],
      ["BACKUP_PARALLEL_JOBS", "Backup", ["soar-a"]],
    ]);
  });

  test.each([
    ["another default", { jobs: { ...jobs, default: 8 } }],
    ["another flag", { parallel: jobs }],
    ["another type", { jobs: { env: jobs.env, type: "string", help: "Jobs." } }],
  ] as const)("one variable with %s elsewhere is refused", (_, table) => {
    expect(() => collectSettings([...apps, app("soar-c", table)])).toThrow(
      "BACKUP_PARALLEL_JOBS means one thing to soar-a and another to 'soar-c c0'",
    );
  });

  test("other words for the same setting are fine, also that one command can do without it", () => {
    const { required: _, ...optional } = bucket;
    const settings = collectSettings([...apps, app("soar-c", { bucket: { ...optional, help: "Elsewhere." } })]);
    expect(settings.find(({ variable }) => variable === "BACKUP_BUCKET")?.row).toEqual(bucket);
  });
});

test("the page shows variables with flag and default, and the flags without a variable", () => {
  const page = formatConfigurationPage(apps, collectSettings(apps));
  expect(page).toContain("| `BACKUP_BUCKET` | `--bucket` | `s3:` | **required** | Bucket. | all |");
  expect(page).toContain("| `AWS_SECRET_ACCESS_KEY` |  | text, secret |  | Secret key. | a |");
  expect(page).toContain("| `BACKUP_PARALLEL_JOBS` | `--jobs` | whole number from 1 | `4` | Jobs. | a |");
  expect(page).toContain(String.raw`| ${"`--no-expire`"} | c1 |  |  | Keep all \| everything. |`);
});

test("the example sets what is required and comments out the rest", () => {
  const example = formatEnvExample(collectSettings(apps));
  expect(example.match(/^(?:# )?export .*$/gm)).toEqual([
    'export BACKUP_BUCKET="s3://b"',
    '# export AWS_SECRET_ACCESS_KEY="..."',
    "# export BACKUP_PARALLEL_JOBS=4",
  ]);
});

test("every error code has its row", () => {
  const page = formatErrorsPage(ERROR_CODES);
  for (const [code, { exitStatus, meaning }] of Object.entries(ERROR_CODES))
    expect(page).toContain(`| ${exitStatus} | \`${code}\` | ${meaning} |`);
});

describe("the page of metrics", () => {
  const tables = { metrics: METRICS, fileVariables: METRICS_FILE_VARIABLES, alerts: ALERTS };
  const page = formatMetricsPage(tables, Object.values(METRICS_FILE_VARIABLES));

  test("has every metric below the command that writes it, with its labels and its alert", () => {
    for (const [writer, table] of Object.entries(METRICS)) {
      const [, section = ""] = page.split(`\n## ${writer}\n`);
      for (const [name, { help }] of Object.entries(table))
        expect(section.split("\n## ")[0]).toMatch(new RegExp(`^\\| \`${name}\\W.*\\| ${help}(?: .*)? \\|`, "m"));
    }
    expect(page).toContain(
      "`backup_requests_total{kind,outcome}` | counter |  | Requests to the storage provider, repeated ones included. `kind`: put, multipart",
    );
    expect(page).toContain("| Committed WAL that is not in the bucket. | [BackupWalUnarchived](#alerts) |");
  });

  test("has every alert with its metrics", () => {
    for (const alert of Object.keys(ALERTS))
      expect(page).toMatch(new RegExp(`^\\| ${alert} \\|.*\`backup_\\w+\` \\|$`, "m"));
  });

  test("a setting that no program reads is refused", () => {
    expect(() => formatMetricsPage(tables, ["BACKUP_METRICS_FILE"])).toThrow(
      "the metrics file of soar-wal-archive is 'BACKUP_ARCHIVER_METRICS_FILE', which no program reads",
    );
  });
});
