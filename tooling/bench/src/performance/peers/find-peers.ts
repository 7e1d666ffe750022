import { spawnSync } from "node:child_process";
import type { TestCluster } from "@soar-tooling/postgres-clusters";
import type { ToolName } from "../document.ts";
import type { Tool } from "../tool.ts";
import { barman } from "./barman.ts";
import { pgBasebackup } from "./pg-basebackup.ts";
import { pgbackrest } from "./pgbackrest.ts";
import { walG } from "./wal-g.ts";

/** Programs of other projects, where they are not on PATH: by option or by environment. */
export interface PeerPaths {
  readonly pgbackrest?: string | undefined;
  readonly "wal-g"?: string | undefined;
  readonly barman?: string | undefined;
}

export interface FoundPeers {
  readonly tools: readonly Tool[];
  /** Names of those that this machine has not. */
  readonly missing: readonly ToolName[];
}

/** Which of the other tools are installed, or named; each is asked for its version, and one that cannot tell it is not there. */
export function findPeers(paths: PeerPaths, { binDir }: Pick<TestCluster, "binDir">): FoundPeers {
  const programs = {
    pgbackrest: paths.pgbackrest ?? process.env["SOAR_BENCH_PGBACKREST"] ?? "pgbackrest",
    "wal-g": paths["wal-g"] ?? process.env["SOAR_BENCH_WAL_G"] ?? "wal-g",
    barman: paths.barman ?? process.env["SOAR_BENCH_BARMAN"] ?? "barman-cloud-backup",
  };
  const makers = [
    ["pgbackrest", programs.pgbackrest, ["version"], pgbackrest],
    ["wal-g", programs["wal-g"], ["--version"], walG],
    ["barman", programs.barman, ["--version"], barman],
    ["pg_basebackup", `${binDir}/pg_basebackup`, ["--version"], (_: string, version: string) => pgBasebackup(version)],
  ] as const;
  const tools: Tool[] = [];
  const missing: ToolName[] = [];
  for (const [name, program, args, make] of makers) {
    const version = versionOf(program, args);
    if (version === undefined) missing.push(name);
    else tools.push(make(program, version));
  }
  return { tools, missing };
}

function versionOf(program: string, args: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync(program, args, { encoding: "utf8" });
  return status === 0 ? /\d+(?:\.\d+)+/.exec(stdout)?.[0] : undefined;
}
