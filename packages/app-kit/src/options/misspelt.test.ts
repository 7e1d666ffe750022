import { expect, test } from "vitest";
import { misspelt } from "./misspelt.ts";
import { notifyOptions } from "./notify-options.ts";
import { postgresOptions } from "./postgres-options.ts";
import { storageOptions } from "./storage-options.ts";

const table = { ...storageOptions, ...postgresOptions, ...notifyOptions };
const meantBy = (...names: string[]): readonly string[] => {
  const entries = new Map(names.map((name, index) => [name, { value: "1", line: index + 1 }]));
  return misspelt(table, { path: "/e", isOwn: true, entries }).map(({ meant }) => meant);
};

test.each([
  ["AWS_ENDPOINT", "AWS_ENDPOINT_URL"],
  ["AWS_S3_ENDPOINT", "AWS_ENDPOINT_URL"],
  ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"],
  ["S3_ENDPOINT", "AWS_ENDPOINT_URL"],
  ["s3_endpoint_url", "AWS_ENDPOINT_URL"],
  ["BACKUP_ENDPOINT", "AWS_ENDPOINT_URL"],
  ["AWS_KEY_ID", "AWS_ACCESS_KEY_ID"],
  ["AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID"],
  ["S3_ACCESS_KEY", "AWS_ACCESS_KEY_ID"],
  ["AWS_SECRET_KEY", "AWS_SECRET_ACCESS_KEY"],
  ["S3_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY"],
  ["AWS_REGION", "AWS_DEFAULT_REGION"],
  ["AWS_REGION_NAME", "AWS_DEFAULT_REGION"],
  ["S3_BUCKET_NAME", "BACKUP_BUCKET"],
])("another program's name %s is named", (name, meant) => {
  expect(meantBy(name)).toEqual([meant]);
  // Where the right one is set besides, nothing is missing.
  expect(meantBy(name, meant)).toEqual([]);
});

test("names that say something else, and those of other programs that nobody means, are let be", () => {
  expect(meantBy("AWS_PROFILE", "AWS_URL", "MINIO_ROOT_USER", "BACKUP_NAME", "ENDPOINT", "KEY_ID")).toEqual([]);
});

test("no option of ours is like another, so that none is taken for a wrong name of it", () => {
  const names = Object.values(table).flatMap((row) =>
    "env" in row && /^(?:AWS|BACKUP)_/.test(row.env) ? [row.env] : [],
  );
  for (const name of names) {
    const others = Object.fromEntries(Object.entries(table).filter(([, row]) => !("env" in row) || row.env !== name));
    const entries = new Map([[name, { value: "1", line: 1 }]]);
    expect(misspelt(others, { path: "/e", isOwn: true, entries }), name).toEqual([]);
  }
});
