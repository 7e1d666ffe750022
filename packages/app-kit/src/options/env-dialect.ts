import { SoarError } from "@soar/errors";

/** One assignment of an env file. */
export interface EnvAssignment {
  readonly name: string;
  readonly value: string;
  /** Counted from 1. */
  readonly line: number;
}

/**
 * Reads an env file as `bash` would read it with `source`, as far as it consists of comments, empty lines and plain
 * assignments (`NAME=value`, `export NAME="value"`), one on a line. Quotes and backslashes mean what they mean to bash.
 * Whatever bash would expand or execute (`$(…)`, backticks, `$VAR`, `~`, `{a,b}`, `;`, …) is refused rather than
 * executed or half-expanded: this file is also read by programs that no shell ever starts.
 *
 * Throws `ENV_FILE_INVALID` with the line number. Messages never quote the line, because it may hold a secret.
 */
export function parseEnvText(text: string, path: string): EnvAssignment[] {
  const assignments: EnvAssignment[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    try {
      const assignment = parseLine(line);
      if (assignment !== undefined) assignments.push({ ...assignment, line: index + 1 });
    } catch (error) {
      if (!(error instanceof LineProblem)) throw error;
      throw new SoarError("ENV_FILE_INVALID", `unable to read '${path}' line ${index + 1}: ${error.message}`, {
        hint: error.hint,
      });
    }
  }
  return assignments;
}

class LineProblem extends Error {
  override readonly name = "LineProblem";
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

const ONLY_ASSIGNMENTS =
  'Only comments and lines of the form export NAME="value" are allowed; nothing in this file is ever executed.';

// Bash treats control characters specially here and there, and a file with Windows line ends gives every value a \r.
// oxlint-disable-next-line no-control-regex -- control characters are exactly what is looked for
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f]/;

function parseLine(line: string): { name: string; value: string } | undefined {
  if (/^[ \t]*(?:#|$)/.test(line)) return undefined;
  if (line.endsWith("\r"))
    throw new LineProblem(
      "it ends with a carriage return",
      "Convert the file to Unix line ends: sed -i 's/\\r$//' FILE.",
    );
  if (CONTROL.test(line)) throw new LineProblem("it holds a control character", ONLY_ASSIGNMENTS);
  const [start, name] = /^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=/.exec(line) ?? [];
  if (start === undefined || name === undefined) {
    if (/^[ \t]*(?:export[ \t]+)?[A-Za-z_][A-Za-z0-9_]*[ \t]+=/.test(line)) {
      throw new LineProblem(
        "there is a blank before the equals sign",
        'Write NAME="value" without blanks around the equals sign.',
      );
    }
    throw new LineProblem("it is not an assignment", ONLY_ASSIGNMENTS);
  }
  const { value, end } = readWord(line, start.length);
  if (!/^[ \t]*$|^[ \t]+#/.test(line.slice(end))) {
    throw new LineProblem(
      `there is more behind the value of ${name}`,
      "Put a value with blanks in quotes, and one assignment on each line.",
    );
  }
  return { name, value };
}

interface Read {
  readonly value: string;
  /** Index of the first character behind it. */
  readonly end: number;
}

/** A word as bash reads it: quoted and unquoted pieces side by side, up to a blank. */
function readWord(line: string, start: number): Read {
  let value = "";
  let at = start;
  while (at < line.length && line[at] !== " " && line[at] !== "\t") {
    const piece = readPiece(line, at);
    value += piece.value;
    at = piece.end;
  }
  return { value, end: at };
}

function readPiece(line: string, at: number): Read {
  const character = line[at] ?? "";
  if (character === "'") return readSingleQuoted(line, at + 1);
  if (character === '"') return readDoubleQuoted(line, at + 1);
  if (character === "\\") {
    const escaped = line[at + 1];
    if (escaped === undefined)
      throw new LineProblem("it continues on the next line", "Write the assignment on one line.");
    return { value: escaped, end: at + 2 };
  }
  refuseExpansion(character);
  // Braces and tildes are expanded by bash; the others end the command or begin a redirection or a subshell.
  if ("{}~;&|<>()".includes(character))
    throw new LineProblem(`'${character}' means something to a shell here`, "Put the value in single quotes.");
  return { value: character, end: at + 1 };
}

function readSingleQuoted(line: string, start: number): Read {
  const end = line.indexOf("'", start);
  if (end === -1)
    throw new LineProblem("a single quote is not closed on the line", "Close the quote on the same line.");
  return { value: line.slice(start, end), end: end + 1 };
}

function readDoubleQuoted(line: string, start: number): Read {
  let value = "";
  for (let at = start; at < line.length; at += 1) {
    const character = line[at] ?? "";
    if (character === '"') return { value, end: at + 1 };
    refuseExpansion(character);
    const next = line[at + 1];
    if (character === "\\" && next !== undefined && '"\\$`'.includes(next)) {
      value += next;
      at += 1;
    } else {
      value += character;
    }
  }
  throw new LineProblem("a double quote is not closed on the line", "Close the quote on the same line.");
}

function refuseExpansion(character: string): void {
  if (character === "$") {
    throw new LineProblem(
      "'$' would be expanded by a shell",
      "Variables and commands are not expanded here. Write the value itself, in single quotes if it holds a dollar sign.",
    );
  }
  if (character === "`") {
    throw new LineProblem(
      "a backtick would run a command in a shell",
      "Commands are never executed here. Write the value itself, in single quotes if it holds a backtick.",
    );
  }
}
