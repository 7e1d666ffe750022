import { type ObjectStore, openStore, readObject } from "@soar/storage";
import type { SoarWorld } from "./soar-world.ts";

function storeOf({ settings, s3 }: SoarWorld): ObjectStore {
  return openStore({
    url: settings["BACKUP_BUCKET"] ?? "",
    endpoint: s3.endpoint,
    region: s3.region,
    pathStyle: true,
    credentials: s3,
  });
}

/** Everything of one backup. */
export async function removeBackup(world: SoarWorld, label: string): Promise<void> {
  const store = storeOf(world);
  for await (const { key } of store.list(`base/${label}/`)) await store.remove([key]);
  await store.close();
}

/** The same backup once more, as one that was taken months ago. */
export async function copyAsOld(world: SoarWorld, label: string, oldLabel: string): Promise<void> {
  const store = storeOf(world);
  for await (const { key } of store.list(`base/${label}/`)) {
    const name = key.slice(`base/${label}/`.length);
    const body = await readObject(store, key);
    const at = `${oldLabel}T00:00:00.000Z`;
    // Without its digest, which would be another one.
    const record = () =>
      Buffer.from(
        JSON.stringify({
          ...(JSON.parse(body.toString()) as object),
          label: oldLabel,
          startedAt: at,
          stoppedAt: at,
          deadline: at,
          digest: undefined,
        }),
      );
    await store.put(`base/${oldLabel}/${name}`, /^(?:backup|started)\.json$/.test(name) ? record() : body);
  }
  await store.close();
}
