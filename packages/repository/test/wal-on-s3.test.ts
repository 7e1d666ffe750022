import { claimRepository } from "@soar/repository";
import {
  findWalObjects,
  listTimelineSegments,
  putWalFile,
  readWalDescription,
  readWalFile,
} from "@soar/repository/wal";
import { countByOperation, type S3Profile } from "@soar-tooling/s3-server";
import { describe, expect, test } from "vitest";
import { openS3World } from "./s3-stores.ts";
import { keysOf, SEGMENT_SIZE, segmentName, sourceOf, sparseSource, walBytes } from "./wal-samples.ts";

const name = segmentName(7);
const bytes = walBytes(1);
const identity = { systemIdentifier: "7000000000000000001", postgresMajor: 15, walSegmentSize: SEGMENT_SIZE };

describe.each<[string, S3Profile]>([
  ["honours conditional puts", "aws"],
  ["refuses conditional puts", "refuses-conditions"],
  ["ignores conditional puts", "ignores-conditions"],
])("on a provider that %s", (_, profile) => {
  test("a segment goes up, is the same a second time, and other bytes are refused", async () => {
    await using world = await openS3World(profile);
    const { store, second } = world;
    expect(await putWalFile(store, sourceOf(name, bytes), { codec: "zstd" })).toMatchObject({ outcome: "archived" });
    expect(await putWalFile(second, sourceOf(name, bytes), { codec: "gzip" })).toMatchObject({
      outcome: "already archived",
    });
    await expect(putWalFile(second, sourceOf(name, walBytes(2)), { codec: "zstd" })).rejects.toMatchObject({
      code: "WAL_CONFLICT",
    });
    const [object] = await findWalObjects(store, name);
    expect(object && (await readWalFile(store, object))).toEqual(bytes);
  });

  test("a lost reply to the put is no conflict with oneself", async () => {
    await using world = await openS3World(profile);
    const lost = world.server.inject({ operation: "PutObject", key: /wal\//, fault: { type: "lost-reply" } });
    const { object } = await putWalFile(world.store, sourceOf(name, bytes), { codec: "zstd" });
    expect(lost.hits).toBe(1);
    expect(await readWalFile(world.second, object)).toEqual(bytes);
    expect(await keysOf(world.store, "wal/")).toHaveLength(1);
  });

  test("a body that was cut on its way in is never called archived", async () => {
    await using world = await openS3World(profile);
    world.server.inject({
      operation: "PutObject",
      key: /wal\//,
      times: "always",
      fault: { type: "short-write", keepBytes: 100 },
    });
    await expect(
      putWalFile(world.store, sourceOf(name, bytes), { codec: "zstd", signal: AbortSignal.timeout(10_000) }),
    ).rejects.toMatchObject({ name: "SoarError" });
  });

  test("two first writers claim the repository for one cluster, and both are told the same", async () => {
    await using world = await openS3World(profile);
    const claim = (store: typeof world.store, toolVersion: string) =>
      claimRepository(store, identity, { toolVersion, now: new Date("2025-01-05T02:00:00Z") });
    const [one, other] = await Promise.all([claim(world.store, "one 1.0"), claim(world.second, "other 1.0")]);
    const expected = { aws: "honoured", "refuses-conditions": "refused" }[profile as string] ?? "ignored";
    expect(one).toMatchObject({ ...identity, conditionalPut: expected });
    expect({ ...other, createdBy: "" }).toEqual({ ...one, createdBy: "" });
    expect(await keysOf(world.store)).toEqual(["config/backup-config.json"]);
  });
});

test("where the provider decides, of two writers with other bytes exactly one is told that its bytes are there", async () => {
  await using world = await openS3World("aws");
  for (let round = 0; round < 10; round += 1) {
    const segment = segmentName(round);
    const results = await Promise.allSettled(
      [world.store, world.second].map((store, seed) =>
        putWalFile(store, sourceOf(segment, walBytes(seed)), { codec: "zstd" }),
      ),
    );
    const codes = results.map((result) =>
      result.status === "fulfilled" ? result.value.outcome : String((result.reason as { code?: string }).code),
    );
    expect(codes.sort()).toEqual(["WAL_CONFLICT", "archived"]);
    const winner = results.findIndex(({ status }) => status === "fulfilled");
    const [object] = await findWalObjects(world.store, segment);
    expect(object && (await readWalFile(world.store, object))).toEqual(walBytes(winner));
  }
});

test("a segment above 64 MiB goes up in parts and comes back from its ranges", async () => {
  await using world = await openS3World("aws");
  const source = sparseSource(name, 72 * 1024 * 1024);
  const { object } = await putWalFile(world.store, source, { codec: "none" });
  expect(countByOperation(world.server.requests)).toMatchObject({
    CreateMultipartUpload: 1,
    CompleteMultipartUpload: 1,
  });
  expect(await putWalFile(world.second, source, { codec: "zstd" })).toEqual({ outcome: "already archived", object });
});

test("one of many segments costs one small request, and a listing begins where it is needed", async () => {
  await using world = await openS3World("aws");
  const { store, server } = world;
  const names = [1, 2, 3].flatMap((timeline) => Array.from({ length: 60 }, (_, index) => segmentName(index, timeline)));
  await Promise.all(names.map((segment) => store.put(`wal/${segment}.zst`, Buffer.of(1))));
  const { object } = await putWalFile(store, sourceOf(segmentName(60, 3), bytes), { codec: "zstd" });
  server.requests.splice(0);
  expect((await readWalDescription(store, object)).description.name).toBe(object.name);
  const { segments } = await listTimelineSegments(store, 2, SEGMENT_SIZE, { fromIndex: 56 });
  expect([...segments.keys()]).toEqual([56, 57, 58, 59]);
  expect(countByOperation(server.requests)).toEqual({ GetObject: 1, ListObjectsV2: 1 });
});
