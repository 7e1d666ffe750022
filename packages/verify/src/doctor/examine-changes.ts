import type { RepositoryRecord } from "@soar/repository";
import type { ProbedHabits, RecalledHabits } from "@soar/storage/probes";
import type { Notes } from "./examination.ts";

/** What a repository remembers of its provider is believed by every command, unless the configuration says otherwise. */
export function examineChanges(
  { conditionalPut, habits }: Pick<RepositoryRecord, "conditionalPut" | "habits">,
  { probed, configured = {} }: { readonly probed: ProbedHabits; readonly configured?: RecalledHabits | undefined },
  notes: Notes,
): void {
  const set: Readonly<Record<string, string | number | undefined>> = configured;
  const then: Readonly<Record<string, string | number | undefined>> = { ...habits, conditionalPut };
  for (const [habit, now] of Object.entries(probed)) {
    const was = then[habit];
    if (was === undefined || was === now || set[habit] === now) continue;
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
  if (habit === "maxParts" && Number(now) < Number(was))
    return {
      isWorse: true,
      advice: `Set BACKUP_MAX_PARTS=${String(now)}: an upload that is planned for more parts is refused after most of it has travelled. One that may need more than 1,000 asks before it begins, others rely on the number of then.`,
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
