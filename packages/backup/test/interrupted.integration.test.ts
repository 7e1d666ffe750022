import { backupKey, listBackupDirectories, listBackupRecords, sha256Hex } from "@soar/repository";
import { createMemoryStore, openStore, readObject, type ObjectStore } from "@soar/storage";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import type { FaultRule, OperationName } from "@soar-tooling/s3-server";
import { startProxy } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { BackupEvent } from "../src/index.ts";
import { createBackupWorld, keysOf, openTestStore, type BackupWorld } from "./backup-world.ts";
import { dieBefore } from "./dying-store.ts";
import { expectNoBackup } from "./expect-no-backup.ts";

let world: BackupWorld;
let prefixes = 0;

beforeAll(async () => {
  world = await createBackupWorld({ installation: requireInstallation() });
  await world.cluster.query("create table t as select n, md5(n::text) from generate_series(1, 50000) n");
});
afterAll(() => world[Symbol.asyncDispose]());

/** A repository of its own in the same bucket, without retries: what is broken fails at once. */
function freshStore(retry: false | { deadlineMs: number; baseDelayMs: number } = false): ObjectStore {
  prefixes += 1;
  const { s3 } = world;
  const store = openStore({
    url: `s3://soar-backup/run${prefixes}`,
    endpoint: s3.endpoint,
    region: s3.region,
    pathStyle: true,
    credentials: s3,
    retry,
  });
  world.courier.deliverTo(openTestStore(s3, `run${prefixes}`));
  return store;
}

/** Uncompressed, so that the small cluster fills several parts. */
const plain = { codec: "none" } as const;

function dayLabel(day: number): string {
  return new Date(Date.UTC(2025, 0, 1 + day)).toISOString().slice(0, 10);
}

/** What was interrupted is no backup; the next run is one, and leaves nothing of it. */
async function expectRecovery(store: ObjectStore, when = ""): Promise<void> {
  await expectNoBackup(store, when);
  const record = await world.take(plain, store);
  expect(
    (await listBackupDirectories(store)).map(({ label }) => label),
    when,
  ).toEqual([record.label]);
}

/** Watched from the start, for a failure that comes while something else is awaited. */
async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

const WITH_BODY: OperationName[] = ["PutObject", "UploadPart", "CompleteMultipartUpload"];
const WRITES: OperationName[] = [...WITH_BODY, "CreateMultipartUpload"];

/** The message says what to do, whatever it was. */
const someHint: string = expect.stringMatching(/.{20,}\.$/) as string;

/** Such requests of a whole run, in their order. */
async function requestsOf(
  operations: readonly OperationName[],
): Promise<{ operation: OperationName; name: string; partNumber: number | undefined }[]> {
  const before = world.s3.requests.length;
  await world.take(plain, freshStore());
  return world.s3.requests.slice(before).flatMap(({ operation, key, url }) => {
    const partNumber = /[?&]partNumber=(\d+)/.exec(url)?.[1];
    const isWanted = key.includes("/base/") && operation !== undefined && operations.includes(operation);
    return isWanted
      ? [
          {
            operation,
            name: key.split("/").at(-1) ?? "",
            partNumber: partNumber === undefined ? undefined : Number(partNumber),
          },
        ]
      : [];
  });
}

test(
  "a backup that has lost its lock stops, instead of finding out hours later that another run has cleaned up behind it",
  { timeout: 60_000 },
  async () => {
    const store = freshStore();
    // Of the backup: what a store tries out about uploads comes before the lock.
    const stall = world.s3.inject({
      operation: "UploadPart",
      key: /\/base\//,
      times: "always",
      fault: { type: "stall" },
    });
    const failure = failureOf(world.take({ ...plain, lockIntervalMs: 50 }, store));
    await stall.firstHit;
    expect(
      await world.cluster.query("select pg_terminate_backend(pid) as ended from pg_locks where locktype = 'advisory'"),
    ).toEqual([{ ended: true }]);
    expect(await failure).toMatchObject({
      code: "BACKUP_INCOMPLETE",
      message: expect.stringContaining("the lock of this backup was lost"),
      hint: someHint,
    });
    stall.release();
    world.s3.clearFaults();
    await expectRecovery(store);
  },
);

