import { SoarError } from "@soar/errors";

/** One assignment in a PostgreSQL configuration file. */
export interface ConfigSetting {
  /** In lower case, as PostgreSQL compares names. */
  readonly name: string;
  readonly value: string;
  /** Counted from 1. */
  readonly line: number;
}

const ASSIGNMENT =
  /^\s*(?<name>[A-Za-z_][\w$.]*)\s*(?:=\s*|\s)(?:'(?<quoted>(?:[^'\\]|\\.|'')*)'|(?<bare>[^\s#'=][^\s#]*))\s*(?:#.*)?$/;

/** What stands for itself behind a backslash is not listed (`DeescapeQuotedString` in guc-file.l). */
const ESCAPES: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/**
 * Reads the assignments of a configuration file in order; of several with one name the server takes the last. Comments,
 * blank lines, `include` directives and lines that the server would refuse are passed over.
 */
export function parseConfigSettings(text: string): readonly ConfigSetting[] {
  return text.split("\n").flatMap((content, index) => {
    const { name, quoted, bare } = ASSIGNMENT.exec(content)?.groups ?? {};
    if (name === undefined || /^include(?:_dir|_if_exists)?$/i.test(name)) return [];
    return [{ name: name.toLowerCase(), value: bare ?? unescape(quoted), line: index + 1 }];
  });
}

function unescape(quoted = ""): string {
  return quoted.replace(
    /''|\\([0-7]{1,3})|\\(.)/g,
    (pair: string, octal: string | undefined, letter: string | undefined) => {
      if (octal !== undefined) return String.fromCharCode(parseInt(octal, 8) & 255);
      return letter === undefined ? pair.slice(1) : (ESCAPES[letter] ?? letter);
    },
  );
}

/**
 * The line that gives a setting this value. Throws CONFIG_INVALID for what a configuration file cannot hold: ALTER SYSTEM
 * would later write a line end back as it is and break the file, so it is refused although it could be escaped here.
 */
export function formatConfigSetting(name: string, value: string): string {
  if (!/^[A-Za-z_][\w$.]*$/.test(name))
    throw new SoarError("CONFIG_INVALID", `unable to write the setting '${name}': it is not a setting's name`);
  if (/[\n\r\0]/.test(value))
    throw new SoarError(
      "CONFIG_INVALID",
      `unable to write the setting '${name}': its value has a line end or a zero byte in it`,
    );
  return `${name} = '${value.replace(/['\\]/g, "$&$&")}'`;
}
