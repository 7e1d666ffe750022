import { createHash } from "node:crypto";
import type { Provider } from "../../providers.ts";
import type { WireStored } from "./wire.ts";

/** What the server's mark says about the bytes that it stored. */
export type EtagVerdict = "same" | "other" | "unknown";

export interface BodyDigest {
  /** For the `Content-MD5` header: the server compares it, and buckets with Object Lock demand it. */
  readonly base64: string;
  readonly hex: string;
}

/** MD5, because it is the one digest that every provider checks and returns. It guards against damage, not attackers. */
export function digestBody(body: Uint8Array): BodyDigest {
  const digest = createHash("md5").update(body).digest();
  return { base64: digest.toString("base64"), hex: digest.toString("hex") };
}

/** ETag of an upload in parts, as S3 computes it: MD5 over the parts' MD5s, and their number. */
export function multipartEtag(partMd5s: readonly string[]): string {
  const digest = createHash("md5").update(Buffer.from(partMd5s.join(""), "hex"));
  return `${digest.digest("hex")}-${partMd5s.length}`;
}

/**
 * Compares the mark of a stored body with its MD5. Equal is proof. Other is only a fault where marks are MD5s: at
 * providers that document it, and not with KMS or customer keys.
 */
export function judgeEtag(stored: WireStored, md5Hex: string, provider: Pick<Provider, "md5Etags">): EtagVerdict {
  if (stored.etag === md5Hex) return "same";
  const isMd5 = provider.md5Etags && /^[0-9a-f]{32}$/.test(stored.etag ?? "");
  return isMd5 && (stored.encryption === undefined || stored.encryption === "AES256") ? "other" : "unknown";
}
