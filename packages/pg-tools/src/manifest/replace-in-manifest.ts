import { createHash } from "node:crypto";
import { createFileChecksum } from "./file-checksum.ts";
import { invalidManifest, parseFileLine } from "./manifest-lines.ts";

const LINE_END = Buffer.from("\n");

/**
 * A manifest in which one file has another content, with the checksum of the whole over it; every other line stays byte for
 * byte. Throws `FORMAT_INVALID` when the file is not in it.
 */
export function replaceInManifest(manifest: Buffer, path: string, content: Uint8Array): Buffer {
  const name = Buffer.from(`{ "Path": ${JSON.stringify(path)}, `);
  const from = manifest.indexOf(name);
  const end = manifest.indexOf(LINE_END, from);
  const last = manifest.lastIndexOf('"Manifest-Checksum"');
  if (from < 0 || end < 0 || last < end) throw invalidManifest(`it does not name '${path}'`);
  const line = replaceContent(manifest.toString("utf8", from, end), content);
  const text = Buffer.concat([manifest.subarray(0, from), Buffer.from(line), manifest.subarray(end, last)]);
  return Buffer.concat([
    text,
    Buffer.from(`"Manifest-Checksum": "${createHash("sha256").update(text).digest("hex")}"}\n`),
  ]);
}

/** Only size and checksum change, not the way in which the line is written. */
function replaceContent(line: string, content: Uint8Array): string {
  const { checksum } = parseFileLine(line);
  const sized = line.replace(/"Size": \d+/, `"Size": ${content.length}`);
  if (checksum === undefined) return sized;
  const sum = createFileChecksum(checksum.algorithm);
  sum.update(content);
  return sized.replace(/"Checksum": "[0-9a-fA-F]+"/, `"Checksum": "${sum.digest()}"`);
}
