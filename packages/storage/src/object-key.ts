import { SoarError } from "@soar/errors";

/** Longest key that S3 takes, in bytes of UTF-8. */
export const MAX_KEY_BYTES = 1024;

/** Longest name between two slashes, in bytes: what ext4, XFS and MinIO take. */
const MAX_KEY_SEGMENT_BYTES = 255;

/**
 * Refuses keys that some store cannot hold, so that a repository can be copied to any other: empty ones, a leading,
 * trailing or double slash, `.` and `..` as a segment, control characters, lone surrogates, and too long ones.
 * Rejects with `STORE_UNSUPPORTED`.
 */
export function requireKey(key: string): void {
  const fault = findKeyFault(key);
  if (fault === undefined) return;
  throw new SoarError("STORE_UNSUPPORTED", `unable to use the key '${key.toWellFormed()}': ${fault}`, {
    hint: "Use relative keys of plain names and single slashes, for example 'wal/000000010000000000000001.zst'.",
  });
}

/** Like `requireKey` for the beginning of keys: may be empty or end within a name. */
export function requireKeyPrefix(prefix: string): void {
  const fault = findPrefixFault(prefix);
  if (fault === undefined) return;
  throw new SoarError("STORE_UNSUPPORTED", `unable to list the prefix '${prefix.toWellFormed()}': ${fault}`, {
    hint: "Use the beginning of a key, without a leading slash.",
  });
}

function findKeyFault(key: string): string | undefined {
  if (key === "") return "it is empty";
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) return `it is longer than ${MAX_KEY_BYTES} bytes`;
  const segments = key.split("/");
  if (segments.includes("")) return "it has an empty segment (a leading, trailing or double slash)";
  if (segments.some((segment) => segment === "." || segment === "..")) return "'.' and '..' are not allowed in it";
  if (segments.some((segment) => Buffer.byteLength(segment) > MAX_KEY_SEGMENT_BYTES)) {
    return `one of its segments is longer than ${MAX_KEY_SEGMENT_BYTES} bytes`;
  }
  return findCharacterFault(key);
}

function findPrefixFault(prefix: string): string | undefined {
  const directories = prefix.split("/").slice(0, -1);
  if (directories.includes("")) return "it has a leading or double slash";
  if (directories.some((segment) => segment === "." || segment === "..")) return "'.' and '..' are not allowed in it";
  if (Buffer.byteLength(prefix) > MAX_KEY_BYTES) return `it is longer than ${MAX_KEY_BYTES} bytes`;
  return findCharacterFault(prefix);
}

function findCharacterFault(text: string): string | undefined {
  if (!text.isWellFormed()) return "it holds half of a surrogate pair";
  // Control characters are what XML 1.0 cannot carry and what makes a listing unreadable.
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(text)) return "it holds a control character";
  return undefined;
}

/** Order of a listing: by UTF-8 bytes. JavaScript's own `<` compares UTF-16 and differs beyond U+FFFF. */
export function compareKeys(left: string, right: string): number {
  return left === right ? 0 : Buffer.compare(Buffer.from(left), Buffer.from(right));
}
