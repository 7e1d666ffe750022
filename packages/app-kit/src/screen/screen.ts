import { styleText } from "node:util";

/** A stream that lines are written to; `process.stderr`, or a stand-in. */
export interface LineSink {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

/**
 * The terminal behind stderr, shared by log lines, questions and the progress bar, so that a log line does not tear the
 * bar and the bar does not cover a log line.
 */
export interface Screen {
  readonly isTerminal: boolean;
  /** Columns; 80 where there is no terminal. */
  readonly width: number;
  writeLine(text: string): void;
  /** Writes without a line end, for a question. */
  writeText(text: string): void;
  /** Shows a line that is redrawn in place, or removes it. Does nothing without a terminal. */
  setStatus(text: string | undefined): void;
  /** Emphasises on a terminal that shows colours (NO_COLOR is respected). */
  style(format: "red" | "yellow" | "bold" | "dim", text: string): string;
}

const CLEAR_LINE = "\r\u001b[2K";

export function createScreen(sink: LineSink & NodeJS.WritableStream): Screen {
  let status: string | undefined;
  const isTerminal = sink.isTTY === true;
  const write = (text: string): void => {
    sink.write(status === undefined ? text : `${CLEAR_LINE}${text}${text.endsWith("\n") ? status : ""}`);
  };
  return {
    isTerminal,
    get width() {
      return sink.columns ?? 80;
    },
    writeLine: (text) => write(`${text}\n`),
    writeText: write,
    setStatus(text) {
      if (!isTerminal || text === status) return;
      if (text !== undefined || status !== undefined) sink.write(`${CLEAR_LINE}${text ?? ""}`);
      status = text;
    },
    style: (format, text) => (isTerminal ? styleText(format, text, { stream: sink }) : text),
  };
}
