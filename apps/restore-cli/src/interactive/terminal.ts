import { emitKeypressEvents } from "node:readline";
import { SoarError } from "@soar/errors";

/** One press: the name of a key that is no character, or what was typed. */
export interface Key {
  readonly name:
    | "up"
    | "down"
    | "left"
    | "right"
    | "pageup"
    | "pagedown"
    | "home"
    | "end"
    | "enter"
    | "escape"
    | "backspace"
    | "text"
    | "resize"
    | "other";
  readonly text: string;
}

/** A terminal that is drawn on as a whole. Whatever was on it comes back when it is closed. */
export interface Terminal extends Disposable {
  readonly columns: number;
  readonly rows: number;
  show(lines: readonly string[]): void;
  /** Rejects with `ABORTED` for Ctrl-C, and with the signal's reason. */
  nextKey(): Promise<Key>;
}

const ENTER_SCREEN = "\u001B[?1049h\u001B[?25l";
const LEAVE_SCREEN = "\u001B[?25h\u001B[?1049l";
const CLEAR = "\u001B[H\u001B[2J";

const NAMES: Readonly<Record<string, Key["name"]>> = {
  up: "up",
  down: "down",
  left: "left",
  right: "right",
  pageup: "pageup",
  pagedown: "pagedown",
  home: "home",
  end: "end",
  return: "enter",
  enter: "enter",
  escape: "escape",
  backspace: "backspace",
};

/** Takes the keyboard and the screen. Dispose of it before anything else is printed or asked. */
export function openTerminal(input: NodeJS.ReadStream, output: NodeJS.WriteStream, signal: AbortSignal): Terminal {
  const waiting = new KeyQueue();
  const onKey = (text: string | undefined, key: KeyPress): void => {
    if (key.ctrl === true && (key.name === "c" || key.name === "d")) waiting.fail(stopped());
    else waiting.add(toKey(text, key));
  };
  const onResize = (): void => waiting.add({ name: "resize", text: "" });
  const onAbort = (): void => waiting.fail(signal.reason);
  const restore = (): void => void output.write(LEAVE_SCREEN);
  emitKeypressEvents(input);
  input.on("keypress", onKey).setRawMode(true).resume();
  output.on("resize", onResize);
  signal.addEventListener("abort", onAbort, { once: true });
  // Also when the process is ended from elsewhere; raw mode is taken back by Node itself.
  process.once("exit", restore);
  output.write(ENTER_SCREEN);
  if (signal.aborted) onAbort();
  return {
    // A terminal that does not know its size says 0.
    get columns() {
      return output.columns || 80;
    },
    get rows() {
      return output.rows || 24;
    },
    show: (lines) => void output.write(CLEAR + lines.join("\r\n")),
    nextKey: () => waiting.next(),
    [Symbol.dispose]() {
      process.off("exit", restore);
      signal.removeEventListener("abort", onAbort);
      output.off("resize", onResize);
      input.off("keypress", onKey).setRawMode(false).pause();
      restore();
    },
  };
}

/** What `node:readline` tells of a key. */
interface KeyPress {
  readonly name?: string | undefined;
  readonly ctrl?: boolean;
  readonly meta?: boolean;
}

function toKey(text: string | undefined, { name, ctrl, meta }: KeyPress): Key {
  const known = name === undefined ? undefined : NAMES[name];
  if (known !== undefined) return { name: known, text: "" };
  const isCharacter = text !== undefined && ctrl !== true && meta !== true && !/\p{Cc}/u.test(text);
  return isCharacter ? { name: "text", text } : { name: "other", text: "" };
}

function stopped(): SoarError {
  return new SoarError("ABORTED", "unable to finish 'soar-restore': it was stopped at the keyboard", {
    hint: "Nothing was changed.",
  });
}

/** Keys that were pressed and not asked for yet, or a question for one. */
class KeyQueue {
  readonly #keys: Key[] = [];
  #failure: { readonly reason: unknown } | undefined;
  #asked: PromiseWithResolvers<Key> | undefined;

  add(key: Key): void {
    const asked = this.#asked;
    this.#asked = undefined;
    if (asked === undefined) this.#keys.push(key);
    else asked.resolve(key);
  }

  fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#asked?.reject(this.#failure.reason);
    this.#asked = undefined;
  }

  next(): Promise<Key> {
    const key = this.#keys.shift();
    this.#asked = Promise.withResolvers<Key>();
    const { promise } = this.#asked;
    if (this.#failure !== undefined) this.fail(this.#failure.reason);
    else if (key !== undefined) this.add(key);
    return promise;
  }
}
