import type { Codec } from "@soar/seekable-tar";

const SUFFIX: Readonly<Record<Codec, string>> = { zstd: ".zst", gzip: ".gz", none: "" };

/** What a codec adds to an object's name: `.zst`, `.gz`, or nothing. */
export function codecSuffix(codec: Codec): string {
  return SUFFIX[codec];
}

/** Splits a name into the part without the codec's suffix and the codec. */
export function splitCodecSuffix(name: string): { base: string; codec: Codec } {
  for (const codec of ["zstd", "gzip"] as const) {
    if (name.endsWith(SUFFIX[codec])) return { base: name.slice(0, -SUFFIX[codec].length), codec };
  }
  return { base: name, codec: "none" };
}
