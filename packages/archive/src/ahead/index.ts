// What a command that PostgreSQL has started for one file stores besides.

export { archiveAhead, type AheadOptions, type AheadOutcome } from "./archive-ahead.ts";
