/** How a long line goes on. */
export interface WrapOptions {
  /** Columns of a line. */
  readonly width: number;
  /** In front of every line. */
  readonly indent: string;
  /** In front of the second line and those after it, behind `indent`. */
  readonly hanging: string;
  /** A command for a shell: quoted words stay whole, and a backslash at the end of a line makes the next one part of it. */
  readonly isCommand?: boolean;
}

const WORDS = /( *)([^ ]+)/g;
const SHELL_WORDS = /( *)((?:'[^']*'|\\.|[^ '\\])+)/g;

/** Breaks a line at blanks, keeping runs of blanks inside of a line. A word that is too long stays whole, so that a path can be copied. */
export function wrapLine(text: string, { width, indent, hanging, isCommand = false }: WrapOptions): string[] {
  const [words, continuation] = isCommand ? [SHELL_WORDS, " \\"] : [WORDS, ""];
  const lines: string[] = [];
  let line = indent;
  let isFresh = true;
  for (const [, gap = "", word = ""] of text.matchAll(words)) {
    if (!isFresh && line.length + gap.length + word.length + continuation.length > width) {
      lines.push(`${line}${continuation}`);
      line = `${indent}${hanging}${word}`;
    } else {
      line += gap + word;
    }
    isFresh = false;
  }
  return [...lines, line];
}
