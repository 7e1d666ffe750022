import { SoarError } from "@soar/errors";
import type { TableName } from "@soar/restore/rescue";

const PART = String.raw`(?:"(?:[^"]|"")+"|[^".]+)`;
const NAME = new RegExp(`^(?:(${PART})\\.)?(${PART})$`);

/** Reads `SCHEMA.TABLE`, `TABLE` (of schema public), or parts in double quotes. Names are taken as written. Throws `USAGE`. */
export function parseTableName(text: string): TableName {
  const [, schema, name] = NAME.exec(text) ?? [];
  if (name !== undefined) return { schema: schema === undefined ? "public" : unquote(schema), name: unquote(name) };
  throw new SoarError("USAGE", `unable to read '${text}' as SCHEMA.TABLE`, {
    hint: `For example public.devices, or '"My schema"."My table"'.`,
  });
}

/** Reads `SCHEMA`, or `SCHEMA.NAME` for a single table. Throws `USAGE`. */
export function parsePlace(text: string): { readonly schema: string; readonly name?: string } {
  const [, schema, name] = NAME.exec(text) ?? [];
  if (name !== undefined)
    return schema === undefined ? { schema: unquote(name) } : { schema: unquote(schema), name: unquote(name) };
  throw new SoarError("USAGE", `unable to read '${text}' as SCHEMA or SCHEMA.NAME`, {
    hint: "For example --as rescued, or --as public.devices_before.",
  });
}

function unquote(part: string): string {
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part;
}
