import type { StartedProgram } from "@soar-tooling/test-bench";
import type { SoarWorld } from "./soar-world.ts";
import { waitUntil } from "./wait-until.ts";

/** Starts the resident archiver, which ships the unfinished segment every 200 ms. */
export function startTailShipping(world: SoarWorld): StartedProgram {
  return world.start("soar-wal-archive", ["daemon", "--data-dir", world.cluster.dataDir, "--tail-interval", "200ms"], {
    asServerUser: true,
  });
}

/** Waits until everything that the server has written by now is in the bucket's tail. */
export async function waitForTail(world: SoarWorld): Promise<void> {
  const [{ lsn } = { lsn: "" }] = await world.cluster.query<{ lsn: string }>(
    "SELECT pg_current_wal_insert_lsn()::text AS lsn",
  );
  await waitUntil(`the tail to reach ${lsn}`, () => Promise.resolve(shippedBytes(world) >= offsetInSegment(lsn)));
}

/** How far the newest unfinished segment was shipped, in bytes of the segment. */
function shippedBytes(world: SoarWorld): number {
  const ends = [...world.s3.objects().keys()].flatMap((key) =>
    key.includes("/tail/") ? [Number.parseInt(key.slice(-12, -4), 16)] : [],
  );
  return Math.max(0, ...ends);
}

function offsetInSegment(lsn: string): number {
  return Number.parseInt(lsn.split("/")[1] ?? "0", 16) % (16 * 1024 * 1024);
}
