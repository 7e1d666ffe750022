import { listBackupRecords } from "@soar/repository";
import type { ObjectStore } from "@soar/storage";
import { expect } from "vitest";

const END_OF_TIME = new Date("9999-12-31T00:00:00Z");

/** Nothing that any command takes for a backup, and no parts that cost money. */
export async function expectNoBackup(store: ObjectStore, when = ""): Promise<void> {
  expect(await listBackupRecords(store), when).toEqual([]);
  expect(await store.abortStaleUploads("base/", END_OF_TIME), when).toEqual([]);
}
