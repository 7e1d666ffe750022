export { aborted } from "./aborted.ts";
export { TaskPool, type TaskPoolOptions } from "./task-pool.ts";
export { serveTasks, type TaskOutcome } from "./serve-tasks.ts";
export { mapOrdered, type MapOrderedOptions } from "./map-ordered.ts";
export { MemoryBudget, type MemoryShare } from "./memory-budget.ts";
export { free, memoryOf, movable } from "./owned-memory.ts";
