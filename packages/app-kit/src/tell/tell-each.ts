import { isSoarError, SoarError } from "@soar/errors";

/**
 * Tells an outcome in every way that there is, one after the other: mail that works must not be silenced by a metrics file that
 * cannot be written, nor the other way round. Rejects with the first failure when all were tried, which names the others; with
 * anything but a `SoarError` at once.
 */
export async function tellEach(...ways: readonly (() => Promise<void>)[]): Promise<void> {
  const failures: SoarError[] = [];
  for (const way of ways) {
    try {
      await way();
    } catch (error) {
      if (!isSoarError(error)) throw error;
      failures.push(error);
    }
  }
  const [first, ...others] = failures;
  if (first === undefined) return;
  if (others.length === 0) throw first;
  throw new SoarError(first.code, failures.map(({ message }) => message).join("; "), {
    hint: [...new Set(failures.flatMap(({ hint }) => hint ?? []))].join(" "),
    cause: first,
  });
}
