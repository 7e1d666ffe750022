import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { ObjectStore, StoreConfig } from "@soar/storage";
import { resolveS3Settings } from "../src/drivers/s3/settings.ts";
import { createS3Store } from "../src/drivers/s3/s3-store.ts";

export interface ScriptedReply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Does what a reply cannot say, instead of it. */
  readonly act?: (request: IncomingMessage, response: ServerResponse) => void;
}

export interface ScriptedStore extends AsyncDisposable {
  readonly store: ObjectStore;
  readonly endpoint: string;
  /** Method and URL of each request, in order. */
  readonly requests: string[];
}

/** A server that gives exactly these answers, one after the other, and the driver on it. For answers that no real server gives. */
export async function openScripted(
  replies: readonly ScriptedReply[],
  config: Partial<StoreConfig> = {},
): Promise<ScriptedStore> {
  const rest = [...replies];
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method ?? ""} ${request.url ?? ""}`);
    request.resume();
    request.on("end", () => {
      const {
        status = 200,
        headers = {},
        body = "",
        act,
      } = rest.shift() ?? { status: 599, body: "the script has ended" };
      if (act !== undefined) act(request, response);
      else response.writeHead(status, { "content-length": String(Buffer.byteLength(body)), ...headers }).end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const full: StoreConfig = {
    url: "s3://bucket",
    endpoint,
    credentials: { accessKeyId: "k", secretAccessKey: "s" },
    ...config,
  };
  const store = createS3Store({ settings: resolveS3Settings(full, "bucket"), habits: full.habits, memory: new Map() });
  return {
    store,
    endpoint,
    requests,
    async [Symbol.asyncDispose]() {
      await store.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export function errorReply(status: number, code: string, message = "a message", more = ""): ScriptedReply {
  return {
    status,
    body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message>${more}</Error>`,
  };
}

/** A page of a listing; `extra` is XML that goes into it. */
export function pageReply(keys: readonly string[], extra = "<IsTruncated>false</IsTruncated>"): ScriptedReply {
  const contents = keys.map(
    (key) =>
      `<Contents><Key>${key}</Key><LastModified>2025-01-05T12:00:00.000Z</LastModified><ETag>&quot;x&quot;</ETag><Size>3</Size></Contents>`,
  );
  return {
    body: `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name>${contents.join("")}${extra}</ListBucketResult>`,
  };
}
