import { isRoot, readTextIfPresent } from "@soar/durable-files";
import type { SqlConnection } from "@soar/pg-tools/replication";

/**
 * The groups of the user that runs the server, as this machine sees the process at the other end: what they may read belongs into a
 * backup, as a key of `ssl-cert`. None where that process is not of this user, or cannot be seen; nobody but root needs to know.
 */
export async function readServerGroups(sql: SqlConnection, uid: number): Promise<readonly number[]> {
  if (!isRoot()) return [];
  const [row] = await sql.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  const status = await readTextIfPresent(`/proc/${row?.pid ?? 0}/status`);
  return status === undefined ? [] : parseGroups(status, uid);
}

/** From `/proc/PID/status` (proc_pid_status(5)); a program that runs with the rights of two users says nothing about either. */
export function parseGroups(status: string, uid: number): readonly number[] {
  const numbers = (name: string): number[] =>
    (new RegExp(`^${name}:(.*)$`, "m").exec(status)?.[1] ?? "").split(/\s+/).filter(Boolean).map(Number);
  const uids = numbers("Uid");
  return uids.length > 0 && uids.every((one) => one === uid) ? numbers("Groups") : [];
}
