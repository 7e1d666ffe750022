import { PassThrough } from "node:stream";

/** A terminal of 60 columns that keeps what is written to it. */
export type CapturedTerminal = PassThrough & { isTTY: boolean; columns: number; written: () => string };

export function captureTerminal(options: { isTTY: boolean }): CapturedTerminal {
  const stream = new PassThrough();
  const chunks: string[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk.toString("utf8")));
  return Object.assign(stream, { isTTY: options.isTTY, columns: 60, written: () => chunks.join("") });
}
