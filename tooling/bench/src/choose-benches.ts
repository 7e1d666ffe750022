/** Each bench is a program of its own and prints its own table. */
const BENCHES: Readonly<Record<string, string>> = {
  codecs: "../../../packages/seekable-tar/bench/codecs.ts",
  "archive-drain": "./archive-drain.ts",
  rpo: "./rpo.ts",
  "base-backup": "./base-backup.ts",
  restore: "./restore.ts",
  replay: "./replay.ts",
  "synthetic-stream": "./synthetic-stream.ts",
  "synthetic-restore": "./synthetic-restore.ts",
  verify: "./verify.ts",
  performance: "./performance.ts",
  plots: "./plots.ts",
};

/** Draws what was measured, and measures nothing. */
const ONLY_BY_NAME = new Set(["plots"]);

export interface ChosenBench {
  readonly name: string;
  readonly path: string;
  readonly args: readonly string[];
}

/**
 * What `npm run bench -- [NAME...] [OPTIONS...]` runs: the named benches, or all; the options are those of `performance`.
 * Throws a TypeError for a name that is none.
 */
export function chooseBenches(args: readonly string[]): ChosenBench[] {
  const firstOption = args.findIndex((word) => word.startsWith("-"));
  const [named, options] = firstOption === -1 ? [args, []] : [args.slice(0, firstOption), args.slice(firstOption)];
  const unknown = named.find((name) => !(name in BENCHES));
  if (unknown !== undefined)
    throw new TypeError(`there is no bench '${unknown}'. There are: ${Object.keys(BENCHES).join(", ")}.`);
  return Object.entries(BENCHES)
    .filter(([name]) => (named.length > 0 ? named.includes(name) : !ONLY_BY_NAME.has(name)))
    .map(([name, path]) => ({ name, path, args: name === "performance" ? options : [] }));
}
