import { createS3TestClient, type S3TestClient } from "./s3-test-client.ts";
import { startS3Server, type S3ServerOptions, type S3TestServer } from "./start-s3-server.ts";

export interface ServerForTest extends AsyncDisposable {
  readonly server: S3TestServer;
  readonly client: S3TestClient;
  /** A client with other credentials. */
  clientFor(credential: {
    accessKeyId: string;
    secretAccessKey: string;
    sessionToken?: string;
    region?: string;
  }): S3TestClient;
}

/** A server and a client, closed at the end of the block that holds them with `await using`. */
export async function openServerForTest(options: S3ServerOptions = {}): Promise<ServerForTest> {
  const server = await startS3Server(options);
  const clients: S3TestClient[] = [];
  const open = (credential: Parameters<ServerForTest["clientFor"]>[0]): S3TestClient => {
    const { endpoint, region, bucket, caPem } = server;
    const client = createS3TestClient({ endpoint, region, bucket, caPem, ...credential });
    clients.push(client);
    return client;
  };
  return {
    server,
    client: open({ accessKeyId: server.accessKeyId, secretAccessKey: server.secretAccessKey }),
    clientFor: open,
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.close();
      await server.close();
    },
  };
}
