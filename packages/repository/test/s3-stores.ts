import { openStore, type ObjectStore } from "@soar/storage";
import { startS3Server, type S3Profile, type S3TestServer } from "@soar-tooling/s3-server";

export interface S3World extends AsyncDisposable {
  readonly server: S3TestServer;
  readonly store: ObjectStore;
  /** Another process's view: it shares nothing with `store` but the bucket. */
  readonly second: ObjectStore;
}

/** A server with the behaviour of a provider, and stores as the programs open them. */
export async function openS3World(profile: S3Profile): Promise<S3World> {
  const server = await startS3Server({ profile });
  const open = () =>
    openStore({
      url: `s3://${server.bucket}/cluster1`,
      endpoint: server.endpoint,
      region: server.region,
      credentials: server,
      retry: { deadlineMs: 20_000, baseDelayMs: 1, maxDelayMs: 5 },
    });
  const [store, second] = [open(), open()];
  return {
    server,
    store,
    second,
    async [Symbol.asyncDispose]() {
      await store.close();
      await second.close();
      await server.close();
    },
  };
}
