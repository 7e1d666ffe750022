import { createHash } from "node:crypto";

/**
 * DeleteObjects must prove its body. The SDK takes CRC32 whatever it is told, which B2, Scality and others refuse, so
 * the proof is replaced by the one that all of them know:
 * https://github.com/aws/aws-sdk-js-v3/blob/main/supplemental-docs/MD5_FALLBACK.md.
 */
export function proveWithMd5(request: unknown): void {
  const { headers, body } = request as { headers: Record<string, string>; body: string };
  for (const name of Object.keys(headers)) {
    if (/^x-amz-(?:checksum-|sdk-checksum-algorithm)/i.test(name)) delete headers[name];
  }
  headers["content-md5"] = createHash("md5").update(body).digest("base64");
}

/**
 * The SDK would hash each stored body once more, with SHA-256, only to sign that digest. Content-MD5 is a signed header: the body
 * is bound to the signature by it, and the provider compares it. botocore decides in the same way (`_should_sha256_sign_payload`).
 */
export function withUnsignedBody<A extends { readonly request: unknown }>(args: A): A {
  (args.request as { headers: Record<string, string> }).headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD";
  return args;
}
