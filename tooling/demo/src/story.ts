import { setTimeout as delay } from "node:timers/promises";
import { styleText } from "node:util";
import { formatDuration } from "@soar/app-kit";
import { wrapLine, type WrapOptions } from "./wrap-line.ts";

/** What a person reads. Lines fit 80 columns; colours and the line that moves are for a terminal only. */
export interface Story {
  /** Begins a part of the story; the time until `endChapter` is shown with it. */
  beginChapter(title: string): void;
  /** Ends the part, and says how long it took. */
  endChapter(): void;
  /** A sentence. */
  say(text: string): void;
  /** A command as the reader would type it in a shell. */
  command(text: string): void;
  /** SQL as the reader would type it, or lines of a configuration file. */
  code(text: string): void;
  /** What a command printed. */
  output(text: string): void;
  /** Shows a line that changes while the work goes on, where there is a terminal. */
  during<T>(describe: () => Promise<string>, work: () => Promise<T>): Promise<T>;
  /** The verdict, in green or red. */
  verdict(text: string, isGood: boolean): void;
}

export interface StorySink extends NodeJS.WritableStream {
  readonly isTTY?: boolean;
}

const WIDTH = 80;
const INDENT = "   ";
const STATUS_INTERVAL_MS = 250;
const CLEAR_LINE = "\r\u001B[2K";

export function createStory(sink: StorySink): Story {
  const isTerminal = sink.isTTY === true;
  let chapters = 0;
  let beganAt = 0;
  const style = (format: "bold" | "dim" | "cyan" | "green" | "red", text: string): string =>
    isTerminal ? styleText(format, text, { stream: sink }) : text;
  const write = (text: string, format: (line: string) => string, wrap: Partial<WrapOptions> = {}): void => {
    for (const line of wrapLine(text, { width: WIDTH, indent: INDENT, hanging: "", ...wrap }))
      sink.write(`${format(line)}\n`);
  };
  return {
    beginChapter(title) {
      chapters += 1;
      beganAt = performance.now();
      sink.write(`\n${style("bold", `${chapters}. ${title}`)}\n`);
    },
    endChapter() {
      write(`[${formatDuration(performance.now() - beganAt)}]`, (line) => style("dim", line));
    },
    say: (text) => write(text, (line) => line),
    command: (text) => write(`$ ${text}`, (line) => style("cyan", line), { hanging: "    ", isCommand: true }),
    code: (text) => write(text, (line) => style("cyan", line), { hanging: "    " }),
    output(text) {
      for (const line of text.trimEnd().split("\n"))
        write(`  ${line}`, (wrapped) => style("dim", wrapped), { hanging: " ".repeat(2 + hangingOf(line)) });
    },
    during: (describe, work) => (isTerminal ? showWhile(sink, describe, work) : work()),
    verdict: (text, isGood) => write(text, (line) => style(isGood ? "green" : "red", line)),
  };
}

/** Under the value of `name:    value`, which is how the programs print what they did. */
function hangingOf(line: string): number {
  return /^[a-z][a-z ]*: +/.exec(line)?.[0].length ?? 2;
}

async function showWhile<T>(sink: StorySink, describe: () => Promise<string>, work: () => Promise<T>): Promise<T> {
  const beganAt = performance.now();
  const stop = new AbortController();
  const showing = (async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const text = await describe();
      sink.write(
        `${CLEAR_LINE}${`${INDENT}... ${text}, ${formatDuration(performance.now() - beganAt)}`.slice(0, WIDTH - 1)}`,
      );
      await delay(STATUS_INTERVAL_MS, undefined, { signal: stop.signal }).catch(ifNotAborted);
    }
  })();
  try {
    return await work();
  } finally {
    stop.abort();
    await showing;
    sink.write(CLEAR_LINE);
  }
}

function ifNotAborted(error: unknown): void {
  if (!(error instanceof Error && error.name === "AbortError")) throw error;
}
