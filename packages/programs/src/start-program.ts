import type { Readable } from "node:stream";
import { KeptText } from "./kept-text.ts";
import { LineSplitter } from "./line-splitter.ts";
import type { ProgramEnd } from "./program-end.ts";
import type { ProgramOptions } from "./program-options.ts";
import { SpawnedProgram } from "./spawned-program.ts";

export interface StartProgramOptions extends ProgramOptions {
  /** Gets every line of its stderr as it comes, secrets included. */
  readonly onComplaint?: ((line: string) => void) | undefined;
}

export interface StartedProgram extends AsyncDisposable {
  /** For one reader, at its own pace: the program waits for it. */
  readonly stdout: Readable;
  /** Resolves, whatever its status, when it has ended and everything was read. Rejects with `PROGRAM_MISSING`. */
  readonly ended: Promise<ProgramEnd & { readonly stderr: string }>;
  /** Asks it to end, and ends it by force when it does not. */
  stop(): void;
}

const KEPT_CHARACTERS = 64 * 1024;

/** Starts a program whose output is read as it comes. Disposing ends it, and waits until it is gone. */
export function startProgram(path: string, args: readonly string[], options: StartProgramOptions): StartedProgram {
  const program = new SpawnedProgram(path, args, {
    ...options,
    stdio: ["ignore", "pipe", "pipe"],
    received: undefined,
  });
  const { stdout, stderr } = program.child;
  if (stdout === null || stderr === null) throw new Error("a program was started without pipes");
  const kept = new KeptText(KEPT_CHARACTERS);
  const lines = new LineSplitter((line) => options.onComplaint?.(line));
  stderr.setEncoding("utf8").on("data", (text: string) => {
    kept.add(text);
    lines.add(text);
  });
  const ended = program.ended.then((end) => {
    lines.end();
    return { ...end, stderr: kept.toString() };
  });
  ended.catch(() => undefined);
  return {
    stdout,
    ended,
    stop: () => program.stop(),
    async [Symbol.asyncDispose]() {
      program.stop();
      // Nobody reads any more: without this its last write would keep it.
      stdout.destroy();
      await ended.catch(() => undefined);
    },
  };
}
