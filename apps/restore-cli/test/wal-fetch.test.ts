import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { handOnStorage, type HandedStorage } from "@soar/app-kit";
import { findWalObjects } from "@soar/repository/wal";
import { openStore, readObject } from "@soar/storage";
import { startS3Server, type S3TestServer } from "@soar-tooling/s3-server";
import { type ProgramResult, startProgram } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  archive,
  createLineageWorld,
  CUT,
  SEGMENT_SIZE,
  segmentBytes,
  segmentName,
  writePlan,
  type LineageWorld,
} from "./lineage-world.ts";
import { serverEnvironment, walFetchProgram } from "../src/wal-fetch-program.ts";
import { BIN, runRestore, startRestore } from "./run-restore.ts";

let world: LineageWorld;
beforeEach(async () => {
  world = await createLineageWorld();
});
afterEach(() => world.dispose());

const TARGET = "pg_wal/RECOVERYXLOG";
const target = () => join(world.directory, TARGET);
const bucket = () => ({ BACKUP_BUCKET: `file://${world.bucketDirectory}` });

/** As PostgreSQL runs it: in the data directory, with a path relative to it. */
function fetchWal(
  name: string,
  more: readonly string[] = ["--plan", world.plan],
  env: Record<string, string> = bucket(),
): Promise<ProgramResult> {
  return runRestore(["wal-fetch", ...more, name, TARGET], { cwd: world.directory, env });
}

/** Nothing lies where PostgreSQL would take it from, and nothing else either. */
function expectNothing(): void {
  expect(readdirSync(join(world.directory, "pg_wal"))).toEqual([]);
}

function expectStop(outcome: ProgramResult, message: RegExp): void {
  expect(outcome.status, outcome.stderr).toBe(126);
  expect(outcome.stderr).toMatch(message);
  expectNothing();
}

async function damage(index: number, change: (bytes: Buffer) => Buffer): Promise<void> {
  const [object] = await findWalObjects(world.store, segmentName(index));
  if (object === undefined) throw new Error("no such segment");
  const bytes = await readObject(world.store, object.key);
  await world.store.remove([object.key]);
  await world.store.put(object.key, change(bytes));
}

describe("delivered, with status 0,", () => {
  test("is a planned segment", async () => {
    expect(await fetchWal(segmentName(3))).toMatchObject({ status: 0, stdout: "" });
    expect(readFileSync(target()).equals(segmentBytes(3))).toBe(true);
    expect(readdirSync(join(world.directory, "pg_wal"))).toEqual(["RECOVERYXLOG"]);
  });

  test("is the child's first segment from the parent's copy, with zeros behind the switch", async () => {
    expect(await fetchWal(segmentName(4, 2))).toMatchObject({ status: 0 });
    expect(
      readFileSync(target()).equals(
        Buffer.concat([segmentBytes(4).subarray(0, CUT), Buffer.alloc(SEGMENT_SIZE - CUT)]),
      ),
    ).toBe(true);
  });

  test("is a history file that exists", async () => {
    expect(await fetchWal("00000002.history")).toMatchObject({ status: 0 });
    expect(readFileSync(target(), "utf8")).toMatch(/^1\t0\/401000\t/);
  });
});

describe("proved absent, with the private status 100,", () => {
  test.each([
    ["another timeline of a planned segment", segmentName(3, 2)],
    ["the parent's segment beyond its switch, although it is in the bucket", segmentName(4)],
    ["the abandoned branch's next segment, although it is in the bucket", segmentName(5)],
    ["what was archived behind the plan's end since", segmentName(5, 2)],
    ["a history file that does not exist", "00000003.history"],
    ["the history of the first timeline", "00000001.history"],
  ])("is %s", async (_, name) => {
    const outcome = await fetchWal(name);
    expect(outcome.status, outcome.stderr).toBe(100);
    expectNothing();
  });

  test("is told with the plan given as one word, too", async () => {
    expect(await fetchWal(segmentName(5), [`--plan=${world.plan}`])).toMatchObject({ status: 100 });
  });
});

