import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { renewableCredentials } from "./store-credentials.ts";

const KEYS = { accessKeyId: "id", secretAccessKey: "secret", sessionToken: "old" };

let directory: string;
let envFile: string;
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), "soar-store-credentials-"));
  envFile = path.join(directory, "backup-env");
});
afterAll(() => rmSync(directory, { recursive: true }));

function write(text: string): void {
  writeFileSync(envFile, text);
  chmodSync(envFile, 0o600);
}

test("a token that was renewed in the env file reaches the program that runs", async () => {
  const ask = renewableCredentials(KEYS, envFile, {});
  if (typeof ask !== "function") throw new TypeError("they should be asked for");
  expect(await ask()).toEqual(KEYS);
  write("AWS_ACCESS_KEY_ID=id2\nAWS_SECRET_ACCESS_KEY=secret2\nAWS_SESSION_TOKEN=new\n");
  expect(await ask()).toEqual({ accessKeyId: "id2", secretAccessKey: "secret2", sessionToken: "new" });
  write("AWS_ACCESS_KEY_ID=id3\nAWS_SECRET_ACCESS_KEY=secret3\n");
  expect(await ask()).toEqual({ accessKeyId: "id3", secretAccessKey: "secret3", sessionToken: undefined });
  // In the middle of being written, half of a pair is no answer; without any the file no longer knows.
  write("AWS_ACCESS_KEY_ID=id4\n");
  await expect(ask()).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  write("");
  expect(await ask()).toEqual(KEYS);
});

test("keys of the environment, and those of the machine, are not looked for in a file", () => {
  expect(renewableCredentials(KEYS, envFile, { AWS_SESSION_TOKEN: "old" })).toEqual(KEYS);
  expect(renewableCredentials(KEYS, undefined, {})).toEqual(KEYS);
  expect(
    renewableCredentials({ accessKeyId: undefined, secretAccessKey: undefined, sessionToken: undefined }, envFile, {}),
  ).toBeUndefined();
});
