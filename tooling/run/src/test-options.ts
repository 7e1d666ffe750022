import { parseArgs } from "node:util";

/** How `npm test` is run. */
export interface TestOptions {
  /** The only major of PostgreSQL that tests are to see. */
  readonly major?: number;
}

/** Reads `--major 19`. Undefined for anything else. */
export function readTestOptions(args: readonly string[]): TestOptions | undefined {
  try {
    const { major } = parseArgs({ args: [...args], options: { major: { type: "string" } } }).values;
    if (major === undefined) return {};
    return /^[1-9]\d$/.test(major) ? { major: Number(major) } : undefined;
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
