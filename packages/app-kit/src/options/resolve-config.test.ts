import { describe, expect, expectTypeOf, test } from "vitest";
import type { EnvFile } from "./env-file.ts";
import type { Config, OptionTable } from "./option-table.ts";
import { misspelt } from "./misspelt.ts";
import { requireNoProblems, resolveConfig, type Flags } from "./resolve-config.ts";

const table = {
  bucket: { env: "BACKUP_BUCKET", type: "url", schemes: ["s3"], required: true, help: "Bucket." },
  jobs: { env: "BACKUP_PARALLEL_JOBS", type: "integer", min: 1, default: 4, help: "Jobs." },
  codec: { env: "BACKUP_COMPRESSION", type: "choice", choices: ["gzip", "zstd"], default: "gzip", help: "Codec." },
  password: { env: "PGPASSWORD", type: "string", flag: false, secret: true, help: "Password." },
  pin: { env: "PIN", type: "integer", flag: false, secret: true, help: "Pin." },
  only: { type: "list", choices: ["a", "b"], help: "Names." },
  "target-time": { type: "time", zoneFrom: "timezone", help: "Time." },
  "tail-interval": { type: "duration", allowOff: true, default: "1s", help: "Interval." },
  "rate-limit": { type: "size", help: "Rate." },
  timezone: { type: "string", help: "Zone." },
  yes: { type: "boolean", default: false, help: "Yes." },
} as const satisfies OptionTable;

function resolve(from: {
  flags?: Flags;
  environment?: Record<string, string>;
  envFile?: Record<string, string>;
}): ReturnType<typeof resolveConfig> {
  const envFile: EnvFile = {
    path: "/etc/soar/backup-env",
    isOwn: true,
    entries: new Map(
      Object.entries(from.envFile ?? {}).map(([name, value], index) => [name, { value, line: index + 1 }]),
    ),
  };
  return resolveConfig(table, { flags: from.flags ?? {}, environment: from.environment ?? {}, envFile });
}

test("the table gives the config its type", () => {
  expectTypeOf<Config<typeof table>>().toEqualTypeOf<{
    readonly bucket: string;
    readonly jobs: number;
    readonly codec: "gzip" | "zstd";
    readonly password: string | undefined;
    readonly pin: number | undefined;
    readonly only: readonly ("a" | "b")[];
    readonly targetTimeMicros: bigint | undefined;
    readonly tailIntervalMs: number | "off";
    readonly rateLimitBytes: number | undefined;
    readonly timezone: string | undefined;
    readonly yes: boolean;
  }>();
});

test("flag before environment before env file before default", () => {
  const sources = {
    flags: { jobs: "1" },
    environment: { BACKUP_PARALLEL_JOBS: "2" },
    envFile: { BACKUP_PARALLEL_JOBS: "3" },
  };
  const found = [sources, { ...sources, flags: {} }, { envFile: sources.envFile }, {}].map((from) => {
    const { values, origins } = resolve(from);
    return [values["jobs"], origins.get("jobs")?.description];
  });
  expect(found).toEqual([
    [1, "--jobs"],
    [2, "environment"],
    [3, "/etc/soar/backup-env line 1"],
    [4, "default"],
  ]);
});

test("an empty variable counts as not set", () => {
  expect(
    resolve({ environment: { BACKUP_PARALLEL_JOBS: "" }, envFile: { BACKUP_PARALLEL_JOBS: "3" } }).values["jobs"],
  ).toBe(3);
  expect(resolve({ envFile: { BACKUP_PARALLEL_JOBS: "" } }).values["jobs"]).toBe(4);
});

test("every field is there, undefined or empty where nothing was given", () => {
  expect(resolve({ flags: { bucket: "s3://b" } })).toMatchObject({
    problems: [],
    values: {
      bucket: "s3://b",
      jobs: 4,
      codec: "gzip",
      password: undefined,
      only: [],
      targetTimeMicros: undefined,
      tailIntervalMs: 1000,
      rateLimitBytes: undefined,
      yes: false,
    },
  });
});

