import { type ObjectStore, readObject, type StoreConfig, type StoredObject, withRetry } from "@soar/storage";
import { probeServer } from "@soar/storage/probes";
import {
  PROFILES as PROFILE_RULES,
  type S3Credential,
  type S3Profile,
  type S3ServerOptions,
} from "@soar-tooling/s3-server";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { expectRejection } from "./expect-rejection.ts";
import { openDriverOn, openS3ForTest, TEST_PART_SIZE } from "./s3-fixture.ts";

const PROFILES: S3Profile[] = ["ceph-16", "moto-5.1", "swift-2.35", "swift-2.38", "b2", "wasabi", "ceph-20"];

/** The requests of a put that goes as an upload, without a rival. */
const PUT_AS_UPLOAD = [
  "CreateMultipartUpload",
  "UploadPart",
  "ListMultipartUploads",
  "HeadObject",
  "CompleteMultipartUpload",
  "HeadObject",
];

/** Same size, other bytes. */
const BODIES = [Buffer.alloc(TEST_PART_SIZE + 9, "a"), Buffer.alloc(TEST_PART_SIZE + 9, "b")] as const;

async function uploadInParts(store: ObjectStore, body: Buffer): Promise<StoredObject> {
  const upload = await store.beginMultipart("wal", { partSize: TEST_PART_SIZE, ifAbsent: true });
  await upload.putPart(1, body.subarray(0, TEST_PART_SIZE));
  await upload.putPart(2, body.subarray(TEST_PART_SIZE));
  return await upload.complete();
}

async function outcomeOf(writing: Promise<StoredObject>): Promise<boolean> {
  try {
    await writing;
    return true;
  } catch {
    return false;
  }
}

/** Two keys, of which the first one has fewer rights. */
function unequalKeys(deny: string[]): [S3Credential, S3Credential] {
  return [
    { accessKeyId: "W", secretAccessKey: "writer-secret", deny },
    { accessKeyId: "R", secretAccessKey: "rival-secret" },
  ];
}

interface Writers {
  readonly server?: S3ServerOptions;
  /** How the second one's store is configured. */
  readonly other?: Partial<StoreConfig>;
  /** What both have seen before. */
  readonly prepare?: (store: ObjectStore, other: ObjectStore) => Promise<void>;
}

/** Lets the first writer stop at each of its requests while the second one comes and goes. */
async function expectOneWriter(
  profile: S3Profile,
  write: (store: ObjectStore, body: Buffer) => Promise<StoredObject>,
  writers: Writers = {},
): Promise<void> {
  for (let step = 0; ; step += 1) {
    const { server, store, cleanUp } = await openS3ForTest(profile, { server: writers.server ?? {} });
    const other = openDriverOn(server, writers.other);
    const habits = await probeServer(store, "config/");
    other.features.recall(habits);
    await writers.prepare?.(store, other);
    const stall = server.inject({ skip: step, fault: { type: "stall" } });
    const first = outcomeOf(write(store, BODIES[0]));
    const hasStalled = await Promise.race([stall.firstHit.then(() => true), first.then(() => false)]);
    const isSecondStored = hasStalled && (await outcomeOf(write(other, BODIES[1])));
    stall.release();
    const isFirstStored = await first;
    expect([step, isFirstStored, isSecondStored]).not.toEqual([step, true, true]);
    if (isFirstStored || isSecondStored)
      expect((await readObject(store, "wal")).equals(BODIES[isFirstStored ? 0 : 1])).toBe(true);
    await other.close();
    await cleanUp();
    if (!hasStalled) return;
    expect(step).toBeLessThan(20);
  }
}

test.each<S3Profile>([
  "aws",
  "ceph-16",
  "moto-5.1",
  "swift-2.35",
  "swift-2.38",
  "wasabi",
  "ignores-conditions",
  "other-marks",
])(
  "two writers of one object are not both told that it is theirs on a server like %s, wherever one of them stops",
  async (profile) => {
    await expectOneWriter(profile, (store, body) => store.put("wal", body, { ifAbsent: true }));
  },
);

