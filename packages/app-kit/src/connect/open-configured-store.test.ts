import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { SoarError } from "@soar/errors";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { logStoreEvent, openConfiguredStore, storeConfigOf, type StorageSettings } from "./open-configured-store.ts";
import { resolveConfig } from "../options/resolve-config.ts";
import { storageOptions } from "../options/storage-options.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), "soar-open-store-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

function settings(environment: Record<string, string>): StorageSettings {
  const { values, problems } = resolveConfig(storageOptions, {
    flags: {},
    environment: { BACKUP_BUCKET: "s3://bucket/cluster1", ...environment },
  });
  expect(problems).toEqual([]);
  return values as unknown as StorageSettings;
}

test("every setting reaches the store", () => {
  const caFile = path.join(directory, "ca.pem");
  writeFileSync(caFile, "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n");
  const environment = {
    AWS_ENDPOINT_URL: "http://10.0.0.1:9000",
    AWS_DEFAULT_REGION: "eu-1",
    AWS_ACCESS_KEY_ID: "id",
    AWS_SECRET_ACCESS_KEY: "secret",
    AWS_SESSION_TOKEN: "token",
    BACKUP_PROVIDER: "minio",
    BACKUP_PATH_STYLE: "on",
    BACKUP_ALLOW_HTTP: "on",
    BACKUP_CA_FILE: caFile,
    BACKUP_STORAGE_CLASS: "STANDARD_IA",
    BACKUP_SSE: "aws:kms",
    BACKUP_SSE_KMS_KEY_ID: "key",
    BACKUP_RETRY_DEADLINE: "90s",
    BACKUP_MAX_PARTS: "500",
    BACKUP_PROXY: "http://proxy:3128",
    BACKUP_PAYLOAD_SIGNATURE: "sha256",
    BACKUP_LISTING_ORDER: "other",
  };
  expect(storeConfigOf(settings(environment), {})).toEqual({
    url: "s3://bucket/cluster1",
    provider: "minio",
    endpoint: "http://10.0.0.1:9000",
    region: "eu-1",
    credentials: { accessKeyId: "id", secretAccessKey: "secret", sessionToken: "token" },
    pathStyle: true,
    serverSideEncryption: { mode: "aws:kms", keyId: "key" },
    storageClass: "STANDARD_IA",
    caPem: expect.stringContaining("BEGIN CERTIFICATE"),
    allowHttp: true,
    proxy: { http: "http://proxy:3128", https: "http://proxy:3128" },
    habits: { maxParts: 500, payloadSignature: "sha256", listingOrder: "other" },
    retry: { deadlineMs: 90_000 },
    settingNames: {
      url: "BACKUP_BUCKET",
      endpoint: "AWS_ENDPOINT_URL",
      region: "AWS_DEFAULT_REGION",
      accessKeyId: "AWS_ACCESS_KEY_ID",
      secretAccessKey: "AWS_SECRET_ACCESS_KEY",
      sessionToken: "AWS_SESSION_TOKEN",
      allowHttp: "BACKUP_ALLOW_HTTP",
      caPem: "BACKUP_CA_FILE",
      proxy: "BACKUP_PROXY",
      listingOrder: "BACKUP_LISTING_ORDER",
    },
  });
});

test("what the storage package advises names the variable", async () => {
  const insecure = settings({ AWS_ENDPOINT_URL: "http://10.0.0.1:9000" });
  await expect(openConfiguredStore(insecure, { envFile: undefined })).rejects.toMatchObject({
    hint: "Use https, or allow http explicitly (BACKUP_ALLOW_HTTP) within a network that you trust.",
  });
});

