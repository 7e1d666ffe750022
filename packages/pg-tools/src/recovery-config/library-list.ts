/** What the server takes for space in a list (`scanner_isspace`, src/backend/parser/scansup.c). */
const SPACE = " \t\n\r\f\v";

/**
 * The names in a setting such as `shared_preload_libraries`, as the server reads them (`SplitDirectoriesString`,
 * src/backend/utils/adt/varlena.c): quotes may hold commas, case counts, and of a list that is broken anywhere nothing is
 * loaded.
 */
export function parseLibraryList(setting: string): string[] {
  const names: string[] = [];
  let at = skipSpace(setting, 0);
  if (at === setting.length) return names;
  for (;;) {
    const element = setting[at] === '"' ? readQuoted(setting, at + 1) : readPlain(setting, at);
    if (element === undefined) return [];
    names.push(element.name);
    at = skipSpace(setting, element.end);
    if (at === setting.length) return names;
    if (setting[at] !== ",") return [];
    at = skipSpace(setting, at + 1);
  }
}

/** Names as such a setting, which reads back as the same ones. */
export function formatLibraryList(names: readonly string[]): string {
  return names.map((name) => (isPlain(name) ? name : `"${name.replaceAll('"', '""')}"`)).join(", ");
}

/** The library that a name means, whichever way it is written: `$libdir/pg_cron.so` is `pg_cron`. */
export function libraryOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1).replace(/\.so$/, "");
}

interface Element {
  readonly name: string;
  readonly end: number;
}

function readQuoted(setting: string, from: number): Element | undefined {
  let name = "";
  for (let at = from; ; at += 1) {
    const quote = setting.indexOf('"', at);
    if (quote === -1) return undefined;
    name += setting.slice(at, quote);
    if (setting[quote + 1] !== '"') return { name, end: quote + 1 };
    name += '"';
    at = quote + 1;
  }
}

function readPlain(setting: string, from: number): Element | undefined {
  const comma = setting.indexOf(",", from);
  const end = comma === -1 ? setting.length : comma;
  let last = end;
  while (last > from && isSpace(setting[last - 1])) last -= 1;
  return last === from ? undefined : { name: setting.slice(from, last), end };
}

function skipSpace(setting: string, from: number): number {
  let at = from;
  while (isSpace(setting[at])) at += 1;
  return at;
}

function isSpace(sign: string | undefined): boolean {
  return sign !== undefined && SPACE.includes(sign);
}

function isPlain(name: string): boolean {
  return name !== "" && !name.startsWith('"') && !name.includes(",") && !isSpace(name[0]) && !isSpace(name.at(-1));
}
