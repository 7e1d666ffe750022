import type { ChildProcess, StdioOptions } from "node:child_process";
import { describeEnd, describeStubborn, type ProgramEnd } from "./program-end.ts";
import { holdGroup, releaseGroup, signalGroup } from "./program-group.ts";
import type { ProgramOptions } from "./program-options.ts";
import { programMissing, spawnGroup } from "./spawn-group.ts";

const FORCE_AFTER_MS = 10_000;
/** Without a byte for so long after the program has ended, its output is held open by something else. */
const SILENCE_MS = 1000;
/** Something else that goes on printing is not listened to for longer than this many times. */
const LONGEST_SILENCES = 10;

export interface SpawnedOptions extends ProgramOptions {
  readonly stdio: StdioOptions;
  /** Bytes that were read so far of what it prints; undefined when somebody reads it at his own pace. */
  readonly received: (() => number) | undefined;
}

/**
 * A program in a group of its own: signals to our group, Ctrl-C among them, do not reach it, and it is ended together with
 * what it started. The one answer to a program that does not listen, and to one whose output is held open by others.
 */
export class SpawnedProgram {
  readonly child: ChildProcess;
  /** Resolves when it has ended and its output was read. Rejects with `PROGRAM_MISSING` when it cannot be run at all. */
  readonly ended: Promise<ProgramEnd>;
  readonly #options: SpawnedOptions;
  readonly #stop = (): void => this.stop();
  #hasExited = false;
  /** Settles `ended` with what is known. */
  #giveUp: () => void = () => undefined;
  #force: NodeJS.Timeout | undefined;
  #silence: NodeJS.Timeout | undefined;

  constructor(path: string, args: readonly string[], options: SpawnedOptions) {
    const { signal, mayOutlive } = options;
    this.#options = options;
    this.child = spawnGroup(path, args, options);
    const { pid } = this.child;
    if (pid !== undefined && mayOutlive !== true) holdGroup(pid);
    signal?.addEventListener("abort", this.#stop, { once: true });
    this.ended = this.#follow(path).finally(() => this.#release());
    // Awaited by whoever reads its output to the end; a failure before that must not end this process.
    this.ended.catch(() => undefined);
  }

  /** Asks it to end, and ends it by force when it does not. Output that is held open by others is given up then. */
  stop(): void {
    if (this.#hasExited) this.#leaveOutput();
    else if (this.#force === undefined) {
      this.#signal("SIGTERM");
      this.#force = setTimeout(() => {
        if (!this.#signal("SIGKILL")) this.#giveUp();
      }, this.#options.forceAfterMs ?? FORCE_AFTER_MS);
    }
  }

  async #follow(path: string): Promise<ProgramEnd> {
    const { child } = this;
    return await new Promise((resolve, reject) => {
      // It has become another user's, as a set-user-id program may.
      this.#giveUp = () => resolve(describeStubborn(path));
      child.once("error", (cause) => reject(programMissing(path, cause)));
      child.once("exit", (status, by) => {
        this.#giveUp = () => resolve(describeEnd(path, status, by));
        this.#onExit();
      });
      child.once("close", (status, by) => resolve(describeEnd(path, status, by)));
    });
  }

  #onExit(): void {
    this.#hasExited = true;
    clearTimeout(this.#force);
    // At once: as long as a process of it is left, its number is not given to another group.
    if (this.#options.mayOutlive !== true) this.#signal("SIGKILL");
    const { received } = this.#options;
    if (received === undefined) {
      if (this.#force !== undefined) this.#leaveOutput();
      return;
    }
    let [before, count] = [received(), 0];
    this.#silence = setInterval(() => {
      // On a busy machine this may run before what came meanwhile is read.
      setImmediate(() => {
        const now = received();
        if (now === before || ++count === LONGEST_SILENCES) this.#giveUp();
        before = now;
      });
    }, SILENCE_MS);
  }

  /** Time for the reader to come to the end, of which nobody holds it back as a rule. */
  #leaveOutput(): void {
    this.#silence ??= setTimeout(() => this.#dropOutput(), SILENCE_MS);
  }

  #signal(name: NodeJS.Signals): boolean {
    return this.child.pid !== undefined && signalGroup(this.child.pid, name);
  }

  #dropOutput(): void {
    this.child.stdout?.destroy();
    this.child.stderr?.destroy();
  }

  #release(): void {
    clearTimeout(this.#force);
    clearInterval(this.#silence);
    this.#options.signal?.removeEventListener("abort", this.#stop);
    if (this.child.pid !== undefined) releaseGroup(this.child.pid);
    this.#dropOutput();
    if (!this.#hasExited) this.child.unref();
  }
}
