import { TABLE_FORMAT, TABLE_VERSION, type TableRow } from "./row.ts";

/** One line of the table, with its line feed. */
export function formatRow(row: TableRow): string {
  return `${JSON.stringify(toJson(row))}\n`;
}

function toJson(row: TableRow): unknown {
  switch (row.kind) {
    case "header":
      return { format: TABLE_FORMAT, version: TABLE_VERSION, digest: "sha256", chunkBytes: row.chunkBytes };
    case "object":
      return ["o", row.key, row.codec];
    case "archive":
      return ["a", row.name];
    case "entry": {
      const { path, type, size, mode, mtime, uid, gid, link, member, offset } = row.entry;
      return ["e", path, type, size, mode, mtime, uid, gid, link, member, offset];
    }
    case "member":
      return [
        "m",
        row.object,
        row.offset,
        row.storedLength,
        row.plainLength,
        row.sha256.toString("base64"),
        row.crc32c,
        row.storedDigest.toString("base64"),
      ];
    case "archive-end":
      return ["z", row.members, row.entries, row.plainBytes];
    case "end":
      return ["end", row.archives];
  }
}
