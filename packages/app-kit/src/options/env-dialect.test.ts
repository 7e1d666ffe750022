import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { hasErrorCode } from "@soar/errors";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseEnvText } from "./env-dialect.ts";

const read = (text: string): [string, string][] =>
  parseEnvText(text, "/etc/soar/backup-env").map(({ name, value }) => [name, value]);

describe("the dialect of the specification", () => {
  test("comments, empty lines, export and quotes", () => {
    const text = `# Cloud storage credentials

export AWS_ACCESS_KEY_ID="AKIA..."
  # export BACKUP_BUCKET="s3://commented-out"
export BACKUP_RETENTION_DAYS=30
PGHOST=localhost   # usually local
BACKUP_LOG_DIR='/var/log/soar'
`;
    expect(parseEnvText(text, "f")).toEqual([
      { name: "AWS_ACCESS_KEY_ID", value: "AKIA...", line: 3 },
      { name: "BACKUP_RETENTION_DAYS", value: "30", line: 5 },
      { name: "PGHOST", value: "localhost", line: 6 },
      { name: "BACKUP_LOG_DIR", value: "/var/log/soar", line: 7 },
    ]);
  });

  test.each([
    [String.raw`A="a\"b\\c\$d` + '\\`e"', 'a"b\\c$d`e'],
    [String.raw`A="keep \n and \x"`, String.raw`keep \n and \x`],
    [String.raw`A='it'\''s $HOME'`, "it's $HOME"],
    [String.raw`A=two\ words`, "two words"],
    ["A=a#b", "a#b"],
    ["A=#b", "#b"],
    ["A=", ""],
    ['A=""', ""],
    ["A=x=y=z", "x=y=z"],
    ["A=pä", "pä"],
  ])("%s", (line, value) => {
    expect(read(line)).toEqual([["A", value]]);
  });
});

describe("what a shell would expand or execute is refused with its line number", () => {
  test.each([
    ["A=$HOME", /'\$' would be expanded/],
    ['A="${HOME}"', /'\$' would be expanded/],
    ['A="$(cat /etc/shadow)"', /'\$' would be expanded/],
    ["A=$((1+1))", /'\$' would be expanded/],
    ["A=$'x'", /'\$' would be expanded/],
    ["A=`id`", /backtick would run a command/],
    ['A="`id`"', /backtick would run a command/],
    ["A=~/x", /'~' means something/],
    ["A=x:~postgres", /'~' means something/],
    ["export A={a,b}", /'{' means something/],
    ["A=1;rm x", /';' means something/],
    ["A=<(id)", /'<' means something/],
    ["A=1 id", /more behind the value of A/],
    ["export A=1 B=2", /more behind the value of A/],
    ["A='x", /single quote is not closed/],
    ['A="x', /double quote is not closed/],
    ["A=x\\", /continues on the next line/],
    ["A = x", /blank before the equals sign/],
    ["A+=x", /not an assignment/],
    ["export A", /not an assignment/],
    ["source other", /not an assignment/],
    ["set -a", /not an assignment/],
    ["A=x\r", /carriage return/],
    ["A=x\u0000y", /control character/],
    ["\uFEFFA=x", /not an assignment/],
  ])("%j", (line, message) => {
    expect(() => read(`# first\n${line}\n`)).toThrow(
      expect.objectContaining({
        code: "ENV_FILE_INVALID",
        message: expect.stringMatching(message),
        hint: expect.stringMatching(/\.$/),
      }),
    );
    expect(() => read(`# first\n${line}\n`)).toThrow("unable to read '/etc/soar/backup-env' line 2: ");
  });

  test("a message never holds the value", () => {
    expect(() => read("AWS_SECRET_ACCESS_KEY=topsecret$x")).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining("topsecret") }),
    );
  });
});

