import { redactSecrets } from "@soar/errors";
import { visibleJson, visibleText } from "./visible.ts";
import type { LineSink } from "./screen.ts";

/** Data of a command, on stdout; everything else goes to the log. */
export interface Output {
  /** `--json` was given. */
  readonly isJson: boolean;
  /** Columns of the terminal; Infinity without one, so that what a program reads is never cut. */
  readonly width: number;
  /** Prints the value with `--json`, else the text. Bigints become decimal strings, dates ISO 8601. */
  report(result: { readonly json: unknown; readonly text: () => string }): void;
  /** Prints a line, or several. Control characters in it are shown, not obeyed. */
  print(text: string): void;
}

export function createOutput(sink: LineSink, options: { readonly isJson: boolean }): Output {
  const write = (text: string): void => {
    sink.write(`${text}\n`);
  };
  const print = (text: string): void => write(visibleText(redactSecrets(text)));
  return {
    isJson: options.isJson,
    get width() {
      return sink.isTTY === true ? (sink.columns ?? 80) : Infinity;
    },
    report: ({ json, text }) => (options.isJson ? write(formatJson(json)) : print(text())),
    print,
  };
}

/**
 * JSON with two blanks of indentation; bigints as decimal strings, since JSON numbers are exact to 2^53 only. Secrets are
 * removed from each string: in the finished text `"password": "x"` would lose its quotes.
 */
function formatJson(value: unknown): string {
  return visibleJson(
    JSON.stringify(
      value,
      (_, item: unknown) =>
        typeof item === "bigint" ? String(item) : typeof item === "string" ? redactSecrets(item) : item,
      2,
    ),
  );
}
