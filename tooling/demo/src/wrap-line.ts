/** How a long line goes on. */
export interface WrapOptions {
  /** Columns of a line. */
  readonly width: number;
  /** In front of every line. */
  readonly indent: string;
  /** In front of the second line and those after it, behind `indent`. */
  readonly hanging: string;
}

/** Breaks a line at blanks, keeping runs of blanks inside of a line. A word that is too long stays whole, so that a path can be copied. */
export function wrapLine(text: string, { width, indent, hanging }: WrapOptions): string[] {
  const lines: string[] = [];
  let line = indent;
  let isFresh = true;
  for (const [, gap = "", word = ""] of text.matchAll(/( *)([^ ]+)/g)) {
    if (!isFresh && line.length + gap.length + word.length > width) {
      lines.push(line);
      line = `${indent}${hanging}${word}`;
    } else {
      line += gap + word;
    }
    isFresh = false;
  }
  return [...lines, line];
}