describe("compared with bash", () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(path.join(tmpdir(), "soar-env-dialect-"));
    // Names that a pathname expansion would find.
    for (const name of ["a", "b", "ab", "a=b", "x"]) writeFileSync(path.join(directory, name), "");
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  /** The values that bash gives each of the names after sourcing the text; null for one that is unset. */
  function sourced(text: string, names: readonly string[]): string[] {
    writeFileSync(path.join(directory, "env"), text);
    const script = 'set -e; source ./env; for name in "$@"; do printf "%s\\0" "${!name}"; done';
    const output = execFileSync("bash", ["--noprofile", "--norc", "-c", script, "bash", ...names], {
      cwd: directory,
      env: {
        PATH: process.env["PATH"],
        HOME: "/home/of/bash",
        a: "expanded",
        b: "expanded",
        x: "expanded",
        LC_ALL: "C.UTF-8",
      },
    });
    return output.toString("utf8").split("\0").slice(0, -1);
  }

  // Everything that means something to bash, in bulk, with just enough letters between it.
  const soup = fc
    .array(
      fc.constantFrom(
        ...`a b x = " ' \\ $ \` # { } ( ) < > ~ * ? [ ] ! ^ % @ + - : , . / | & ;`.split(" "),
        " ",
        "\t",
        "é",
        "\u00a0",
        "\u2028",
        "🐘",
        "$a",
        "$(a)",
        "${x}",
        "{a,b}",
        "~",
        '\\"',
        "\\\\",
      ),
      { maxLength: 8 },
    )
    .map((pieces) => pieces.join(""));
  const quoted = fc.oneof(
    soup,
    soup.map((text) => `"${text}"`),
    soup.map((text) => `'${text}'`),
    fc.tuple(soup, soup).map(([a, b]) => `"${a}"'${b}'`),
    fc.string({ unit: "grapheme", maxLength: 20 }).map((text) => `'${text}'`),
  );

  test("every line that is accepted has the value that bash gives it", () => {
    let accepted = 0;
    const line = fc.tuple(
      fc.constantFrom("", "export ", " export\t", "  "),
      quoted,
      fc.constantFrom("", " ", " # comment $(a)", "\t"),
    );
    fc.assert(
      fc.property(fc.array(line, { minLength: 40, maxLength: 80 }), (lines) => {
        const kept: string[] = [];
        for (const [before, value, after] of lines) {
          const text = `${before}SOAR_V${kept.length}=${value}${after}`;
          if (!text.includes("\n") && isAccepted(text)) kept.push(text);
        }
        accepted += kept.length;
        const text = `${kept.join("\n")}\n`;
        expect(read(text).map(([, value]) => value)).toEqual(
          sourced(
            text,
            kept.map((_, index) => `SOAR_V${index}`),
          ),
        );
      }),
      { numRuns: 60 },
    );
    expect(accepted).toBeGreaterThan(500);
  });

  test("any text, quoted as the documentation says, comes back from both", () => {
    const text = fc
      .string({ unit: "grapheme", maxLength: 30 })
      // oxlint-disable-next-line no-control-regex -- control characters are refused
      .filter((value) => !/[\u0000-\u0008\n-\u001f\u007f]/.test(value));
    fc.assert(
      fc.property(fc.array(text, { minLength: 20, maxLength: 40 }), (values) => {
        const lines = values.flatMap((value, index) => [
          `export SOAR_D${index}="${value.replaceAll(/["\\$`]/g, "\\$&")}"`,
          `export SOAR_S${index}='${value.replaceAll("'", String.raw`'\''`)}'`,
        ]);
        const names = values.flatMap((_, index) => [`SOAR_D${index}`, `SOAR_S${index}`]);
        const expected = values.flatMap((value) => [value, value]);
        expect(read(lines.join("\n")).map(([, value]) => value)).toEqual(expected);
        expect(sourced(lines.join("\n"), names)).toEqual(expected);
      }),
      { numRuns: 25 },
    );
  });

  test("a line with a live expansion anywhere is refused", () => {
    const expansion = fc.constantFrom("$a", "${a}", "$(a)", "$((1))", "`a`", "$'a'", "$1", "$?", "$$");
    const around = fc.stringMatching(/^[a-z./:@%+,-]{0,5}$/);
    fc.assert(
      fc.property(around, expansion, around, fc.boolean(), (before, live, after, isQuoted) => {
        const value = `${before}${live}${after}`;
        expect(isAccepted(`A=${isQuoted ? `"${value}"` : value}`)).toBe(false);
      }),
    );
  });

  function isAccepted(line: string): boolean {
    try {
      return read(line).length === 1;
    } catch (error) {
      if (!hasErrorCode(error, "ENV_FILE_INVALID")) throw error;
      return false;
    }
  }
});
