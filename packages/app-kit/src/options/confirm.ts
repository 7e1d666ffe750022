import { SoarError } from "@soar/errors";
import type { OptionTable } from "./option-table.ts";
import { visibleText } from "../screen/visible.ts";
import type { Screen } from "../screen/screen.ts";

/** The option of every command that destroys something. */
export const confirmOptions = {
  yes: {
    type: "boolean",
    default: false,
    group: "General",
    help: "Do not ask; for scripts. The plan is printed all the same.",
  },
} as const satisfies OptionTable;

export interface ConfirmOptions {
  /** Everything that will happen, printed before the question, with the consequences in words. */
  readonly plan: string;
  /** Without a question mark: `Replace the data directory`. */
  readonly question: string;
  /** The value of `--yes`. */
  readonly yes: boolean;
  /** The word that has to be typed in full; `yes` unless something graver is asked. */
  readonly phrase?: string;
}

/**
 * Resolves when the operator agreed. Rejects with `OPERATOR_DECLINED` for any other answer or the end of input, with
 * `CONFIRMATION_IMPOSSIBLE` without a terminal and without `--yes`, with `ABORTED` when a signal comes first.
 */
export type Confirm = (options: ConfirmOptions) => Promise<void>;

export interface ConfirmTerminal {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly screen: Screen;
  readonly signal: AbortSignal;
}

export async function confirm(options: ConfirmOptions, terminal: ConfirmTerminal): Promise<void> {
  const { plan, question, yes, phrase = "yes" } = options;
  terminal.screen.writeLine(visibleText(plan));
  if (yes) return;
  if (terminal.input.isTTY !== true || !terminal.screen.isTerminal) {
    throw new SoarError("CONFIRMATION_IMPOSSIBLE", `unable to ask '${question}?': there is no terminal`, {
      hint: "Read the plan above. Add --yes to agree to it from a script.",
    });
  }
  const answer = await ask(`${question}? Type ${phrase} to go on: `, terminal);
  if (answer?.trim() !== phrase) {
    throw new SoarError("OPERATOR_DECLINED", `unable to go on: '${question}?' was not answered with ${phrase}`, {
      hint: "Nothing was changed.",
    });
  }
}

/** Undefined for the end of input. */
async function ask(prompt: string, { input, screen, signal }: ConfirmTerminal): Promise<string | undefined> {
  const { createInterface } = await import("node:readline");
  signal.throwIfAborted();
  screen.writeText(visibleText(prompt));
  // `terminal: false` leaves the terminal's own line editing on, and with it Ctrl-C as a signal.
  const reader = createInterface({ input, terminal: false });
  try {
    return await new Promise<string | undefined>((resolve, reject) => {
      const giveUp = (settle: () => void) => (): void => {
        // What follows must not stand behind the question.
        screen.writeText("\n");
        settle();
      };
      const onClose = giveUp(() => resolve(undefined));
      reader.once("line", (line) => {
        reader.off("close", onClose);
        resolve(line);
      });
      reader.once("close", onClose);
      signal.addEventListener(
        "abort",
        giveUp(() => reject(signal.reason as Error)),
        { once: true },
      );
    });
  } finally {
    reader.removeAllListeners("close");
    reader.close();
  }
}