describe("recovery is stopped, with status 126, by", () => {
  test("a planned segment that is missing", async () => {
    const [object] = await findWalObjects(world.store, segmentName(3));
    await world.store.remove([object?.key ?? ""]);
    expectStop(await fetchWal(segmentName(3)), /OBJECT_MISSING|there is no such object|not there/);
  });

  test.each<[string, (bytes: Buffer) => Buffer]>([
    ["flipped in its data", (bytes) => (bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20), bytes)],
    [
      "flipped in its description",
      (bytes) => (bytes.writeUInt8(bytes.readUInt8(bytes.length - 30) ^ 1, bytes.length - 30), bytes),
    ],
    ["cut short", (bytes) => bytes.subarray(0, bytes.length - 1)],
    ["empty", () => Buffer.alloc(0)],
  ])("a planned segment that is %s", async (_, change) => {
    await damage(3, change);
    expectStop(await fetchWal(segmentName(3)), /damaged|'.*wal\//);
  });

  test("two segments that were swapped", async () => {
    const [two, three] = await Promise.all(
      [2, 3].map(async (index) => (await findWalObjects(world.store, segmentName(index)))[0]),
    );
    const bytes = await readObject(world.store, two?.key ?? "");
    await world.store.remove([three?.key ?? ""]);
    await world.store.put(three?.key ?? "", bytes);
    expectStop(await fetchWal(segmentName(3)), /describes itself as '000000010000000000000002'/);
  });

  test("a segment of another cluster, and one of a wrong size", async () => {
    for (const bytes of [segmentBytes(3, 1, "7000000000000000001"), segmentBytes(3).subarray(0, SEGMENT_SIZE / 2)]) {
      const [object] = await findWalObjects(world.store, segmentName(3));
      await world.store.remove([object?.key ?? ""]);
      await archive(world.store, segmentName(3), bytes);
      await writePlan(world.store, world.plan);
      expectStop(await fetchWal(segmentName(3)), /another cluster|has \d+ bytes|size/);
    }
  });

  test("a bare segment that is cut short", async () => {
    const [object] = await findWalObjects(world.store, segmentName(3));
    await world.store.remove([object?.key ?? ""]);
    await archive(world.store, segmentName(3), segmentBytes(3).subarray(0, 8192), "none");
    await writePlan(world.store, world.plan);
    expectStop(await fetchWal(segmentName(3)), /8192/);
  });

  test("a segment before the plan", async () => {
    expectStop(await fetchWal(segmentName(1)), /the plan begins with segment number 2/);
  });

  test("the planned timeline's own history, gone since", async () => {
    await world.store.remove(["wal/00000002.history"]);
    expectStop(await fetchWal("00000002.history"), /'00000002.history' is not in/);
  });

  test("a history file that is damaged", async () => {
    await world.store.put("wal/00000003.history", Buffer.from("<Error/>"));
    expectStop(await fetchWal("00000003.history"), /history/);
  });

  test.each([
    ["a partial segment", `${segmentName(3)}.partial`],
    ["a backup history file", `${segmentName(3)}.00000028.backup`],
    ["a path", "../global/pg_control"],
    ["an empty name", ""],
  ])("%s, which recovery never asks for", async (_, name) => {
    expectStop(await fetchWal(name), /unable to|name/i);
  });

  test.each<[string, () => readonly string[]]>([
    ["no plan", () => ["wal-fetch", segmentName(3), TARGET]],
    ["no path", () => ["wal-fetch", "--plan", world.plan, segmentName(3)]],
    ["no name at all", () => ["wal-fetch", "--plan", world.plan]],
    ["a word too many", () => ["wal-fetch", "--plan", world.plan, segmentName(3), TARGET, "more"]],
    ["an unknown flag", () => ["wal-fetch", "--plam", world.plan, segmentName(3), TARGET]],
    ["a flag without its value", () => ["wal-fetch", segmentName(3), TARGET, "--plan"]],
    [
      "a value that is none",
      () => ["wal-fetch", "--plan", world.plan, "--fetch-timeout", "soon", segmentName(3), TARGET],
    ],
    [
      "a plan that is not there",
      () => ["wal-fetch", "--plan", join(world.directory, "none.json"), segmentName(3), TARGET],
    ],
    ["a plan that is a directory", () => ["wal-fetch", "--plan", world.directory, segmentName(3), TARGET]],
    [
      "a directory of the target that is not there",
      () => ["wal-fetch", "--plan", world.plan, segmentName(3), "none/RECOVERYXLOG"],
    ],
    [
      "an env file that is not there",
      () => ["wal-fetch", "--env-file", join(world.directory, "none"), "--plan", world.plan, segmentName(3), TARGET],
    ],
  ])("%s", async (_, args) => {
    const outcome = await runRestore(args(), { cwd: world.directory, env: bucket() });
    expectStop(outcome, /./);
  });

  test("a plan that is cut short, or of a newer program", async () => {
    writeFileSync(world.plan, readFileSync(world.plan).subarray(0, 100));
    expectStop(await fetchWal(segmentName(3)), /it is not the lineage table of a restore/);
    await writePlan(world.store, world.plan, { format: 2 });
    expectStop(await fetchWal(segmentName(3)), /it is not the lineage table of a restore/);
  });

  test("no configuration, and one that cannot be used", async () => {
    expectStop(await fetchWal(segmentName(3), ["--plan", world.plan], {}), /BACKUP_BUCKET/);
    expectStop(await fetchWal(segmentName(3), ["--plan", world.plan], { BACKUP_BUCKET: "ftp://x" }), /ftp:/);
  });

  test("an env file that others may read, or that does not parse", async () => {
    const envFile = join(world.directory, "backup-env");
    writeFileSync(envFile, `export BACKUP_BUCKET="file://${world.bucketDirectory}"\n`, { mode: 0o644 });
    expectStop(await fetchWal(segmentName(3), ["--env-file", envFile, "--plan", world.plan], {}), /backup-env/);
    writeFileSync(envFile, "export BACKUP_BUCKET=$(cat /etc/passwd)\n");
    chmodSync(envFile, 0o600);
    expectStop(await fetchWal(segmentName(3), ["--env-file", envFile, "--plan", world.plan], {}), /backup-env/);
  });

  test("a repository that is not there, for a segment and for a history file alike", async () => {
    rmSync(world.bucketDirectory, { recursive: true });
    expectStop(await fetchWal(segmentName(3)), /./);
    expectStop(await fetchWal("00000003.history"), /./);
  });

  test("an endpoint that nobody answers on", async () => {
    const env = {
      BACKUP_BUCKET: "s3://soar-test/p",
      AWS_ENDPOINT_URL: "http://127.0.0.1:9",
      AWS_ACCESS_KEY_ID: "a",
      AWS_SECRET_ACCESS_KEY: "b",
      BACKUP_FETCH_TIMEOUT: "1s",
    };
    expectStop(await fetchWal(segmentName(3), ["--plan", world.plan], env), /127\.0\.0\.1:9/);
    expectStop(await fetchWal("00000003.history", ["--plan", world.plan], env), /127\.0\.0\.1:9/);
  });
});