test(
  "a connection that is cut in any write leaves no backup and no parts, and the next run is whole",
  { timeout: 120_000 },
  async () => {
    const writes = (await requestsOf(WITH_BODY)).length;
    expect(writes).toBeGreaterThan(8);
    const interrupted = freshStore();
    for (let skip = 0; skip < writes; skip += 1) {
      const fault = world.s3.inject({
        operation: WITH_BODY,
        key: /\/base\//,
        skip,
        fault: { type: "reset-request", afterBytes: 100 },
      });
      await expect(world.take(plain, interrupted), `write ${skip}`).rejects.toMatchObject({
        code: "STORE_UNREACHABLE",
        hint: someHint,
      });
      expect(fault.hits).toBe(1);
      fault.remove();
      await expectNoBackup(interrupted, `write ${skip}`);
    }
    await expectRecovery(interrupted);
  },
);

test(
  "a run that is killed before any change of the bucket leaves no backup, and the next one is whole",
  { timeout: 180_000 },
  async () => {
    const store = createMemoryStore();
    world.courier.deliverTo(store);
    const labels: string[] = [];
    let isKilled = true;
    for (let changes = 0; isKilled; changes += 1) {
      const when = `change ${changes}`;
      const failure = await failureOf(
        world.take({ ...plain, label: dayLabel(2 * changes) }, dieBefore(store, changes)),
      );
      isKilled = failure !== undefined;
      if (isKilled)
        expect(
          (await listBackupRecords(store)).map(({ label }) => label),
          when,
        ).toEqual(labels);
      const { label } = await world.take({ ...plain, label: dayLabel(2 * changes + 1) }, store);
      labels.push(...(isKilled ? [] : [dayLabel(2 * changes)]), label);
      const left = await listBackupDirectories(store);
      expect(
        left.map((directory) => [directory.label, directory.record?.label]),
        when,
      ).toEqual(labels.map((one) => [one, one]));
      expect(await store.listUploads("base/"), when).toEqual([]);
    }
    expect(labels.length).toBeGreaterThan(10);
  },
);

test("a lost reply to every write is not a failure", { timeout: 120_000 }, async () => {
  const writes = await requestsOf(WRITES);
  const faults = writes.map(({ operation, name, partNumber }) =>
    world.s3.inject({
      operation,
      key: new RegExp(`/${name}$`),
      ...(partNumber === undefined ? {} : { partNumber }),
      fault: { type: "lost-reply" },
    }),
  );
  const store = freshStore({ deadlineMs: 5000, baseDelayMs: 1 });
  const record = await world.take(plain, store);
  expect(faults.map(({ hits }) => hits)).toEqual(writes.map(() => 1));
  expect((await listBackupRecords(store)).map(({ label }) => label)).toEqual([record.label]);
});

const REFUSALS: readonly { what: string; code: string; hint: RegExp; rule: FaultRule }[] = [
  {
    what: "expired credentials",
    code: "STORE_DENIED",
    hint: /Get new temporary credentials/,
    rule: {
      operation: "UploadPart",
      key: /\/base\//,
      skip: 1,
      times: "always",
      fault: { type: "error", status: 400, code: "ExpiredToken", message: "The provided token has expired." },
    },
  },
  {
    what: "a full quota",
    code: "STORE_QUOTA",
    hint: /Raise the limit at the provider/,
    rule: {
      operation: "UploadPart",
      key: /\/base\//,
      skip: 1,
      times: "always",
      fault: {
        type: "error",
        status: 403,
        code: "QuotaExceeded",
        message: "Your request was denied due to quota exceeded.",
      },
    },
  },
  {
    what: "bytes that come back other than they were stored",
    code: "REPOSITORY_DAMAGED",
    hint: /ask the provider/,
    rule: { operation: "GetObject", key: /backup\.tar$/, fault: { type: "corrupt-response", atByte: 7 } },
  },
];

test.each(REFUSALS)(
  "$what: the reason is told, no backup is left, the next run is whole",
  async ({ code, hint, rule }) => {
    const store = freshStore();
    const fault = world.s3.inject(rule);
    await expect(world.take(plain, store)).rejects.toMatchObject({ code, hint: expect.stringMatching(hint) as string });
    expect(fault.hits).toBeGreaterThan(0);
    fault.remove();
    await expectRecovery(store);
  },
);

