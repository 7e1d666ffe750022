import { spawn } from "node:child_process";
import { waitUntil } from "./wait-until.ts";

/** A program on a real terminal of 80 columns and 24 lines, with somebody at the keyboard. */
export interface TerminalSession {
  /** Waits until the screen shows a text, and resolves to its lines. */
  shows(text: string): Promise<string[]>;
  type(keys: string): void;
  readonly ended: Promise<{ readonly status: number | null; readonly written: string }>;
}

export const KEYS = {
  enter: "\r",
  escape: "\u001B",
  up: "\u001B[A",
  down: "\u001B[B",
  right: "\u001B[C",
  left: "\u001B[D",
  home: "\u001B[H",
  ctrlC: "\u0003",
} as const;

/** What a full-screen program writes before each picture. */
const CLEAR = "\u001B[H\u001B[2J";

/** Runs a shell line on a pseudo-terminal, made by `script` of util-linux. What the terminal is set to afterwards is written behind it. */
export function startOnTerminal(
  line: string,
  { env, cwd }: { readonly env: Readonly<Record<string, string>>; readonly cwd: string },
): TerminalSession {
  const child = spawn(
    "script",
    ["-qefc", `stty cols 80 rows 24; trap : INT; ${line}; status=$?; stty -a; exit $status`, "/dev/null"],
    { cwd, env: { TERM: "xterm", ...env, SHELL: "/bin/sh" } },
  );
  let written = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (written += text));
  const ended = new Promise<{ status: number | null; written: string }>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, written }));
  });
  const screen = (): string[] => (written.split(CLEAR).at(-1) ?? "").split(/\r*\n/);
  return {
    async shows(text) {
      await waitUntil(`the terminal to show '${text}' instead of:\n${screen().join("\n")}`, async () =>
        Promise.resolve(screen().join("\n").includes(text)),
      );
      return screen();
    },
    type: (keys) => void child.stdin.write(keys),
    ended,
  };
}
