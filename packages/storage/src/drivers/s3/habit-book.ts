import {
  describeHabit,
  type HabitName,
  type LearnedHabit,
  type RecalledHabits,
  type ServerHabits,
} from "../../server-habits.ts";
import type { StoreHooks } from "../../store-event.ts";

/**
 * What all stores of this process know about one bucket at one endpoint. What safety rests on is not among it: another
 * server may stand under the same name later, and a store asks for itself or is told by the repository's record.
 */
type SharedHabits = Partial<
  Omit<ServerHabits, "conditionalPut" | "atomicPut" | "conditionalComplete" | "rivalUploads">
>;

/** What is known in this process, by endpoint and bucket. */
export type HabitMemory = Map<string, SharedHabits>;

const PROCESS_MEMORY: HabitMemory = new Map();

const KEPT_TO_ITSELF: readonly HabitName[] = ["conditionalPut", "atomicPut", "conditionalComplete", "rivalUploads"];

/** How one server is spoken to: by default, as it was configured, recalled, or found out. */
export interface HabitBook {
  /** The ways that are known now. */
  readonly now: ServerHabits;
  /** What was found out, the newest of each habit. */
  readonly learned: readonly LearnedHabit[];
  /** Takes over what was found earlier; what is configured or was shown since counts more. */
  readonly recall: (habits: RecalledHabits) => void;
  /** Remembers what the server has shown, and tells of it. */
  readonly learn: <N extends HabitName>(habit: N, way: ServerHabits[N], fact?: string) => void;
  /** Whether the way was configured, or found out by this process, and is not only recalled or the provider's row. */
  readonly isCurrent: (habit: HabitName) => boolean;
}

export interface HabitBookOptions {
  /** Names the server in the memory of the process. */
  readonly server: string;
  /** The provider's row. */
  readonly usual: ServerHabits;
  readonly configured: Partial<ServerHabits> | undefined;
  readonly onEvent: StoreHooks["onEvent"];
  /** The process's unless told. */
  readonly memory?: HabitMemory | undefined;
}

export function createHabitBook(options: HabitBookOptions): HabitBook {
  const { server, usual, onEvent, memory = PROCESS_MEMORY } = options;
  const shared = memory.get(server) ?? {};
  memory.set(server, shared);
  const configured = withoutUndefined(options.configured ?? {});
  const recalled: Partial<ServerHabits> = {};
  const learned = new Map<HabitName, LearnedHabit>();
  const own: Partial<ServerHabits> = {};
  const current = (): Partial<ServerHabits> => ({ ...configured, ...shared, ...own });
  const now = (): ServerHabits => ({ ...usual, ...recalled, ...current() });
  return {
    get now() {
      return now();
    },
    get learned() {
      return [...learned.values()];
    },
    isCurrent: (habit) => current()[habit] !== undefined,
    recall(habits) {
      const { conditionalPut, atomicPut, conditionalComplete } = usual;
      const documented = { conditionalPut, atomicPut, conditionalComplete };
      for (const [habit, way] of Object.entries(withoutUndefined(habits))) {
        const said = documented[habit as keyof typeof documented] ?? "unknown";
        if (said === "unknown") Object.assign(recalled, { [habit]: way });
      }
    },
    learn(habit, way, fact) {
      const isNews = now()[habit] !== way;
      Object.assign(KEPT_TO_ITSELF.includes(habit) ? own : shared, { [habit]: way });
      if (!isNews) return;
      const lesson = { habit, way, fact, text: describeHabit(habit, way) };
      learned.set(habit, lesson);
      onEvent?.({ type: "habit-learned", ...lesson });
    },
  };
}

function withoutUndefined(habits: RecalledHabits): Partial<ServerHabits> {
  return Object.fromEntries(Object.entries(habits).filter(([, way]) => way !== undefined));
}
