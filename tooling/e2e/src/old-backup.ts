import { openStore, readObject } from "@soar/storage";
import type { SoarWorld } from "./soar-world.ts";

/** The same backup once more, as one that was taken months ago. */
export async function copyAsOld({ settings, s3 }: SoarWorld, label: string, oldLabel: string): Promise<void> {
  const store = openStore({
    url: settings["BACKUP_BUCKET"] ?? "",
    endpoint: s3.endpoint,
    region: s3.region,
    pathStyle: true,
    credentials: s3,
  });
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
