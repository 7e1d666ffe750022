import type { HabitName, ServerHabits } from "../../server-habits.ts";
import type { HabitBook } from "./habit-book.ts";
import { S3Failure } from "./wire.ts";

/** Two ways to do one thing, of which some servers refuse the first. */
export interface TwoWays<N extends HabitName> {
  readonly habit: N;
  /** What is tried after a refusal. */
  readonly other: ServerHabits[N];
  /** Whether a failure may be a refusal of the first way. */
  readonly isRefusal: (error: S3Failure) => boolean;
  /** Asked when the other way has worked: false where something else may have been the reason. */
  readonly isProved?: () => boolean;
}

/**
 * Does something the way that this server is known to take. After a refusal it is done once the other way; when that
 * worked it is remembered and told of, so that the next call begins with it. When the other way is refused too, the
 * first refusal is what the caller hears.
 */
export async function eitherWay<N extends HabitName, T>(
  book: HabitBook,
  { habit, other, isRefusal, isProved = () => true }: TwoWays<N>,
  run: (way: ServerHabits[N]) => Promise<T>,
): Promise<T> {
  const way = book.now[habit];
  try {
    return await run(way);
  } catch (refusal) {
    if (way === other || !(refusal instanceof S3Failure) || !isRefusal(refusal)) throw refusal;
    const learn = (): void => void (isProved() && book.learn(habit, other, refusal.message));
    try {
      const result = await run(other);
      learn();
      return result;
    } catch (error) {
      if (!(error instanceof S3Failure)) throw error;
      if (isRefusal(error)) throw triedOtherwise(refusal, habit);
      // Judged by what is stored there: the manner was right.
      if ([404, 409, 412].includes(error.facts.status ?? 0)) learn();
      throw error;
    }
  }
}

function triedOtherwise({ message, facts }: S3Failure, habit: HabitName): S3Failure {
  return new S3Failure(message, { ...facts, triedOtherwise: [...(facts.triedOtherwise ?? []), habit] });
}