describe("on S3, recovery is stopped, with status 126, by", () => {
  let server: S3TestServer;
  beforeEach(async () => {
    server = await startS3Server();
    const store = openStore({
      url: `s3://${server.bucket}/p`,
      endpoint: server.endpoint,
      region: server.region,
      credentials: server,
    });
    for await (const { key } of world.store.list("")) await store.put(key, await readObject(world.store, key));
    await store.close();
  });
  afterEach(() => server.close());

  const env = (more: Record<string, string> = {}) => ({
    BACKUP_BUCKET: `s3://${server.bucket}/p`,
    AWS_ENDPOINT_URL: server.endpoint,
    AWS_ACCESS_KEY_ID: server.accessKeyId,
    AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
    AWS_DEFAULT_REGION: server.region,
    ...more,
  });
  const onS3 = (name: string, more: Record<string, string> = {}) => fetchWal(name, ["--plan", world.plan], env(more));

  test("a bucket that does not exist, although a missing history file there looks like any other", async () => {
    expectStop(await onS3(segmentName(3), { BACKUP_BUCKET: "s3://no-such-bucket/p" }), /no-such-bucket/);
    expectStop(await onS3("00000003.history", { BACKUP_BUCKET: "s3://no-such-bucket/p" }), /no-such-bucket/);
  });

  test("wrong credentials", async () => {
    const outcome = await onS3("00000003.history", { AWS_SECRET_ACCESS_KEY: "not-the-secret" });
    expectStop(outcome, /./);
    expect(outcome.stderr).not.toContain("not-the-secret");
  });

  test("a provider that stays busy", async () => {
    server.inject({ key: /wal\//, times: "always", fault: { type: "busy" } });
    expectStop(await onS3(segmentName(3), { BACKUP_FETCH_TIMEOUT: "1s" }), /busy|SlowDown|503|no answer/i);
  });

  test("a body that is corrupted on its way", async () => {
    server.inject({
      operation: "GetObject",
      key: /wal\//,
      times: "always",
      fault: { type: "corrupt-response", atByte: 30 },
    });
    expectStop(await onS3(segmentName(3)), /damaged/);
  });

  test.each(["SIGTERM", "SIGINT", "SIGQUIT"] as const)("%s in the middle of a fetch", async (name) => {
    const stall = server.inject({
      operation: "GetObject",
      key: /wal\//,
      times: "always",
      fault: { type: "stall-response", afterBytes: 100 },
    });
    const { kill, result } = startRestore(["wal-fetch", "--plan", world.plan, segmentName(3), TARGET], {
      cwd: world.directory,
      env: env(),
    });
    await stall.firstHit;
    kill(name);
    const outcome = await result;
    expect(outcome).toMatchObject({ status: 126, signal: null });
    expect(existsSync(target())).toBe(false);
  });

  test("a crash when all handlers are in place", async () => {
    const stall = server.inject({ operation: "GetObject", key: /wal\//, times: "always", fault: { type: "stall" } });
    const preload = 'process.on("SIGUSR2",()=>{throw new Error("late")})';
    const { kill, result } = startRestore(["wal-fetch", "--plan", world.plan, segmentName(3), TARGET], {
      cwd: world.directory,
      env: env({ NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(preload)}` }),
    });
    await stall.firstHit;
    kill("SIGUSR2");
    const outcome = await result;
    expect(outcome, outcome.stderr).toMatchObject({
      status: 126,
      signal: null,
      stderr: expect.stringContaining("late"),
    });
    expect(existsSync(target())).toBe(false);
  });

  test("a kill -9, of which PostgreSQL's shell makes 126: nothing lies under the target's name", async () => {
    const stall = server.inject({
      operation: "GetObject",
      key: /wal\//,
      times: "always",
      fault: { type: "stall-response", afterBytes: 100 },
    });
    const { kill, result } = startRestore(["wal-fetch", "--plan", world.plan, segmentName(3), TARGET], {
      cwd: world.directory,
      env: env(),
    });
    await stall.firstHit;
    kill("SIGKILL");
    expect((await result).signal).toBe("SIGKILL");
    expect(existsSync(target())).toBe(false);
  });
});

describe("the program that a restore writes into restore_command", () => {
  let server: S3TestServer;
  let caFile: string;
  const [program = "", ...rest] = process.argv.slice(1);
  beforeEach(async () => {
    process.argv[1] = BIN;
    server = await startS3Server({ tls: true });
    const { endpoint, region, caPem } = server;
    const store = openStore({ url: `s3://${server.bucket}/p`, endpoint, region, credentials: server, caPem });
    for await (const { key } of world.store.list("")) await store.put(key, await readObject(world.store, key));
    await store.close();
    caFile = join(world.directory, "ca.pem");
    writeFileSync(caFile, caPem ?? "");
  });
  afterEach(async () => {
    process.argv.splice(1, Infinity, program, ...rest);
    await server.close();
  });

  /** As the server runs it: with nothing but the line, and what it was started with. */
  function runAsServer(handed: HandedStorage, environment: Record<string, string> = {}): Promise<ProgramResult> {
    const [node = "", ...words] = walFetchProgram(handed, undefined);
    const { accessKeyId, secretAccessKey } = server;
    const keys = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
    return startProgram([node, ...words, "--plan", world.plan, segmentName(3), TARGET], {
      cwd: world.directory,
      env: serverEnvironment({ PATH: process.env["PATH"], ...keys, ...environment }, handed.environment),
    }).result;
  }

  const settings = (more: Partial<Parameters<typeof handOnStorage>[0]> = {}) =>
    handOnStorage(
      {
        bucket: `s3://${server.bucket}/p`,
        provider: undefined,
        endpoint: server.endpoint,
        region: server.region,
        pathStyle: true,
        allowHttp: false,
        caFile,
        proxy: undefined,
        retryDeadlineMs: 60_000,
        ...more,
      } as Parameters<typeof handOnStorage>[0],
      "reads",
    );

  test("trusts the authority that the restore was told of", async () => {
    expect(await runAsServer(settings())).toMatchObject({ status: 0 });
    expect(readFileSync(target()).equals(segmentBytes(3))).toBe(true);
  });

  test.each<[string, Partial<Parameters<typeof handOnStorage>[0]>, Record<string, string>]>([
    ["that it was told of", { proxy: "http://127.0.0.1:9" }, {}],
    ["that it was told of, with a password", { proxy: "http://me:hidden-word@127.0.0.1:9" }, {}],
    ["of ALL_PROXY", {}, { ALL_PROXY: "http://127.0.0.1:9" }],
    ["of all_proxy", {}, { all_proxy: "http://127.0.0.1:9" }],
    ["of HTTPS_PROXY", {}, { HTTPS_PROXY: "http://127.0.0.1:9" }],
  ])("goes through the proxy %s", async (_name, more, environment) => {
    const handed = settings(more);
    expect(handed.words.join(" ")).not.toContain("hidden-word");
    const outcome = await runAsServer(handed, { ...environment, BACKUP_FETCH_TIMEOUT: "1s" });
    expectStop(outcome, /the proxy http:\/\/127\.0\.0\.1:9 cannot be reached/);
    expect(outcome.stderr).not.toContain("hidden-word");
  });

  test("accepts an endpoint without TLS where the restore did", async () => {
    const endpoint = "http://10.255.255.1:9";
    const refused = await runAsServer(settings({ endpoint, caFile: undefined }));
    expectStop(refused, /it has no TLS/);
    const accepted = await runAsServer(
      settings({ endpoint, caFile: undefined, allowHttp: true, proxy: "127.0.0.1:9" }),
      {
        BACKUP_FETCH_TIMEOUT: "1s",
      },
    );
    expectStop(accepted, /the proxy http:\/\/127\.0\.0\.1:9 cannot be reached/);
  });
});
