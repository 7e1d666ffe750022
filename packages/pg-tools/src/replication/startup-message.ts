import { encodeServerText } from "../server-text/server-text.ts";

const PROTOCOL_VERSION = 3 << 16;

/**
 * StartupMessage (PostgreSQL documentation, "Message Formats"). The names of user and database go as the bytes that they
 * are; the server compares them before any encoding counts.
 */
export function startupMessage(parameters: Readonly<Record<string, string>>): Buffer {
  const zero = Buffer.of(0);
  const texts = Object.entries(parameters).flatMap((pair) => pair.flatMap((text) => [encodeServerText(text), zero]));
  const body = Buffer.concat([...texts, zero]);
  const head = Buffer.alloc(8);
  head.writeInt32BE(head.length + body.length, 0);
  head.writeInt32BE(PROTOCOL_VERSION, 4);
  return Buffer.concat([head, body]);
}

/** The parameter `options`: settings of the session, which win over those of the role and the database (config.sgml, "Setting Parameters"). */
export function startupOptions(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\\s]/g, "\\$&")}`)
    .join(" ");
}
