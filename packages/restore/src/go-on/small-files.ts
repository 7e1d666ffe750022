import { crc32cOf } from "@soar/pg-tools/manifest";

/** `RELMAPPER_FILEMAGIC`; and by the size of a map, what its checksum is of: it has room for 62 relations, from 16 on for 64 (relmapper.c). */
const MAP_MAGIC = 0x592717;
const MAP_CONTENTS = { 512: 504, 524: 520 } as const;

/** What is wrong with a small file that is no pages, by its name and content; undefined where nothing is. */
export function findSmallFault(name: string, content: Buffer, postgresMajor: number): string | undefined {
  if (/(?:^|\/)PG_VERSION$/.test(name))
    return content.toString("latin1") === `${postgresMajor}\n`
      ? undefined
      : `it is not that of PostgreSQL ${postgresMajor}`;
  if (!name.endsWith("/pg_filenode.map")) return undefined;
  const length = MAP_CONTENTS[content.length as keyof typeof MAP_CONTENTS];
  if (length === undefined || content.readUInt32LE(0) !== MAP_MAGIC) return "it is no map of relations";
  return crc32cOf(content.subarray(0, length)) === content.readUInt32LE(length) ? undefined : "its checksum is wrong";
}