test("a time without an offset is read in the zone of the other option, whichever comes first", () => {
  const { values } = resolve({
    flags: { bucket: "s3://b", "target-time": "2025-01-10 14:30:00", timezone: "Asia/Tokyo" },
  });
  expect(values["targetTimeMicros"]).toBe(BigInt(Date.UTC(2025, 0, 10, 5, 30)) * 1000n);
});

describe("problems", () => {
  const problemOf = (from: Parameters<typeof resolve>[0]): unknown =>
    resolve({ ...from, flags: { bucket: "s3://b", ...from.flags } }).problems[0];

  test("name the flag, or the variable with the line of the file", () => {
    expect(problemOf({ flags: { jobs: "0" } })).toMatchObject({
      code: "USAGE",
      message: "unable to use '0' for --jobs: 0 is less than 1",
    });
    expect(problemOf({ environment: { BACKUP_PARALLEL_JOBS: "x" } })).toMatchObject({
      code: "CONFIG_INVALID",
      message: "unable to use 'x' for BACKUP_PARALLEL_JOBS: it is not a whole number",
    });
    expect(problemOf({ envFile: { A: "1", BACKUP_COMPRESSION: "gzpi" } })).toMatchObject({
      message: "unable to use 'gzpi' for BACKUP_COMPRESSION (/etc/soar/backup-env line 2): it is not one of gzip, zstd",
      hint: "Did you mean 'gzip'? Use one of gzip, zstd.",
    });
    expect(problemOf({ flags: { "target-time": "yesterday" } })).toMatchObject({
      code: "TARGET_INVALID",
      message: expect.stringMatching(/\(--target-time\)$/),
    });
  });

  test("never repeat a secret", () => {
    expect(problemOf({ environment: { PIN: "hunter2" } })).toMatchObject({
      message: "unable to use the value for PIN: it is not a whole number",
    });
  });

  test("a missing setting is named by its variable", () => {
    expect(resolve({}).problems).toEqual([
      expect.objectContaining({
        code: "CONFIG_INVALID",
        message: "unable to do without BACKUP_BUCKET: it is not set",
        hint: "Set BACKUP_BUCKET in /etc/soar/backup-env or give --bucket. Bucket.",
      }),
    ]);
  });

  test("are all told at once", () => {
    const { problems } = resolve({ environment: { BACKUP_PARALLEL_JOBS: "x" } });
    expect(() => requireNoProblems(problems)).toThrow(/BACKUP_BUCKET: it is not set; .*'x' for BACKUP_PARALLEL_JOBS/);
    expect(() => requireNoProblems([])).not.toThrow();
  });
});

test("a variable of the env file that nobody reads is named where it looks like one that is not set", () => {
  const { problems } = resolve({ envFile: { BACKUP_BUKET: "s3://b", PGPASSWROD: "x" } });
  expect(problems[0]?.hint).toMatch(
    /^Did you mean BACKUP_BUCKET by BACKUP_BUKET \(\/etc\/soar\/backup-env line 1\)\? Set BACKUP_BUCKET in/,
  );
  const entries = (names: readonly string[]): EnvFile => ({
    path: "/e",
    isOwn: true,
    entries: new Map(names.map((name, index) => [name, { value: "1", line: index + 1 }])),
  });
  const found = (...names: string[]) => misspelt(table, entries(names)).map(({ name, meant }) => [name, meant]);
  expect(found("BACKUP_COMPRESION")).toEqual([["BACKUP_COMPRESION", "BACKUP_COMPRESSION"]]);
  expect(found("backup_compression")).toEqual([["backup_compression", "BACKUP_COMPRESSION"]]);
  expect(found("PGPASSWROD", "PGPASSFILE")).toEqual([["PGPASSWROD", "PGPASSWORD"]]);
  // One of another command, one that is set besides, and none of ours.
  expect(found("BACKUP_RETENTION_DAYS", "BACKUP_BUKET", "BACKUP_BUCKET", "PATH")).toEqual([]);
});