test("a signal ends the run at any stage", async () => {
  const stages: BackupEvent["type"][] = ["label", "progress", "reading-back"];
  const store = freshStore();
  for (const stage of stages) {
    const stop = new AbortController();
    const taken = world.take(
      { ...plain, signal: stop.signal, onEvent: ({ type }) => type === stage && stop.abort() },
      store,
    );
    await expect(taken, stage).rejects.toMatchObject({ code: "ABORTED" });
    await expectNoBackup(store, stage);
  }
  await expectRecovery(store);
});

test("the connection to the server is cut anywhere", async () => {
  const proxy = await startProxy({ target: { port: world.cluster.port } });
  try {
    const store = freshStore();
    const server = { ...world.cluster.connection, applicationName: "test", port: proxy.port };
    for (const afterBytes of [1000, 100_000, 5_000_000, 20_000_000]) {
      const cut = proxy.impair({ direction: "to-client", impairment: { type: "cut", afterBytes } });
      await expect(world.take({ ...plain, server }, store), `after ${afterBytes}`).rejects.toMatchObject({
        code: expect.stringMatching(/^(?:SERVER_|BACKUP_INCOMPLETE)/) as string,
        hint: someHint,
      });
      cut.remove();
      await expectNoBackup(store, `after ${afterBytes}`);
    }
    await expectRecovery(store);
  } finally {
    await proxy.close();
  }
});

test("a server that dies in the middle fails the run; the next one is whole", async () => {
  const proxy = await startProxy({ target: { port: world.cluster.port } });
  const store = freshStore();
  try {
    const server = { ...world.cluster.connection, applicationName: "test", port: proxy.port };
    const stall = proxy.impair({ direction: "to-client", impairment: { type: "stall", afterBytes: 3_000_000 } });
    const failure = failureOf(world.take({ ...plain, server }, store));
    await stall.firstHit;
    await world.cluster.stop("immediate");
    stall.remove();
    expect(await failure).toMatchObject({
      code: expect.stringMatching(/^(?:SERVER_|BACKUP_INCOMPLETE)/) as string,
      hint: someHint,
    });
  } finally {
    await proxy.close();
    await world.cluster.start();
  }
  await expectRecovery(store);
});

test("a second run at the same time is refused and disturbs nothing", async () => {
  const store = freshStore();
  let second: Promise<unknown> | undefined;
  const onEvent = ({ type }: BackupEvent): void => {
    if (type === "label") second ??= failureOf(world.take(plain, store));
  };
  const record = await world.take({ ...plain, onEvent }, store);
  expect(await second).toMatchObject({ code: "BACKUP_RUNNING" });
  expect((await listBackupRecords(store)).map(({ label }) => label)).toEqual([record.label]);
  for (const { name, size, sha256 } of record.objects) {
    const bytes = await readObject(store, backupKey(record.label, name));
    expect([name, bytes.length, sha256Hex(bytes)]).toEqual([name, size, sha256]);
  }
});

test("without the right to remove, what was interrupted stays, is told, and is not used again", async () => {
  const store = freshStore();
  const fault = world.s3.inject({
    operation: "CompleteMultipartUpload",
    key: /\/base\//,
    fault: { type: "error", status: 403, code: "AccessDenied" },
  });
  await expect(world.take({ ...plain, label: "2025-01-01" }, store)).rejects.toMatchObject({ code: "STORE_DENIED" });
  fault.remove();
  world.s3.addCredential({ accessKeyId: "NODELETE", secretAccessKey: "secret", deny: ["s3:DeleteObject*"] });
  const limited = openStore({
    url: store.location,
    endpoint: world.s3.endpoint,
    region: world.s3.region,
    pathStyle: true,
    credentials: { accessKeyId: "NODELETE", secretAccessKey: "secret" },
    retry: false,
  });
  const events: BackupEvent[] = [];
  await world.take({ ...plain, onEvent: (event) => events.push(event) }, limited);
  expect(events).toContainEqual(expect.objectContaining({ type: "interrupted-left", label: "2025-01-01" }));
  await expect(world.take({ ...plain, label: "2025-01-01" }, limited)).rejects.toMatchObject({
    code: "BACKUP_RUNNING",
  });
  expect(keysOf(world, "base/")).toEqual([]);
});
