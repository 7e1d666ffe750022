import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type S3TestServer, startS3Server } from "@soar-tooling/s3-server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { configFor } from "./s3-fixture.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

let server: S3TestServer;
beforeAll(async () => {
  server = await startS3Server();
});
afterAll(() => server.close());

/** Stores one object in a process of its own, with this configuration and nothing but this environment. */
async function storeInProcess(config: object, env: Record<string, string>): Promise<string> {
  const code = `
    import { openStore } from "@soar/storage";
    const store = openStore(${JSON.stringify(config)});
    const outcome = await store.put("from-child", Buffer.from("x")).then(() => "stored", (error) => error.code + ": " + error.message);
    await store.close();
    process.stdout.write(outcome);`;
  const options = ["--conditions=soar-source", "--input-type=module", "--eval", code];
  const { stdout } = await promisify(execFile)(process.execPath, options, {
    cwd: ROOT,
    env: { HOME: "/nonexistent", AWS_EC2_METADATA_DISABLED: "true", ...env },
  });
  return stdout;
}

test("credentials that are left out come from the SDK's standard chain", async () => {
  const { credentials: _credentials, ...config } = configFor(server);
  const env = { AWS_ACCESS_KEY_ID: server.accessKeyId, AWS_SECRET_ACCESS_KEY: server.secretAccessKey };
  expect(await storeInProcess({ ...config, retry: false }, env)).toBe("stored");
});

test("a chain that finds nothing says so, at once", async () => {
  const { credentials: _credentials, ...config } = configFor(server);
  expect(await storeInProcess(config, {})).toBe(
    "STORE_DENIED: unable to store 's3://soar-test/from-child': no credentials were found",
  );
});

test("what is configured is never overruled by the environment", async () => {
  server.requests.splice(0);
  const env = {
    AWS_ENDPOINT_URL: "http://127.0.0.1:1",
    AWS_ENDPOINT_URL_S3: "http://127.0.0.1:1",
    AWS_REGION: "us-gov-west-1",
    AWS_PROFILE: "no-such-profile",
    AWS_ACCESS_KEY_ID: "ANOTHER",
    AWS_SECRET_ACCESS_KEY: "another",
    AWS_REQUEST_CHECKSUM_CALCULATION: "WHEN_SUPPORTED",
    AWS_MAX_ATTEMPTS: "9",
    AWS_USE_FIPS_ENDPOINT: "true",
    AWS_USE_DUALSTACK_ENDPOINT: "true",
  };
  expect(await storeInProcess({ ...configFor(server), retry: false }, env)).toBe("stored");
  expect(server.requests).toHaveLength(1);
  expect(server.requests[0]).toMatchObject({ accessKeyId: server.accessKeyId });
  expect(Object.keys(server.requests[0]?.headers ?? {}).filter((name) => name.includes("checksum"))).toEqual([]);
});
