import { readBlobs } from "./blob.ts";
import { currentVersion, type Bucket, type ObjectVersion } from "./bucket.ts";

/** An object as it lies in the server, seen from behind the protocol. */
export interface StoredTestObject {
  readonly key: string;
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
  readonly storageClass: string;
  readonly modifiedAt: Date;
  readonly headers: Readonly<Record<string, string>>;
  readonly encryption: Readonly<Record<string, string>>;
  read(): Promise<Buffer>;
}

export function objectsOf(bucket: Bucket): Map<string, StoredTestObject> {
  return new Map(
    bucket.keys.flatMap((key) => {
      const version = currentVersion(bucket, key);
      return version === undefined ? [] : [[key, describe(version)]];
    }),
  );
}

function describe(version: ObjectVersion): StoredTestObject {
  const { key, size, etag, facts } = version;
  return {
    key,
    size,
    etag,
    storageClass: facts.storageClass,
    headers: facts.headers,
    encryption: facts.encryption,
    modifiedAt: new Date(version.modifiedAt),
    async read() {
      const chunks: Uint8Array[] = [];
      for await (const chunk of readBlobs(version.blobs, 0, size)) chunks.push(chunk);
      return Buffer.concat(chunks);
    },
  };
}