test.each<S3Profile>(["swift-2.38", "wasabi", "ignores-conditions", "other-marks"])(
  "of many writers of one object at the same moment one succeeds, and the others are told, on a server like %s",
  async (profile) => {
    const { server, store, cleanUp } = await openS3ForTest(profile);
    const habits = await probeServer(store, "config/");
    const stores = [1, 2, 3, 4].map(() => openDriverOn(server, { habits }));
    for (let round = 0; round < 5; round += 1) {
      const outcomes = await Promise.allSettled(
        stores.map((one, at) =>
          withRetry(one, { baseDelayMs: 20, maxDelayMs: 200 }).put(`${round}`, Buffer.alloc(9, at), { ifAbsent: true }),
        ),
      );
      const codes = outcomes.map((outcome) =>
        outcome.status === "fulfilled" ? "stored" : (outcome.reason as { code?: string }).code,
      );
      expect(codes.filter((code) => code === "stored")).toHaveLength(1);
      expect(codes.filter((code) => code === "OBJECT_EXISTS")).toHaveLength(3);
      expect(await readObject(store, `${round}`)).toEqual(Buffer.alloc(9, codes.indexOf("stored")));
    }
    expect(await store.listUploads("")).toEqual([]);
    for (const one of stores) await one.close();
    await cleanUp();
  },
);

describe("an object that is put as an upload of one part", () => {
  const profile = "swift-2.38";

  test("takes no key that is taken, and leaves no upload", async () => {
    const { store, cleanUp } = await openS3ForTest(profile);
    await probeServer(store, "config/");
    await store.put("wal", BODIES[0]);
    await expectRejection(store.put("wal", BODIES[1], { ifAbsent: true }), "OBJECT_EXISTS");
    expect((await readObject(store, "wal")).equals(BODIES[0])).toBe(true);
    expect(await store.listUploads("")).toEqual([]);
    await cleanUp();
  });

  test("is not aborted behind a completion whose answer was lost", async () => {
    const { store, server, cleanUp } = await openS3ForTest(profile);
    await probeServer(store, "config/");
    server.requests.splice(0);
    server.inject({ operation: "CompleteMultipartUpload", fault: { type: "lost-reply" } });
    await expectRejection(store.put("wal", BODIES[0], { ifAbsent: true }), "STORE_UNREACHABLE");
    expect(server.requests.map(({ operation }) => operation)).not.toContain("AbortMultipartUpload");
    expect((await readObject(store, "wal")).equals(BODIES[0])).toBe(true);
    await cleanUp();
  });

  test("does not keep waiting whoever stops it while the server says nothing", async () => {
    const { store, server, cleanUp } = await openS3ForTest(profile);
    await probeServer(store, "config/");
    const stall = server.inject({
      operation: ["UploadPart", "AbortMultipartUpload"],
      times: "always",
      fault: { type: "stall" },
    });
    const stop = new AbortController();
    const putting = store.put("wal", BODIES[0], { ifAbsent: true, signal: stop.signal });
    await stall.firstHit;
    stop.abort();
    await expectRejection(putting, "ABORTED");
    await cleanUp();
  });

  test("is aborted after a completion that failed and left nothing", async () => {
    const { store, server, cleanUp } = await openS3ForTest(profile);
    await probeServer(store, "config/");
    server.inject({ operation: "CompleteMultipartUpload", fault: { type: "error", status: 500 } });
    await expectRejection(store.put("wal", BODIES[0], { ifAbsent: true }), "STORE_BUSY");
    expect(await store.listUploads("")).toEqual([]);
    await cleanUp();
  });

  test("is compared by its caller when an answer was lost, and may be empty", async () => {
    const { store, server, cleanUp } = await openS3ForTest(profile);
    await probeServer(store, "config/");
    server.inject({ operation: "CompleteMultipartUpload", fault: { type: "lost-reply" } });
    const retried = withRetry(store, { baseDelayMs: 1 });
    await expectRejection(retried.put("wal", BODIES[0], { ifAbsent: true }), "OBJECT_EXISTS");
    expect((await readObject(store, "wal")).equals(BODIES[0])).toBe(true);
    expect(await store.listUploads("")).toEqual([]);
    expect(await store.put("empty", Buffer.alloc(0), { ifAbsent: true })).toMatchObject({ size: 0 });
    await cleanUp();
  });
});

