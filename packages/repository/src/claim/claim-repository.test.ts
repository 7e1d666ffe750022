import { formatWalSegment } from "@soar/pg-tools";
import { compressMember } from "@soar/seekable-tar";
import { createMemoryStore, type ObjectStore } from "@soar/storage";
import { withFault } from "@soar/storage/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { addBackup, CLAIM, CLUSTER } from "../../test/sample-repository.ts";
import { flipped, keysOf, sourceOf } from "../../test/wal-samples.ts";
import { sha256Hex } from "../records/digest.ts";
import { CONFIG_KEY } from "../records/keys.ts";
import { requireRepositoryRecord, type ClusterIdentity } from "../records/repository-record.ts";
import { putWalFile } from "../wal/put-wal.ts";
import { formatWalDescription } from "../wal/wal-description.ts";
import { claimRepository } from "./claim-repository.ts";

let store: ObjectStore;
beforeEach(() => {
  store = createMemoryStore({ name: "m" });
});

describe("claiming a repository", () => {
  test("writes its record once, and reads it ever after", async () => {
    const record = await claimRepository(store, CLUSTER, CLAIM);
    expect(record).toEqual({
      format: 1,
      ...CLUSTER,
      conditionalPut: "honoured",
      createdAt: "2025-01-05T02:00:00.000Z",
      createdBy: "soar-wal-archive 1.0",
    });
    expect(await claimRepository(store, CLUSTER, { toolVersion: "later", now: new Date() })).toEqual(record);
    expect(await requireRepositoryRecord(store)).toEqual(record);
    expect(await keysOf(store)).toEqual([CONFIG_KEY]);
  });

  test.each<[string, Partial<ClusterIdentity>]>([
    ["system identifier", { systemIdentifier: "7551234567890123457" }],
    ["WAL segment size", { walSegmentSize: 64 * 1024 * 1024 }],
    ["PostgreSQL major version", { postgresMajor: 16 }],
  ])("is refused for another %s, and writes nothing", async (what, other) => {
    await claimRepository(store, CLUSTER, CLAIM);
    const foreign = { ...CLUSTER, ...other };
    await expect(claimRepository(store, foreign, CLAIM)).rejects.toMatchObject({
      code: "REPOSITORY_FOREIGN",
      message: expect.stringContaining(`'memory:m' belongs to another cluster: its ${what} is `),
    });
    expect(await keysOf(store)).toEqual([CONFIG_KEY]);
  });

  test("by two at once is right for the same cluster and refused for the loser of two", async () => {
    const outcomes = async (second: ClusterIdentity) => {
      store = createMemoryStore();
      return Promise.allSettled([claimRepository(store, CLUSTER, CLAIM), claimRepository(store, second, CLAIM)]);
    };
    expect((await outcomes(CLUSTER)).map(({ status }) => status)).toEqual(["fulfilled", "fulfilled"]);
    const mixed = await outcomes({ ...CLUSTER, systemIdentifier: "1" });
    expect(mixed.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(mixed.find(({ status }) => status === "rejected")).toMatchObject({ reason: { code: "REPOSITORY_FOREIGN" } });
  });

  test("is cut at any call, and completed by the next try", async () => {
    const rehearsal = withFault(createMemoryStore());
    await claimRepository(rehearsal, CLUSTER, CLAIM);
    for (let atCall = 1; atCall <= rehearsal.calls; atCall += 1) {
      for (const when of ["before", "after"] as const) {
        store = createMemoryStore();
        const code = await claimRepository(withFault(store, { atCall, when }), CLUSTER, CLAIM).then(
          () => "claimed",
          (error: { code?: string }) => error.code,
        );
        // The probe's second put is to fail: that it failed in another way does not matter.
        expect(["STORE_UNREACHABLE", "claimed"]).toContain(code);
        if (code === "claimed") expect(await requireRepositoryRecord(store)).toMatchObject(CLUSTER);
        expect(await claimRepository(store, CLUSTER, CLAIM)).toMatchObject(CLUSTER);
      }
    }
  });

  test("without the right to look into the bucket fails, instead of taking it for empty", async () => {
    const denied: ObjectStore = {
      ...store,
      stat: async () => Promise.reject(Object.assign(new Error("denied"), { code: "STORE_DENIED" })),
    };
    await expect(claimRepository(denied, CLUSTER, CLAIM)).rejects.toMatchObject({ code: "STORE_DENIED" });
    expect(await keysOf(store)).toEqual([]);
  });

  test("whose store cannot tell what it does with a condition assumes the worst", async () => {
    const blunt: ObjectStore = {
      ...store,
      put: async (key, body, put) => store.put(key, body, put?.ifAbsent === "by-server" ? {} : put),
    };
    expect(await claimRepository(blunt, CLUSTER, CLAIM)).toMatchObject({ conditionalPut: "ignored" });
  });
});

describe("a repository whose record was lost", () => {
  const SAMPLE: ClusterIdentity = { ...CLUSTER, systemIdentifier: "7000000000000000001" };

  /** A bare segment as PostgreSQL 15 begins it. */
  function segment(systemIdentifier: string, index = 1): { readonly key: string; readonly bytes: Buffer } {
    const bytes = Buffer.alloc(8192);
    // XLOG_PAGE_MAGIC, XLP_LONG_HEADER, the timeline and the address of the page.
    bytes.writeUInt16LE(0xd110, 0);
    bytes.writeUInt16LE(0x0002, 2);
    bytes.writeUInt32LE(1, 4);
    bytes.writeBigUInt64LE(BigInt(index * CLUSTER.walSegmentSize), 8);
    bytes.writeBigUInt64LE(BigInt(systemIdentifier), 24);
    bytes.writeUInt32LE(CLUSTER.walSegmentSize, 32);
    bytes.writeUInt32LE(8192, 36);
    return { key: `wal/${formatWalSegment({ timeline: 1, index }, CLUSTER.walSegmentSize)}`, bytes };
  }

  /** The same, with its digest. */
  async function putProved(systemIdentifier: string, index = 1): Promise<string> {
    const { key, bytes } = segment(systemIdentifier, index);
    await putWalFile(store, sourceOf(key.slice("wal/".length), bytes), { codec: "zstd" });
    return `${key}.zst`;
  }

  test("is claimed by the cluster of its backups and its WAL, and by no other", async () => {
    await addBackup(store, { day: 5 });
    const { key, bytes } = segment(SAMPLE.systemIdentifier);
    await store.put(key, bytes);
    await expect(claimRepository(store, CLUSTER, CLAIM)).rejects.toMatchObject({
      code: "REPOSITORY_FOREIGN",
      message: expect.stringMatching(
        /'memory:m\/base\/2025-01-05\/backup\.json' belongs to another cluster: its system identifier is 7000000000000000001/,
      ) as string,
      hint: expect.stringMatching(/Nothing was written/) as string,
    });
    expect(await keysOf(store, "config/")).toEqual([]);
    expect(await claimRepository(store, SAMPLE, CLAIM)).toMatchObject(SAMPLE);
  });

  test("is known by its WAL, behind whatever else is there and cannot be read", async () => {
    await store.put("wal/00000001.history", Buffer.from("x"));
    await store.put("wal/000000010000000000000001.zst", Buffer.from("damaged"));
    const key = await putProved(SAMPLE.systemIdentifier, 2);
    await expect(claimRepository(store, CLUSTER, CLAIM)).rejects.toMatchObject({
      code: "REPOSITORY_FOREIGN",
      message: `'memory:m/${key}' belongs to another cluster: its system identifier is 7000000000000000001, this cluster's is ${CLUSTER.systemIdentifier}`,
    });
    expect(await claimRepository(store, SAMPLE, CLAIM)).toMatchObject(SAMPLE);
  });

  test.each([3, 4, 5, 37])("is known by any segment, though %i of them cannot be read", async (damaged) => {
    for (let index = 1; index <= damaged; index += 1)
      await store.put(segment("1", index).key, Buffer.alloc(index === 1 ? 5 : 8192));
    await putProved(SAMPLE.systemIdentifier, damaged + 1);
    await expect(claimRepository(store, CLUSTER, CLAIM)).rejects.toMatchObject({ code: "REPOSITORY_FOREIGN" });
    expect(await keysOf(store, "config/")).toEqual([]);
    expect(await claimRepository(store, SAMPLE, CLAIM)).toMatchObject(SAMPLE);
  });

  test.each([
    ["system identifier", 24],
    ["WAL segment size", 34],
  ])("is not locked by one flipped bit in the %s of its first bare segment", async (_what, at) => {
    const { key, bytes } = segment(SAMPLE.systemIdentifier);
    await store.put(key, flipped(bytes, at, 0x01));
    // With nothing else there, nobody can tell.
    await expect(claimRepository(store, SAMPLE, CLAIM)).rejects.toMatchObject({ code: "REPOSITORY_DAMAGED" });
    expect(await keysOf(store, "config/")).toEqual([]);
    const second = segment(SAMPLE.systemIdentifier, 2);
    await store.put(second.key, second.bytes);
    expect(await claimRepository(store, SAMPLE, CLAIM)).toMatchObject(SAMPLE);
  });

  test("nor where the digest of a compressed one says otherwise, and a proved backup tells", async () => {
    const { key, bytes } = segment(SAMPLE.systemIdentifier);
    const other = flipped(bytes, 24, 0x01);
    const member = await compressMember("gzip", other);
    const name = key.slice("wal/".length);
    const told = { v: 1 as const, name, size: other.length, members: [member.length], memberSize: other.length };
    const description = formatWalDescription({ ...told, sha256: sha256Hex(bytes) }, "gzip");
    await store.put(`${key}.gz`, Buffer.concat([member, description]));
    await expect(claimRepository(store, SAMPLE, CLAIM)).rejects.toMatchObject({
      code: "REPOSITORY_DAMAGED",
      message: expect.stringContaining("SHA-256 of its plain bytes") as string,
    });
    await addBackup(store, { day: 5 });
    expect(await claimRepository(store, SAMPLE, CLAIM)).toMatchObject(SAMPLE);
  });

  test("of which two bare segments name the same cluster is that cluster's", async () => {
    for (const index of [1, 2]) {
      const { key, bytes } = segment(SAMPLE.systemIdentifier, index);
      await store.put(key, bytes);
    }
    await expect(claimRepository(store, CLUSTER, CLAIM)).rejects.toMatchObject({
      code: "REPOSITORY_FOREIGN",
      message: expect.stringContaining("its system identifier is 7000000000000000001") as string,
    });
    expect(await keysOf(store, "config/")).toEqual([]);
  });

  test("of which nothing can be read is nobody's, and one backup tells though others cannot be read", async () => {
    const nobodys = {
      code: "REPOSITORY_DAMAGED",
      message: expect.stringMatching(/whose repository 'memory:m' is: its record 'config\/.*' is lost/) as string,
      hint: expect.stringMatching(/^Restore 'config\/.*' from an older version.*Nothing was written/) as string,
    };
    for (const index of [1, 2, 3, 4]) await store.put(segment("1", index).key, Buffer.alloc(index === 1 ? 5 : 8192));
    await expect(claimRepository(store, CLUSTER, CLAIM)).rejects.toMatchObject(nobodys);
    await store.put("base/2025-01-04/backup.json", Buffer.from("{}"));
    await expect(claimRepository(store, CLUSTER, CLAIM)).rejects.toMatchObject(nobodys);
    expect(await keysOf(store, "config/")).toEqual([]);
    await addBackup(store, { day: 5 });
    expect(await claimRepository(store, SAMPLE, CLAIM)).toMatchObject(SAMPLE);
  });

  test("is not taken for empty where nobody may look into it", async () => {
    await expect(
      claimRepository(withFault(store, { atCall: 2, when: "before" }), CLUSTER, CLAIM),
    ).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
    expect(await keysOf(store)).toEqual([]);
  });
});
