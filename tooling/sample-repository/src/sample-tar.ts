import type { Files } from "./sample-files.ts";

export interface BesideFiles {
  readonly directories?: readonly string[] | undefined;
  /** Symbolic links, as PostgreSQL writes none: path to target. */
  readonly links?: Readonly<Record<string, string>> | undefined;
}

/** A tar archive of these files as PostgreSQL writes one. */
export function tarOf(files: Files, { directories = [], links = {} }: BesideFiles = {}): Buffer {
  const made = directories.map((path) => tarHeader(path, 0, { type: "5" }));
  const linked = Object.entries(links).map(([path, target]) => tarHeader(path, 0, { type: "2", target }));
  const blocks = Object.entries(files).flatMap(([path, content]) => {
    return [tarHeader(path, content.length), content, Buffer.alloc((512 - (content.length % 512)) % 512)];
  });
  return Buffer.concat([...made, ...linked, ...blocks, Buffer.alloc(1024)]);
}

/** ustar, as PostgreSQL writes it (`tarCreateHeader`). */
function tarHeader(
  path: string,
  size: number,
  { type, target = "" }: { readonly type: "0" | "2" | "5"; readonly target?: string } = { type: "0" },
): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, "0")} `;
  header.write(path, 0);
  header.write(octal(0o600, 6), 100);
  header.write(octal(1000, 6), 108);
  header.write(octal(1000, 6), 116);
  header.write(octal(size, 11), 124);
  header.write(octal(Date.parse("2025-01-05T02:00:00Z") / 1000, 11), 136);
  header.write(`        ${type}`, 148);
  header.write(target, 157);
  header.write("ustar\u000000", 257);
  header.write(
    octal(
      header.reduce((sum, byte) => sum + byte, 0),
      6,
    ),
    148,
  );
  return header;
}
