import { describe, expect, test } from "vitest";
import { words } from "../../test/block-records.ts";
import { ChangedBlocks } from "./changed-blocks.ts";
import { ChangeCollector } from "./collect-changes.ts";
import { formatChanges } from "./format-changes.ts";
import { parseChanges } from "./parse-changes.ts";
import {
  BLOCKS_PER_UNIT,
  LARGEST_UNIT,
  MOST_COLLECTED,
  MOST_RELATIONS,
  type SegmentChanges,
} from "./segment-changes.ts";

const file = (fileNumber: number) => ({ tablespace: 1663, database: 5, fileNumber });

/** What a collector names after these blocks; what it holds is looked at on the way. */
function collect(blocks: Iterable<readonly [fileNumber: number, block: number]>): SegmentChanges {
  const collector = new ChangeCollector();
  let most = { units: 0, relations: 0 };
  for (const [fileNumber, block] of blocks) {
    collector.block(1663, 5, fileNumber, block);
    const { units, relations } = collector.held;
    if (units > most.units || relations > most.relations) most = { units, relations };
  }
  expect(most.units).toBeLessThan(MOST_COLLECTED);
  expect(most.relations).toBeLessThanOrEqual(MOST_RELATIONS);
  const nothing = Buffer.alloc(0);
  const join = {
    firstPrevious: undefined,
    lastStart: undefined,
    cutStart: undefined,
    cut: nothing,
    continued: nothing,
  };
  return { ...collector.collected(), ...join };
}

/** Numbers below `limit` that nobody can foretell. */
function* random(count: number, limit: number): Generator<number, void, undefined> {
  let state = 1;
  for (let at = 0; at < count; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    yield Math.floor((state / 2 ** 32) * limit);
  }
}

describe("the changes of a segment of 1 GiB are collected in bounded memory", () => {
  test("when a few blocks change again and again", () => {
    const updates = 6 * MOST_COLLECTED;
    const changes = collect(random(updates, 2 * 50_000).map((at) => [16384 + (at % 2), at >> 1] as const));
    expect(changes.blocksPerUnit).toBe(BLOCKS_PER_UNIT);
    const units = Array.from({ length: 50_000 / BLOCKS_PER_UNIT }, (_, unit) => unit);
    expect(changes.relations.map((relation) => relation.units)).toEqual([units, units]);
  });

  test("when more units change than are kept: they are larger, and every block is in one of them", () => {
    const blocks = 10_000_000;
    const changes = collect(random(6 * MOST_COLLECTED, blocks).map((block) => [16384, block] as const));
    expect(changes.blocksPerUnit).toBe(8 * BLOCKS_PER_UNIT);
    const changed = new ChangedBlocks();
    changed.add(parseChanges(formatChanges(changes)), "one");
    let missed = 0;
    for (const block of random(6 * MOST_COLLECTED, blocks))
      if (!changed.mayHaveChanged(file(16384), block, block + 1)) missed += 1;
    expect(missed).toBe(0);
    expect(changed.mayHaveChanged(file(16384), blocks + 1024, blocks + 4096)).toBe(false);
  });

  test("when they lie so far from each other that no unit helps: then each file is said to have changed", () => {
    const blocks = Array.from({ length: MOST_COLLECTED }, (_, at) => [16384, at * 16 * LARGEST_UNIT] as const);
    const { relations, doubts } = collect([[16385, 1], ...blocks, [16384, 7]]);
    expect(doubts).toEqual([]);
    expect(relations).toEqual([
      { ...file(16384), newFrom: 0, units: [] },
      { ...file(16385), newFrom: 0, units: [] },
    ]);
  });

  test("when more relations change than are kept: then it is not known what changed", () => {
    const blocks = Array.from({ length: 1.5 * MOST_RELATIONS }, (_, at) => [16384 + at, 1] as const);
    const changes = collect(blocks);
    expect(changes).toMatchObject({ relations: [], doubts: ["too-many"] });
    const changed = new ChangedBlocks();
    changed.add(changes, "one");
    expect(changed.doubt).toBe("one has changes to more relations than are kept");
  });

  test("when more databases change than are kept", () => {
    const collector = new ChangeCollector();
    const tablespaces = Buffer.concat(Array.from({ length: MOST_RELATIONS + 1 }, (_, at) => words(16384 + at)));
    const data = Buffer.concat([words(8, MOST_RELATIONS + 1), tablespaces]);
    const main = Buffer.concat([Buffer.of(254), words(data.length), data]);
    const body = new DataView(main.buffer, main.byteOffset, main.length);
    collector.add({ rmid: 4, info: 0x20, body, bodyFrom: 0, bodyTo: main.length, bodyLength: main.length });
    expect(collector.collected()).toMatchObject({ databases: [], doubts: ["too-many"] });
  });
});

describe("what changes over many segments is kept in bounded memory", () => {
  const nothing = Buffer.alloc(0);
  const segment = (relations: SegmentChanges["relations"], blocksPerUnit = BLOCKS_PER_UNIT): SegmentChanges => ({
    blocksPerUnit,
    relations,
    databases: [{ tablespace: 1663, database: 7 }],
    doubts: [],
    firstPrevious: undefined,
    lastStart: undefined,
    cutStart: undefined,
    cut: nothing,
    continued: nothing,
  });

  test("whatever many relations change", () => {
    const changed = new ChangedBlocks();
    let most = 0;
    for (let from = 0; from < 3 * MOST_RELATIONS; from += MOST_RELATIONS) {
      const relations = Array.from({ length: MOST_RELATIONS }, (_, at) => ({
        ...file(from + at),
        newFrom: undefined,
        units: [3, 5000],
      }));
      changed.add(segment(relations), "one");
      most = Math.max(most, changed.heldBytes);
    }
    expect(most).toBeLessThanOrEqual(128 * 2 ** 20);
    expect(changed.doubt).toBe("more relations change than can be kept in mind");
    expect(changed.heldBytes).toBe(0);
  });

  test("whatever far blocks are named, and none behind the last that there is", () => {
    const changed = new ChangedBlocks();
    const far = (fileNumber: number) => ({ ...file(fileNumber), newFrom: undefined, units: [2 ** 32 - 1] });
    changed.add(segment([far(1)], LARGEST_UNIT), "one");
    expect(changed.heldBytes).toBeLessThan(64 * 2 ** 20);
    expect(changed.doubt).toBeUndefined();
    for (let fileNumber = 2; fileNumber < 10 && changed.doubt === undefined; fileNumber++)
      changed.add(segment([far(fileNumber)]), "two");
    expect(changed.doubt).toBe("more relations change than can be kept in mind");
  });
});