describe("two writers of one upload in parts", () => {
  test.each(PROFILES)(
    "are not both told that it is theirs on a server like %s, wherever one of them stops and goes on",
    async (profile) => {
      await expectOneWriter(profile, uploadInParts);
    },
  );

  test("are told that the key is taken, and by whom they were ended is compared", async () => {
    const { server, store, cleanUp } = await openS3ForTest("ceph-16");
    const other = openDriverOn(server);
    const stall = server.inject({ operation: "CompleteMultipartUpload", fault: { type: "stall" } });
    const first = uploadInParts(store, BODIES[0]);
    await stall.firstHit;
    await uploadInParts(other, BODIES[1]);
    stall.release();
    await expectRejection(first, "OBJECT_EXISTS");
    expect((await readObject(store, "wal")).equals(BODIES[1])).toBe(true);
    await other.close();
    await cleanUp();
  });

  test.each([["s3:ListBucketMultipartUploads"], ["s3:AbortMultipartUpload"]])(
    "are left to look for each other where the key has no right to %s",
    async (right) => {
      const { server, store, cleanUp } = await openS3ForTest("ceph-16", {
        server: { credentials: { accessKeyId: "W", secretAccessKey: "writer-secret", deny: [right] } },
      });
      const other = openDriverOn(server);
      await other.beginMultipart("wal", { partSize: TEST_PART_SIZE, ifAbsent: true });
      expect(await uploadInParts(store, BODIES[0])).toMatchObject({ size: BODIES[0].length });
      await other.close();
      await cleanUp();
    },
  );

  test.each(["s3:ListBucketMultipartUploads", "s3:AbortMultipartUpload"])(
    "are asked about once, where the key has no right to %s, until it may have been given",
    async (right) => {
      let credentialsAsked = 0;
      const { server, store, cleanUp } = await openS3ForTest("ceph-16", {
        server: {
          credentials: [
            { accessKeyId: "W", secretAccessKey: "writer-secret", deny: [right] },
            { accessKeyId: "R", secretAccessKey: "rival-secret" },
          ],
        },
        config: {
          credentials: () => {
            credentialsAsked += 1;
            return Promise.resolve({ accessKeyId: "W", secretAccessKey: "writer-secret" });
          },
        },
      });
      const rival = openDriverOn(server, { credentials: { accessKeyId: "R", secretAccessKey: "rival-secret" } });
      const upload = async (key: string): Promise<void> => {
        await rival.beginMultipart(key, { partSize: TEST_PART_SIZE, ifAbsent: true });
        const own = await store.beginMultipart(key, { partSize: TEST_PART_SIZE, ifAbsent: true });
        await own.putPart(1, BODIES[0].subarray(0, 9));
        await own.complete();
      };
      await upload("wal1");
      expect(store.features.learned).toEqual([expect.objectContaining({ habit: "rivalUploads", way: "left" })]);
      const asked = credentialsAsked;
      server.requests.splice(0);
      await upload("wal2");
      await upload("wal3");
      expect(credentialsAsked).toBe(asked);
      expect(server.requests.filter(({ status = 0 }) => status >= 400 && status !== 404)).toEqual([]);
      const later = performance.now() + 11 * 60_000;
      const clock = vi.spyOn(performance, "now").mockImplementation(() => later);
      await upload("wal4");
      clock.mockRestore();
      expect(server.requests.filter(({ status }) => status === 403)).not.toEqual([]);
      await rival.close();
      await cleanUp();
    },
  );

  test.each(["s3:ListBucketMultipartUploads", "s3:AbortMultipartUpload"])(
    "are prevented by the one whose key may, wherever the other one stops, whose key has no right to %s",
    async (right) => {
      const [fewer, rights] = unequalKeys([right]);
      await expectOneWriter("ignores-conditions", (store, body) => store.put("wal", body, { ifAbsent: true }), {
        server: { credentials: [fewer, rights] },
        other: { credentials: rights },
        async prepare(store, other) {
          await other.beginMultipart("before", { partSize: TEST_PART_SIZE, ifAbsent: true });
          await store.put("before", BODIES[0], { ifAbsent: true });
          expect(store.features.learned).toContainEqual(
            expect.objectContaining({ habit: "rivalUploads", way: "left" }),
          );
        },
      });
    },
  );

  test("end each other's puts soon after the right to it was given, also where asking for it failed at first", async () => {
    const denied = ["s3:ListBucketMultipartUploads"];
    const { server, store, cleanUp } = await openS3ForTest("ignores-conditions", {
      server: { credentials: unequalKeys(denied) },
    });
    store.features.recall(await probeServer(store, "config/"));
    const operationsOf = async (putting: Promise<unknown>): Promise<(string | undefined)[]> => {
      server.requests.splice(0);
      await putting.catch(() => undefined);
      return server.requests.map(({ operation }) => operation);
    };
    const put = (key: string): Promise<unknown> => store.put(key, BODIES[0], { ifAbsent: true });
    expect(await operationsOf(put("a"))).toContain("ListMultipartUploads");
    expect(await operationsOf(put("b"))).toEqual(PUT_AS_UPLOAD.filter((name) => name !== "ListMultipartUploads"));
    denied.splice(0);
    const later = performance.now() + 11 * 60_000;
    const clock = vi.spyOn(performance, "now").mockImplementation(() => later);
    onTestFinished(() => clock.mockRestore());
    server.inject({ operation: "ListMultipartUploads", fault: { type: "busy" } });
    await expectRejection(put("c"), "STORE_BUSY");
    expect(await operationsOf(put("c"))).toEqual(PUT_AS_UPLOAD);
    await cleanUp();
  });

  test("end nobody's upload under a key that is taken: it may be the one whose completion made the object", async () => {
    const { server, store, cleanUp } = await openS3ForTest("ceph-16");
    const other = openDriverOn(server);
    const upload = await store.beginMultipart("wal", { partSize: TEST_PART_SIZE, ifAbsent: true });
    await upload.putPart(1, BODIES[0].subarray(0, 9));
    await other.beginMultipart("wal", { partSize: TEST_PART_SIZE, ifAbsent: true });
    await other.put("wal", BODIES[1]);
    server.requests.splice(0);
    await expectRejection(upload.complete(), "OBJECT_EXISTS");
    expect(server.requests.map(({ operation }) => operation)).not.toContain("AbortMultipartUpload");
    await other.close();
    await cleanUp();
  });

  test("leave uploads of other keys alone", async () => {
    const { server, store, cleanUp } = await openS3ForTest("ceph-16");
    await store.beginMultipart("wal2", { partSize: TEST_PART_SIZE, ifAbsent: true });
    await store.beginMultipart("wal", { partSize: TEST_PART_SIZE, ifAbsent: true });
    await uploadInParts(store, BODIES[0]);
    expect((await store.listUploads("")).map(({ key }) => key)).toEqual(["wal2"]);
    expect(server.objects().size).toBe(1);
    await cleanUp();
  });
});

