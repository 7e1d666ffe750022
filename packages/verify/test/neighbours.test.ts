import { claimRepository, CONFIG_KEY } from "@soar/repository";
import { withPrefix } from "@soar/storage";
import { fillSampleRepository } from "@soar-tooling/sample-repository";
import { describe, expect, test } from "vitest";
import { error, QUICK, useSampleRepository, warning } from "./sample-repository.fixture.ts";

const { repository, find } = useSampleRepository();
const look = () => find({ depth: QUICK });
const cluster = { systemIdentifier: "7551234567890123457", postgresMajor: 15, walSegmentSize: 16 * 1024 * 1024 };

describe("one bucket, a cluster at its root", () => {
  test("and others under prefixes: their objects are no strays", async () => {
    await fillSampleRepository(withPrefix(repository.store, "cluster2"));
    // Before its first backup, deeper, under a name that begins as another's, and of a newer format.
    const claim = { toolVersion: "x", now: new Date("2025-01-06T03:00:00Z") };
    await claimRepository(withPrefix(repository.store, "sites/berlin"), cluster, claim);
    await claimRepository(withPrefix(repository.store, "cluster20"), cluster, claim);
    await repository.store.put(`newer/${CONFIG_KEY}`, Buffer.from('{"format": 2}'));
    await repository.store.put("newer/something/else", Buffer.from("x"));
    expect(await look()).toEqual([]);
  });

  test("and objects of nobody: they are told, also where their prefix looks like a neighbour's", async () => {
    await fillSampleRepository(withPrefix(repository.store, "cluster2"));
    const strays = ["cluster2-notes.txt", "cluster2.old/wal/x", `fake/${CONFIG_KEY}`, "fake/wal/x"];
    for (const key of strays) await repository.store.put(key, Buffer.from("{}"));
    expect(await look()).toEqual(strays.map((key) => warning("object-stray", key)));
  });

  test("and another one in the way of its own listings: that stays an error", async () => {
    await repository.store.put(`wal/cluster2/${CONFIG_KEY}`, Buffer.from('{"format": 2}'));
    expect(await look()).toEqual([error("object-stray", `wal/cluster2/${CONFIG_KEY}`)]);
  });
});
