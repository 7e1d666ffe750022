import { createHash } from "node:crypto";

/** Makes a request of the SDK prove the body that it sends by its MD5, which every provider compares. */
export function proveBody(commandName: string | undefined, request: unknown): void {
  if (commandName === "DeleteObjectsCommand") proveWithMd5(request);
  if (commandName === "PutObjectCommand" || commandName === "UploadPartCommand") signMd5Instead(request);
}

/**
 * DeleteObjects must prove its body. The SDK takes CRC32 whatever it is told, which B2, Scality and others refuse, so
 * the proof is replaced by the one that all of them know:
 * https://github.com/aws/aws-sdk-js-v3/blob/main/supplemental-docs/MD5_FALLBACK.md.
 */
function proveWithMd5(request: unknown): void {
  const { headers, body } = request as { headers: Record<string, string>; body: string };
  for (const name of Object.keys(headers)) {
    if (/^x-amz-(?:checksum-|sdk-checksum-algorithm)/i.test(name)) delete headers[name];
  }
  headers["content-md5"] = createHash("md5").update(body).digest("base64");
}

/**
 * The SDK would hash each body once more, with SHA-256, only to sign that digest. Content-MD5 is a signed header: the body
 * is bound to the signature by it, and the provider compares it. botocore decides in the same way (`_should_sha256_sign_payload`).
 */
function signMd5Instead(request: unknown): void {
  const { headers } = request as { headers: Record<string, string> };
  if (Object.keys(headers).some((name) => name.toLowerCase() === "content-md5"))
    headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD";
}
