import type { RepositoryRecord } from "@soar/repository";
import type { ProbedHabits } from "@soar/storage/probes";
import type { Notes } from "./examination.ts";

/** What a repository remembers of its provider is believed by every command. */
export function examineChanges(
  { conditionalPut, habits }: Pick<RepositoryRecord, "conditionalPut" | "habits">,
  probed: ProbedHabits,
  notes: Notes,
): void {
  const then: Readonly<Record<string, string | number | undefined>> = { ...habits, conditionalPut };
  for (const [habit, now] of Object.entries(probed)) {
    const was = then[habit];
    if (was === undefined || was === now) continue;
    const { isWorse, advice } = whatToDo(habit, was, now);
    notes[isWorse ? "error" : "notice"](
      "provider-changed",
      `the provider's ${habit} was ${was} when the repository was made, and is ${now} now`,
      advice,
    );
  }
}

/** Answers by which nothing is looked at before and after a put. */
const SAFE: ReadonlySet<unknown> = new Set(["honoured", "yes"]);

function whatToDo(habit: string, was: unknown, now: unknown): { readonly isWorse: boolean; readonly advice: string } {
  if (habit === "listingOrder" && now === "other")
    return {
      isWorse: true,
      advice:
        "Set BACKUP_LISTING_ORDER=other: commands rely on the order of then, and end where a listing contradicts it.",
    };
  if (SAFE.has(was) && !SAFE.has(now))
    return {
      isWorse: true,
      advice:
        "Commands rely on what it was then, and two writers would not be found out any more: ask the provider; until then let only one host write.",
    };
  return {
    isWorse: false,
    advice: "Nothing has to be done: what is remembered is the answer of then, and both are handled.",
  };
}
