import type { TestCluster } from "@soar-tooling/postgres-clusters";
import { formatLsn, parseLsn } from "../src/index.ts";

/** A line of pg_waldump. */
export interface DumpedRecord {
  readonly lsn: bigint;
  /** Normal form of what it says about a record of a decoded type: times in microseconds since the Unix epoch. */
  readonly description: string | undefined;
}

const LINE = /^rmgr: (\S+) .*?, tx: +(\d+), lsn: ([0-9A-F/]+), prev [0-9A-F/]+, desc: (.*)$/;

/** Runs pg_waldump over these segments, which must be valid to their end. */
export async function readWalDump(cluster: TestCluster, names: readonly string[]): Promise<readonly DumpedRecord[]> {
  const { stdout } = await cluster.runProgram(
    "pg_waldump",
    ["-p", `${cluster.dataDir}/pg_wal`, names[0] ?? "", names.at(-1) ?? ""],
    { env: { TZ: "UTC" } },
  );
  return stdout.split("\n").flatMap((line) => {
    const [, rmgr, xid, lsn, text] = LINE.exec(line) ?? [];
    if (rmgr === undefined || xid === undefined || lsn === undefined || text === undefined) return [];
    return [{ lsn: parseLsn(lsn), description: describe(rmgr, xid, text) }];
  });
}

function describe(rmgr: string, xid: string, text: string): string | undefined {
  const [, type = "", rest = ""] = /^(\S+) ?(.*)$/.exec(text) ?? [];
  if (rmgr === "XLOG") {
    if (type.startsWith("CHECKPOINT_")) {
      const [, redo, timelines = ""] = /^\S+ redo ([0-9A-F/]+)(; tli \d+; prev tli \d+)/.exec(text) ?? [];
      // From PostgreSQL 19 on with zeros; CHECKPOINT_REDO, from 17 on, has none.
      return redo && `${type} redo ${formatLsn(parseLsn(redo))}${timelines}`;
    }
    return ["RESTORE_POINT", "PARAMETER_CHANGE", "SWITCH"].includes(type) ? text.trimEnd() : undefined;
  }
  if (rmgr !== "Transaction" || ["ASSIGNMENT", "INVALIDATION"].includes(type)) return undefined;
  const [, id, time] = /^((?:gid .*?|\d+): )?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} UTC)/.exec(rest) ?? [];
  return `${type} ${id ?? `${xid} `}${microseconds(time ?? "")}`;
}

function microseconds(text: string): bigint {
  const [, seconds = "", fraction = ""] = /^(.*)\.(\d{6}) UTC$/.exec(text) ?? [];
  return BigInt(Date.parse(`${seconds.replace(" ", "T")}Z`)) * 1000n + BigInt(fraction);
}
