import { SoarError } from "@soar/errors";
import { checkWalSegmentHeader } from "@soar/pg-tools/wal-records";
import type { WalObject } from "@soar/repository/wal";

/** What every segment of a cluster says of it in its first page. */
export interface ClusterOfWal {
  readonly systemIdentifier: string;
  readonly segmentSize: number;
}

/** Passes the bytes on and rejects at the end unless they were exactly one segment of this cluster. */
export async function* checkSegment(
  pieces: AsyncIterable<Buffer>,
  cluster: ClusterOfWal,
  object: Pick<WalObject, "name" | "key">,
): AsyncGenerator<Buffer> {
  let size = 0;
  let head = Buffer.alloc(0);
  for await (const piece of pieces) {
    if (head.length < 64) head = Buffer.concat([head, piece.subarray(0, 64)]);
    size += piece.length;
    yield piece;
  }
  const header = checkWalSegmentHeader(head, { name: object.name, fileSize: size });
  if (String(header.systemIdentifier) === cluster.systemIdentifier && header.segmentSize === cluster.segmentSize)
    return;
  throw new SoarError(
    "REPOSITORY_DAMAGED",
    `'${object.key}' is a segment of another cluster: its system identifier is ${header.systemIdentifier}`,
    {
      hint: "Restore an older version of the object from the bucket or from a copy.",
    },
  );
}
