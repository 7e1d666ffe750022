import { registerSecret, redactSecrets } from "@soar/errors";
import fc from "fast-check";
import { expect, test } from "vitest";
import { KeptText } from "./kept-text.ts";

const SECRET = "sesame-open-sesame";
registerSecret(SECRET);

function keep(maxCharacters: number, pieces: readonly string[]): string {
  const kept = new KeptText(maxCharacters);
  for (const piece of pieces) kept.add(piece);
  return kept.toString();
}

const pieces = fc.array(fc.oneof(fc.string({ maxLength: 30 }), fc.constant("."), fc.constant(SECRET)), {
  maxLength: 60,
});

test("text that fits is told as it came, in whatever pieces", () => {
  fc.assert(
    fc.property(pieces, (text) => {
      expect(keep(10_000, text)).toBe(redactSecrets(text.join("")));
    }),
  );
});

test("text that does not fit keeps its beginning and its end, and counts the rest", () => {
  fc.assert(
    fc.property(
      fc.array(fc.stringMatching(/^[a-f]{1,20}$/), { maxLength: 80 }),
      fc.integer({ min: 2, max: 200 }),
      (text, size) => {
        const [whole, max] = [text.join(""), size - (size % 2)];
        const kept = keep(max, text);
        if (whole.length <= max) expect(kept).toBe(whole);
        else
          expect(kept).toBe(
            `${whole.slice(0, max / 2)}\n[${whole.length - max} characters left out]\n${whole.slice(-max / 2)}`,
          );
      },
    ),
  );
});

test("no half of a secret is left where text is cut", () => {
  const parts = Array.from({ length: SECRET.length - 5 }, (_, at) => SECRET.slice(at, at + 6));
  fc.assert(
    fc.property(pieces, fc.integer({ min: 40, max: 300 }), fc.integer({ min: 1, max: 20 }), (texts, max, size) => {
      const whole = texts.join("");
      const cut = Array.from({ length: Math.ceil(whole.length / size) }, (_, at) =>
        whole.slice(at * size, (at + 1) * size),
      );
      const kept = keep(max, cut);
      for (const part of parts) expect(kept).not.toContain(part);
    }),
    { numRuns: 500 },
  );
});
