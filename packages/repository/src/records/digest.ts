import { createHash } from "node:crypto";
import { SoarError } from "@soar/errors";

/** SHA-256 as lower-case hexadecimal text. */
export function sha256Hex(...parts: readonly Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

/** Throws `REPOSITORY_DAMAGED` naming the object unless size and SHA-256 are as recorded. */
export function requireDigest(
  bytes: Uint8Array,
  expected: { readonly size: number; readonly sha256: string },
  where: string,
): void {
  const fact =
    bytes.length === expected.size
      ? sha256Hex(bytes) === expected.sha256
        ? undefined
        : "its SHA-256 is not the recorded one"
      : `it has ${bytes.length} bytes, ${expected.size} were recorded`;
  if (fact === undefined) return;
  throw new SoarError("REPOSITORY_DAMAGED", `'${where}' is damaged: ${fact}`, {
    hint: "Restore the object from an older version in the bucket or from a copy; soar-backup-verify lists what else is affected.",
  });
}
