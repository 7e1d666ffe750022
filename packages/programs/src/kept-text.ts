import { redactSecrets } from "@soar/errors";

/**
 * What a program printed, without secrets, in bounded memory: its first words, which name the cause, and its last ones, which
 * sum up. What lies between is counted.
 */
export class KeptText {
  readonly #half: number;
  #head = "";
  #rest = "";
  #leftOut = 0;

  constructor(maxCharacters: number) {
    this.#half = Math.ceil(maxCharacters / 2);
  }

  add(text: string): void {
    this.#rest += text;
    // Not with every piece: cutting copies.
    if (this.#rest.length > 4 * this.#half) this.#cut();
  }

  toString(): string {
    if (this.#head.length + this.#rest.length > 2 * this.#half) this.#cut();
    if (this.#leftOut === 0) return redactSecrets(this.#head + this.#rest);
    return `${this.#head}\n[${this.#leftOut} characters left out]\n${redactSecrets(this.#rest)}`;
  }

  #cut(): void {
    // Before the cut, of which one half of a secret would remain that nobody recognises any more.
    let text = redactSecrets(this.#rest);
    if (this.#head === "") {
      this.#head = text.slice(0, this.#half);
      text = text.slice(this.#half);
    }
    this.#leftOut += Math.max(0, text.length - this.#half);
    this.#rest = text.slice(-this.#half);
  }
}
