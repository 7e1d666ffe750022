import { decodeName } from "@soar/seekable-tar/members";

/**
 * The lines that two texts do not share, `-` for those of the first one only and `+` for those of the second, in order; by
 * the longest common sequence, which for configuration files of some hundred lines is a matter of milliseconds. Bytes that are no UTF-8 are shown
 * as `\xe9`.
 */
export function lineDifference(before: Buffer, after: Buffer): string[] {
  const [a, b] = [linesOf(before), linesOf(after)];
  const width = b.length + 1;
  const common = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number): number => common[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1)
      common[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  }
  const lines: string[] = [];
  for (let [i, j] = [0, 0]; i < a.length || j < b.length;) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      i += 1;
      j += 1;
    } else if (i < a.length && (j === b.length || at(i + 1, j) >= at(i, j + 1))) {
      lines.push(`-${a[i]}`);
      i += 1;
    } else {
      lines.push(`+${b[j]}`);
      j += 1;
    }
  }
  return lines;
}

function linesOf(content: Buffer): string[] {
  const shown = (escaped: string): string => `\\x${(escaped.charCodeAt(0) & 0xff).toString(16)}`;
  return decodeName(content)
    .replaceAll(/[\udc80-\udcff]/gu, shown)
    .split("\n");
}
