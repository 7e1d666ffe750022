import type { BackupRecord } from "@soar/repository";
import { findWalObjects } from "@soar/repository/wal";
import { expect } from "vitest";
import { type BackupEvent, filesSource, type TakeBackupOptions } from "../src/index.ts";
import type { BackupWorld } from "./backup-world.ts";

const TOLD = ["changes-known", "changes-unknown", "changes-wrong", "left-unread"] as const;

/** What was told of the changes while an incremental was taken. */
export type Told = Extract<BackupEvent, { type: (typeof TOLD)[number] }>;

/** An incremental from files. All that it could leave unread is compared first, unless said otherwise. */
export async function takeIncremental(
  world: BackupWorld,
  label: string,
  overrides: Partial<TakeBackupOptions> = {},
): Promise<{ readonly record: BackupRecord; readonly told: readonly Told[] }> {
  const told: Told[] = [];
  const isTold = (event: BackupEvent): event is Told => TOLD.some((type) => type === event.type);
  const record = await world.take({
    label,
    source: filesSource(world.cluster.connection),
    incremental: { fullEveryMs: 365 * 86_400_000 },
    compareShare: 1,
    onEvent: (event) => void (isTold(event) && told.push(event)),
    ...overrides,
  });
  return { record, told };
}

/** Until the bucket has what the server archived: a server reuses the file of a segment as soon as it is archived. */
export async function delivered({ cluster, store }: BackupWorld): Promise<void> {
  const [row] = await cluster.query<{ name: string }>("select pg_walfile_name(pg_switch_wal() - 1) as name");
  await expect.poll(() => findWalObjects(store, row?.name ?? ""), { timeout: 60_000 }).toHaveLength(1);
}
