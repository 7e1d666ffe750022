// What servers differ in beyond their documented limits, and how it is found out.

export { abortUpload, abortWithin } from "./give-back.ts";
export { probeConditionalPut } from "./probe-conditional-put.ts";
export { probeMaxParts, proveMaxParts } from "./probe-max-parts.ts";
export { probeServer, type ProbedHabits } from "./probe-server.ts";
export type { HabitName, LearnedHabit, RecalledHabits, ServerHabits } from "./server-habits.ts";