describe("without an endpoint", () => {
  test.each([
    [{ BACKUP_PROVIDER: "aws" }, "aws"],
    [{ AWS_DEFAULT_REGION: "us-east-1" }, "aws"],
    [{ BACKUP_BUCKET: "memory:x" }, undefined],
    [{ BACKUP_BUCKET: "file:///x" }, undefined],
  ])("%o is %s", (environment, provider) => {
    expect(storeConfigOf(settings(environment), {}).provider).toBe(provider);
  });

  test.each([[{}], [{ AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "secret" }]])(
    "a bucket with nothing but %o is refused",
    (environment) => {
      expect(() => storeConfigOf(settings(environment), {})).toThrow(
        expect.objectContaining({ code: "CONFIG_INVALID", hint: expect.stringContaining("BACKUP_PROVIDER=aws") }),
      );
    },
  );

  test("SOAR_REQUIRE_ENDPOINT=1 refuses every provider's own endpoint, and only that", () => {
    const required = { SOAR_REQUIRE_ENDPOINT: "1" };
    for (const provider of ["aws", "b2"]) {
      expect(() => storeConfigOf(settings({ BACKUP_PROVIDER: provider, AWS_DEFAULT_REGION: "x" }), required)).toThrow(
        /SOAR_REQUIRE_ENDPOINT=1/,
      );
    }
    expect(storeConfigOf(settings({ AWS_ENDPOINT_URL: "http://127.0.0.1:1" }), required).endpoint).toBe(
      "http://127.0.0.1:1",
    );
    expect(storeConfigOf(settings({ BACKUP_BUCKET: "memory:x" }), required).url).toBe("memory:x");
  });
});

describe("settings that do not fit together", () => {
  const endpoint = { AWS_ENDPOINT_URL: "https://s3.example" };
  test.each([
    [{ AWS_ACCESS_KEY_ID: "id" }, "CONFIG_INVALID", /AWS_ACCESS_KEY_ID alone: AWS_SECRET_ACCESS_KEY is not set/],
    [
      { AWS_SECRET_ACCESS_KEY: "secret" },
      "CONFIG_INVALID",
      /AWS_SECRET_ACCESS_KEY alone: AWS_ACCESS_KEY_ID is not set/,
    ],
    [{ BACKUP_SSE_KMS_KEY_ID: "key" }, "CONFIG_INVALID", /BACKUP_SSE is not aws:kms/],
    [{ BACKUP_SSE: "AES256", BACKUP_SSE_KMS_KEY_ID: "key" }, "CONFIG_INVALID", /BACKUP_SSE is not aws:kms/],
    [{ BACKUP_CA_FILE: "/nowhere/ca.pem" }, "FILE_UNREADABLE", /unable to read '\/nowhere\/ca.pem': ENOENT/],
    [{ BACKUP_CA_FILE: "/dev/null" }, "CONFIG_INVALID", /it holds no PEM certificate/],
  ])("%o", (environment, code, message) => {
    expect(() => storeConfigOf(settings({ ...endpoint, ...environment }), {})).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });
});

test("the store that is opened works", async () => {
  const store = await openConfiguredStore(settings({ BACKUP_BUCKET: pathToFileURL(directory).href }), {
    envFile: undefined,
  });
  await store.put("key", Buffer.from("body"), { ifAbsent: true });
  expect(await store.stat("key")).toMatchObject({ key: "key", size: 4 });
  await store.close();
});

test("first retries are for debugging, later ones are warned of", () => {
  const lines: string[] = [];
  const write = (level: string) => (message: string) => lines.push(`${level} ${message}`);
  const log = { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  const error = new SoarError("STORE_BUSY", "unable to put 'k': 503");
  for (const attempt of [1, 3])
    logStoreEvent(log, { type: "retry", operation: "put", key: "k", attempt, delayMs: 1500, error });
  logStoreEvent(log, { type: "gave-up", operation: "put", key: "k", attempts: 9, error });
  logStoreEvent(log, {
    type: "habit-learned",
    habit: "conditionalPut",
    way: "refused",
    fact: undefined,
    text: "puts are looked at",
  });
  logStoreEvent(log, { type: "habit-learned", habit: "batchDelete", way: "refused", fact: "501", text: "one by one" });
  expect(lines).toEqual([
    "debug attempt 1 of put 'k' failed, next in 1.5 s: unable to put 'k': 503",
    "warn attempt 3 of put 'k' failed, next in 1.5 s: unable to put 'k': 503",
    "debug puts are looked at",
    "debug one by one, because the provider said: 501",
  ]);
});
