/** Small steps of a linear congruential generator: a failure names its seed. */
export function numbersOf(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) >>> 8;
}
