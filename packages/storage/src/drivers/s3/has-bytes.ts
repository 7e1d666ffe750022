import { createHash } from "node:crypto";
import type { S3Context } from "./context.ts";
import { getS3 } from "./get.ts";

/**
 * Whether an object holds the bytes with this MD5, by reading it: where the mark of a write and that of what is there afterwards
 * differ, as some servers and proxies in front of them have it, only the bytes tell one's own object from another writer's.
 */
export async function hasBytes(
  context: S3Context,
  key: string,
  md5Hex: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const hash = createHash("md5");
  for await (const chunk of await getS3(context, key, { signal })) hash.update(chunk);
  return hash.digest("hex") === md5Hex;
}