test("a put that goes as an upload looks again before it ends a rival's upload, and only then", async () => {
  const { server, store, cleanUp } = await openS3ForTest("ignores-conditions");
  const other = openDriverOn(server);
  store.features.recall(await probeServer(store, "config/"));
  const operations = async (key: string): Promise<(string | undefined)[]> => {
    server.requests.splice(0);
    await store.put(key, BODIES[0], { ifAbsent: true });
    return server.requests.map(({ operation }) => operation);
  };
  expect(await operations("alone")).toEqual(PUT_AS_UPLOAD);
  await other.beginMultipart("rivalled", { partSize: TEST_PART_SIZE, ifAbsent: true });
  expect(await operations("rivalled")).toEqual([
    ...PUT_AS_UPLOAD.slice(0, 3),
    "HeadObject",
    "AbortMultipartUpload",
    ...PUT_AS_UPLOAD.slice(3),
  ]);
  await other.close();
  await cleanUp();
});

test("a put is not read back where its object has the mark of its part", async () => {
  const { endedUpload } = PROFILE_RULES["ignores-conditions"];
  const { server, store, cleanUp } = await openS3ForTest("ignores-conditions", {
    server: { rules: { onePartEtag: "part", endedUpload: { ...endedUpload, etags: ["empty", "empty"] } } },
  });
  store.features.recall(await probeServer(store, "config/"));
  server.requests.splice(0);
  await store.put("wal", BODIES[0], { ifAbsent: true });
  expect(server.requests.map(({ operation }) => operation)).toEqual(PUT_AS_UPLOAD);
  await expectRejection(store.put("wal", BODIES[1], { ifAbsent: true }), "OBJECT_EXISTS");
  await cleanUp();
});

test.each([
  ["in one request", false],
  ["as an upload", true],
])(
  "a rival's object of the same size is no own one where all marks are empty, after a put %s",
  async (_way, isUpload) => {
    const { server, store, cleanUp } = await openS3ForTest("ignores-conditions", { server: { etags: "empty" } });
    if (isUpload) store.features.recall(await probeServer(store, "config/"));
    expect(await store.put("own", BODIES[0], { ifAbsent: true })).toMatchObject({ size: BODIES[0].length });
    const stall = server.inject({ operation: "HeadObject", skip: 1, fault: { type: "stall" } });
    const putting = store.put("wal", BODIES[0], { ifAbsent: true });
    await stall.firstHit;
    const other = openDriverOn(server);
    await other.put("wal", BODIES[1]);
    stall.release();
    await expectRejection(putting, "OBJECT_EXISTS");
    await other.close();
    await cleanUp();
  },
);

test("a put is known as one's own by its bytes where the answer to its completion has a mark of its own", async () => {
  const { store, cleanUp } = await openS3ForTest("other-marks");
  store.features.recall(await probeServer(store, "config/"));
  await store.put("lease", BODIES[0], { ifAbsent: true });
  expect((await readObject(store, "lease")).equals(BODIES[0])).toBe(true);
  await expectRejection(store.put("lease", BODIES[1], { ifAbsent: true }), "OBJECT_EXISTS");
  await cleanUp();
});
