import fc from "fast-check";
import { expect, test } from "vitest";
import { handOnStorage } from "./hand-on-storage.ts";
import type { StorageSettings } from "./open-configured-store.ts";
import { defineCommand, type App } from "../options/command.ts";
import { defaultText, type OptionRow } from "../options/option-table.ts";
import { parseArguments } from "../options/parse-flags.ts";
import { resolveConfig } from "../options/resolve-config.ts";
import { storageOptions } from "../options/storage-options.ts";

const command = defineCommand({ name: "x", summary: "x", options: storageOptions, run: () => undefined });
const app: App = { name: "soar-x", component: "x", version: "0", summary: "x", commands: [command] };

function settingsOf(flags: Record<string, string | boolean | undefined>, environment = {}): StorageSettings {
  const { values, problems } = resolveConfig(storageOptions, { flags, environment });
  expect(problems).toEqual([]);
  return values as unknown as StorageSettings;
}

const VALUES: Readonly<Record<string, readonly string[]>> = {
  bucket: ["s3://bucket/prefix", "file:///a b/c"],
  endpoint: ["https://s3.example.com", "http://[::1]:9000"],
  "ca-file": ["/etc/soar/a b.pem"],
  proxy: ["off", "http://proxy:3128", "proxy:3128"],
  "retry-deadline": ["90s", "60s", "0s"],
};

function textsOf(name: string, row: OptionRow): readonly string[] {
  if (row.type === "choice") return row.choices;
  if (row.type === "boolean") return ["on", "off"];
  return VALUES[name] ?? [row.example ?? defaultText(row) ?? "1"];
}

const rows = Object.entries<OptionRow>(storageOptions).filter(([, { flag }]) => flag !== false);
const flags = fc.record(Object.fromEntries(rows.map(([name, row]) => [name, fc.constantFrom(...textsOf(name, row))])), {
  requiredKeys: ["bucket"],
});

test("whoever gets the words has the same settings, all of them if it writes", async () => {
  await fc.assert(
    fc.asyncProperty(flags, async (given) => {
      const settings = settingsOf(given);
      const { words, environment } = handOnStorage(settings, "writes");
      expect(environment).toEqual({});
      const parsed = await parseArguments(app, command, words);
      expect(settingsOf(parsed.flags as Record<string, string | boolean>)).toEqual(settings);
    }),
    { numRuns: 50 },
  );
});

test("a program that reads gets all that leads to the storage, and nothing else", () => {
  const all = Object.fromEntries(rows.map(([name, row]) => [name, textsOf(name, row)[0]]));
  expect(handOnStorage(settingsOf(all), "reads").words).toEqual([
    ..."--bucket s3://bucket/prefix --provider aws --endpoint https://s3.example.com --region us-east-1".split(" "),
    ..."--path-style --allow-http --ca-file".split(" "),
    "/etc/soar/a b.pem",
    ..."--proxy off --listing-order keys".split(" "),
  ]);
});

test("a relative path is made absolute, and defaults are left out", () => {
  const settings = settingsOf({ bucket: "s3://b", "ca-file": "ca.pem", "allow-http": false, "path-style": false });
  expect(handOnStorage(settings, "writes").words).toEqual([
    ..."--bucket s3://b --no-path-style --ca-file".split(" "),
    `${process.cwd()}/ca.pem`,
  ]);
});

test.each(["http://me:word@proxy:3128", "me:word@proxy:3128", "http://me@proxy"])(
  "the password in the proxy %s stands in no command line",
  (proxy) => {
    const { words, environment } = handOnStorage(settingsOf({ bucket: "s3://b", proxy }), "reads");
    expect(words).toEqual(["--bucket", "s3://b"]);
    expect(environment).toEqual({ BACKUP_PROXY: proxy });
  },
);

test("keys, and proxies that only have variables, are not handed on", () => {
  const environment = { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "secret", HTTPS_PROXY: "http://proxy:1" };
  expect(handOnStorage(settingsOf({ bucket: "s3://b" }, environment), "writes")).toEqual({
    words: ["--bucket", "s3://b"],
    environment: {},
  });
});
