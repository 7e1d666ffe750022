import { createHash } from "node:crypto";

/** Choices that a seed repeats. */
export interface Dice {
  below(limit: number): number;
  pick<T>(items: readonly T[]): T;
}

export function createDice(seed: string): Dice {
  let rolls = 0;
  const below = (limit: number): number =>
    createHash("sha256").update(`${seed}/${rolls++}`).digest().readUIntBE(0, 6) % Math.max(1, limit);
  return {
    below,
    pick<T>(items: readonly T[]): T {
      const item = items[below(items.length)];
      if (item === undefined) throw new RangeError(`there is nothing to choose from, with seed ${seed}`);
      return item;
    },
  };
}
