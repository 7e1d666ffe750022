/** Runs `work` for every item, at most `limit` at once; rejects with the first failure once those under way have ended. */
export async function forEachAtOnce<T>(
  items: Iterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const lane = async (): Promise<void> => {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) await work(next.value);
  };
  const outcomes = await Promise.allSettled(Array.from({ length: Math.max(1, limit) }, lane));
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}
