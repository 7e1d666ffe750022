import type { Check, Finding } from "./check.ts";

const PAGE = "docs/safety.md";
const CITED = /\b(traps?|promises?) (\d+(?:(?:, | and )\d+)*)/gi;
const DEFINED = /^\*\*(Trap|Promise) (\d+)\./gm;

/** Code and decisions cite promises and traps by number: each of them stands on the page. */
export const citedSafety: Check = {
  name: "promises and traps that are cited exist",
  find: ({ files }) => {
    const page = files.get(PAGE) ?? "";
    const defined = new Set(
      Array.from(page.matchAll(DEFINED), ([, kind = "", number]) => `${kind.toLowerCase()} ${number}`),
    );
    return Array.from(files).flatMap(([path, text]) =>
      Array.from(text.matchAll(CITED)).flatMap(({ 1: kind = "", 2: numbers = "", index }): Finding[] => {
        const line = text.slice(0, index).split("\n").length;
        return (numbers.match(/\d+/g) ?? [])
          .map((number) => `${kind.toLowerCase().replace(/s$/, "")} ${number}`)
          .filter((cited) => !defined.has(cited))
          .map((cited) => ({ path, line, message: `${cited} is not on ${PAGE}` }));
      }),
    );
  },
};
