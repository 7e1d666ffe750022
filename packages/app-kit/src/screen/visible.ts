/*
 * What comes from elsewhere (names of files and databases, the words that somebody gave for a pin or a gap, what another
 * program printed) must not be able to move the cursor, colour the terminal, write lines that look like ours, or have what
 * follows it shown in another order (UAX 9, explicit directional formatting; joiners stay, which names are spelled with). These
 * are the one place where control characters become something to look at.
 */

// oxlint-disable-next-line no-control-regex -- control characters are exactly what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\u{dc80}-\u{dcff}]/gu;
/** Where `@soar/pg-tools` puts the bytes of a name that are no UTF-8: alone, these are no characters. */
const ESCAPED_BYTE = 0xdc00;

/** Text on one line: every control character as `\x1b` or `\u{202e}`, a line end as `\n`. */
export function visibleLine(text: string): string {
  return text.replaceAll(CONTROL, (character) => (character === "\n" ? String.raw`\n` : escapeOf(character)));
}

/** Text of several lines: line ends stay, every other control character is shown as `\x1b`. */
export function visibleText(text: string): string {
  return text.replaceAll(CONTROL, (character) => (character === "\n" ? character : escapeOf(character)));
}

/** Text of several lines below one that says what it is: none of them begins where a line of ours does. */
export function visibleParagraph(text: string): string {
  return visibleText(text).replaceAll("\n", "\n  ");
}

/** The same JSON, with `\u009b` for what JSON lets stand as it is. Line ends between its values stay. */
export function visibleJson(json: string): string {
  return json.replaceAll(CONTROL, (character) =>
    character === "\n" ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function escapeOf(character: string): string {
  const unit = character.charCodeAt(0);
  const code = unit >= ESCAPED_BYTE ? unit - ESCAPED_BYTE : unit;
  return code > 0xff ? `\\u{${code.toString(16)}}` : `\\x${code.toString(16).padStart(2, "0")}`;
}
