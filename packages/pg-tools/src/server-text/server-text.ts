/** Where bytes that are no UTF-8 are put: the lone surrogates U+DC80 to U+DCFF, which no UTF-8 decodes to (as Python does it, PEP 383). */
const ESCAPE_BASE = 0xdc00;
const ESCAPED = /[\u{dc80}-\u{dcff}]/u;
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const LONGEST_SEQUENCE = 4;

/**
 * Text of a server, whatever its encoding: UTF-8 as far as it is that, every other byte as one lone surrogate.
 * `encodeServerText` gives the same bytes back.
 *
 * Names of databases, roles and tablespaces are bytes to PostgreSQL: the catalogs that hold them are shared by databases of
 * all encodings, and nothing says in which one a name was written. A client that asks for another encoding than they have
 * gets an error instead of the name.
 */
export function decodeServerText(bytes: Uint8Array): string {
  return decodeUtf8(bytes) ?? decodeBytewise(bytes);
}

/** The bytes of a text that came from a server, or that somebody typed. */
export function encodeServerText(text: string): Buffer {
  if (!ESCAPED.test(text)) return Buffer.from(text, "utf8");
  return Buffer.concat(
    Array.from(text, (character) =>
      ESCAPED.test(character) ? Buffer.of(character.charCodeAt(0) - ESCAPE_BASE) : Buffer.from(character, "utf8"),
    ),
  );
}

/** Whether a text can be given to a program, whose arguments and environment are UTF-8 here. */
export function isUnicode(text: string): boolean {
  return !ESCAPED.test(text);
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes);
  } catch {
    return undefined;
  }
}

function decodeBytewise(bytes: Uint8Array): string {
  let [text, end] = ["", 0];
  for (const [at, byte] of bytes.entries()) {
    if (at < end) continue;
    const character = characterAt(bytes, at);
    text += character ?? String.fromCharCode(ESCAPE_BASE + byte);
    end = at + (character === undefined ? 1 : Buffer.byteLength(character));
  }
  return text;
}

/** The character that begins there; undefined where none does. */
function characterAt(bytes: Uint8Array, at: number): string | undefined {
  for (let length = 1; length <= LONGEST_SEQUENCE && at + length <= bytes.length; length += 1) {
    const character = decodeUtf8(bytes.subarray(at, at + length));
    if (character !== undefined) return character;
  }
  return undefined;
}
