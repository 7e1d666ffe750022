import type { FindingKind } from "@soar/verify";
import type { Change, Expectation } from "./change.ts";
import { createDice, type Dice } from "./dice.ts";
import { damageBytes, expectationOf, truncate } from "./damage-objects.ts";
import { editManifest, foreignSegment, staleIndex } from "./deceptions.ts";
import { backupObjects, type RepositoryCopy } from "./repository-copy.ts";

/** A damaged repository, and what must be found in it. */
export interface Mutation {
  readonly copy: RepositoryCopy;
  readonly description: string;
  readonly expected: Expectation;
}

type Mutate = (copy: RepositoryCopy, dice: Dice) => Change | Promise<Change>;

export const MUTATIONS: Readonly<Record<string, Mutate>> = {
  "flip a byte": damageBytes,
  truncate,
  delete: (copy, dice) => {
    const key = dice.pick([...backupObjects(copy), ...copy.segments, copy.history]);
    return { objects: new Map([[key, undefined]]), description: `delete ${key}`, expected: missing(key) };
  },
  swap: (copy, dice) => {
    const [one, other] = pickTwo(
      dice.below(2) === 0
        ? copy.segments
        : backupObjects(copy).filter((key) => key.startsWith(`base/${copy.records[1]?.label}/`)),
      dice,
    );
    const objects = new Map([
      [one, copy.objects.get(other)],
      [other, copy.objects.get(one)],
    ]);
    const expected = one.startsWith("wal/")
      ? expectationOf(one)
      : { level: "quick" as const, kinds: SWAPPED, about: [one, other, ...labelsIn(one)] };
    return { objects, description: `swap ${one} and ${other}`, expected };
  },
  rename: (copy, dice) => {
    const key = dice.pick([...backupObjects(copy), ...copy.segments]);
    const renamed = key.startsWith("wal/") ? key.replace(/^wal\/0000000\d/, "wal/00000009") : `${key}.old`;
    return {
      objects: new Map([
        [key, undefined],
        [renamed, copy.objects.get(key)],
      ]),
      description: `rename ${key} to ${renamed}`,
      expected: missing(key),
    };
  },
  "duplicate on another timeline": (copy, dice) => {
    const key = dice.pick(copy.parents);
    const duplicate = key.replace("wal/00000001", "wal/00000002");
    return {
      objects: new Map([[duplicate, copy.objects.get(key)]]),
      description: `copy ${key} to ${duplicate}`,
      expected: { level: "quick", kinds: ["wal-misplaced"], about: [duplicate] },
    };
  },
  "another cluster's segment": foreignSegment,
  "stale index": staleIndex,
  "missing history file": ({ history }) => ({
    objects: new Map([[history, undefined]]),
    description: "no history",
    expected: missing(history),
  }),
  "edited manifest": editManifest,
};

const SWAPPED: readonly FindingKind[] = [
  "object-wrong-size",
  "object-damaged",
  "table-damaged",
  "backup-record-damaged",
];

function labelsIn(key: string): string[] {
  return /^base\/([^/]+)\//.exec(key)?.slice(1) ?? [];
}

function missing(key: string): Expectation {
  if (key.endsWith(".history")) return { level: "quick", kinds: ["history-missing"], about: [key] };
  if (key.startsWith("wal/"))
    return { level: "quick", kinds: ["wal-missing"], about: [key.slice("wal/".length, "wal/".length + 24)] };
  // The first of what looks like a backup that was never finished, the other of one that others refer to.
  if (key.endsWith("/backup.json"))
    return { level: "quick", kinds: ["backup-interrupted", "backup-record-damaged"], about: labelsIn(key) };
  return { level: "quick", kinds: ["object-missing"], about: [key] };
}

function pickTwo(keys: readonly string[], dice: Dice): readonly [string, string] {
  const one = dice.pick(keys);
  return [one, dice.pick(keys.filter((key) => key !== one))];
}

export async function mutate(copy: RepositoryCopy, kind: string, seed: string): Promise<Mutation> {
  const mutation = MUTATIONS[kind];
  if (mutation === undefined) throw new RangeError(`there is no mutation '${kind}'`);
  const { objects, description, expected } = await mutation(copy, createDice(seed));
  const changed = new Map(copy.objects);
  for (const [key, bytes] of objects) {
    if (bytes === undefined) changed.delete(key);
    else changed.set(key, bytes);
  }
  return { copy: { ...copy, objects: changed }, description: `${kind} (${seed}): ${description}`, expected };
}
