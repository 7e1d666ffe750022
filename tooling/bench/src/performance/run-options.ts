import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import type { PeerPaths } from "./peers/find-peers.ts";

export interface RunOptions {
  /** Sizes of the database, ascending. */
  readonly gigabytes: readonly number[];
  readonly runs: number;
  readonly segments: number;
  readonly jobs: number;
  readonly withPeers: boolean;
  readonly paths: PeerPaths;
  /** How many gigabytes of each synthetic stream really run; 0 leaves these out. */
  readonly synthetic: number;
  /** Where the JSON goes; undefined: a temporary file. */
  readonly json: string | undefined;
}

/** The size of the database that is measured for comparison, when nothing else is said. */
const SIZES = "1,3";

/** Reads the options of `npm run bench -- performance`. Throws a TypeError that says what is wrong. */
export function parseOptions(args: readonly string[]): RunOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      sizes: { type: "string", default: SIZES },
      runs: { type: "string", default: "3" },
      segments: { type: "string", default: "100" },
      jobs: { type: "string", default: String(availableParallelism()) },
      peers: { type: "boolean", default: false },
      pgbackrest: { type: "string" },
      "wal-g": { type: "string" },
      barman: { type: "string" },
      synthetic: { type: "string", default: "8" },
      json: { type: "string" },
    },
  });
  return {
    gigabytes: values.sizes
      .split(",")
      .map((size) => toNumber("sizes", size))
      .sort((left, right) => left - right),
    runs: Math.max(1, toNumber("runs", values.runs)),
    segments: toNumber("segments", values.segments),
    jobs: Math.max(1, toNumber("jobs", values.jobs)),
    withPeers: values.peers,
    paths: { pgbackrest: values.pgbackrest, "wal-g": values["wal-g"], barman: values.barman },
    synthetic: toNumber("synthetic", values.synthetic),
    json: values.json,
  };
}

function toNumber(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value < 0)
    throw new TypeError(`--${name} is '${text}', not a number`);
  return value;
}
