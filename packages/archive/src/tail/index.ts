// The unfinished segment, shipped piece by piece.

export { runTailShipper } from "./run-tail-shipper.ts";
export type { TailOptions } from "./tail-options.ts";
export type { TailEvent } from "./tail-event.ts";
export { isQueueBeyond, type TailPlace } from "./archive-continuity.ts";
export { createTailCleaner, type TailCleaner, type TailRefusal, type TailCleanerOptions } from "./tail-cleaner.ts";
