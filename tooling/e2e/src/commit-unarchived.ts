import { archiveAll, databaseTime } from "./archiving.ts";
import type { SoarWorld } from "./soar-world.ts";
import { waitUntil } from "./wait-until.ts";

/** Rows that `commitUnarchived` commits before its instant, and as many behind it: several segments of 1 MiB each. */
export const UNARCHIVED_ROWS = 60_000;

/** Takes a base backup, and archives what was written since. Rejects with what the program said. */
export async function takeArchivedBackup(world: SoarWorld): Promise<void> {
  const { status, stderr } = await world.run("soar-base-backup", []);
  if (status !== 0) throw new Error(`soar-base-backup ended with ${status}: ${stderr}`);
  await archiveAll(world.cluster);
}

/** Commits rows that no archive command stores, in a server that may be killed then. Resolves to an instant in the middle of them. */
export async function commitUnarchived(
  { cluster }: Pick<SoarWorld, "cluster">,
  insert: (count: number) => Promise<void>,
): Promise<string> {
  await cluster.configure({ archive_command: "/bin/false" });
  await insert(UNARCHIVED_ROWS);
  const instant = await databaseTime(cluster);
  await insert(UNARCHIVED_ROWS);
  const hasFailed = async (): Promise<boolean> => {
    const [row] = await cluster.query<{ failed: boolean | null }>(
      "SELECT last_failed_time > $1::timestamptz AS failed FROM pg_stat_archiver",
      [instant],
    );
    return row?.failed === true;
  };
  // An archive command that was begun before would go on when the server is killed. After three failures the archiver rests for a minute.
  await waitUntil("the archiver to fail", hasFailed, 90_000);
  return instant;
}
