import { isUtf8 } from "node:buffer";

const ESCAPE_BASE = 0xdc00;

/**
 * A file name as text that gives back its very bytes. File names of Unix are bytes, and one odd name in a data directory
 * must neither stop a backup nor come back changed: in a name that is not UTF-8, every byte above 127 becomes a lone
 * surrogate (U+DC80 to U+DCFF, as in Python's `surrogateescape`), which JSON keeps.
 */
export function decodeName(bytes: Uint8Array): string {
  if (isUtf8(bytes)) return Buffer.from(bytes).toString("utf8");
  return Array.from(bytes, (byte) => String.fromCharCode(byte < 0x80 ? byte : ESCAPE_BASE + byte)).join("");
}

/** The bytes of a name that `decodeName` made. */
export function encodeName(name: string): Buffer {
  if (name.isWellFormed()) return Buffer.from(name, "utf8");
  const pieces = name.split(/([\udc80-\udcff])/u);
  return Buffer.concat(
    pieces.map((piece) =>
      /^[\udc80-\udcff]$/u.test(piece) ? Buffer.from([piece.charCodeAt(0) - ESCAPE_BASE]) : Buffer.from(piece, "utf8"),
    ),
  );
}

/** A path as `node:fs` takes it: text where that is exact, else bytes. */
export function toFilePath(path: string): string | Buffer {
  return path.isWellFormed() ? path : encodeName(path);
}
