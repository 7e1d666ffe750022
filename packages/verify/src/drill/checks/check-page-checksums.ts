import { join } from "node:path";
import { stopCluster } from "@soar/pg-tools/cluster";
import { complaintOf, runProgram } from "@soar/programs";
import { hasProgram, type CheckResult, type DrillServer } from "./drill-server.ts";

/** Reads every page of the stopped cluster, if pages have checksums at all. Stops the server for it and leaves it so. */
export async function checkPageChecksums(
  { scratch: { binDir, directory }, owner, signal }: DrillServer,
  { dataChecksums }: { readonly dataChecksums: boolean },
): Promise<CheckResult> {
  const { dataDir } = directory;
  if (!dataChecksums) return { outcome: "skipped", detail: "the cluster has no data checksums" };
  if (!(await hasProgram(binDir, "pg_checksums")))
    return { outcome: "skipped", detail: `pg_checksums is not in '${binDir}'` };
  await stopCluster({ dataDir, mode: "fast", signal });
  const result = await runProgram(join(binDir, "pg_checksums"), ["--check", "-D", dataDir], {
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
    owner,
    signal,
  });
  const blocks = /Blocks scanned:\s+(\d+)/.exec(result.stdout)?.[1] ?? "all";
  if (result.status === 0) return { outcome: "passed", detail: `${blocks} pages have the checksum that they say` };
  const damaged = result.stderr.split("\n").filter((line) => line.includes("checksum verification failed"));
  const [first] = damaged;
  const detail =
    first === undefined
      ? complaintOf(result)
      : `${damaged.length} pages have another checksum than they say, the first: ${first.replace(/^pg_checksums: (?:error: )?/, "").replaceAll(`${dataDir}/`, "")}`;
  return { outcome: "failed", detail, output: result.output };
}
