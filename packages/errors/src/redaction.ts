/** What stands in the place of a secret. */
export const HIDDEN = "[hidden]";

/**
 * Values that must never be printed. Process-wide on purpose: a secret of one store must not appear in an error of
 * another part either. It only ever grows, and nothing reads it back but `redactSecrets`.
 */
const secrets = new Set<string>();

/** Shorter values would turn ordinary words into `[hidden]`. */
const SHORTEST_SECRET = 6;

/** Makes `redactSecrets` hide this value, also in its URL-encoded form. Values under six characters are left alone. */
export function registerSecret(value: string | undefined): void {
  if (value === undefined || value.length < SHORTEST_SECRET) return;
  secrets.add(value);
  secrets.add(encodeURIComponent(value.toWellFormed()));
}

/** Shapes of secrets that were never registered: keys of providers, passwords in URLs and connection strings, signatures. */
const SHAPES: readonly (readonly [RegExp, string])[] = [
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, HIDDEN],
  // The scheme has an end: without it, every letter of a long word would be looked at as often as there are letters before it.
  [/([a-z][a-z0-9+.-]{0,30}:\/\/[^\s/:@]*):[^\s/@]+@/gi, `$1:${HIDDEN}@`],
  [/\b(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s"']+/gi, `$1${HIDDEN}`],
  [/\b(Signature=)[0-9a-f]{32,}/gi, `$1${HIDDEN}`],
  [
    /((?:secret_?access_?key|password|passwd|session_?token)["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;&}]+)/gi,
    `$1${HIDDEN}`,
  ],
  [/(hooks\.slack\.com\/services\/)\S+/gi, `$1${HIDDEN}`],
];

/** Returns the text with every registered secret, and everything that has the shape of one, replaced by `[hidden]`. */
export function redactSecrets(text: string): string {
  let redacted = text;
  // Longest first: a secret that contains another one must not leave its rest behind.
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) redacted = redacted.replaceAll(secret, HIDDEN);
  for (const [shape, replacement] of SHAPES) redacted = redacted.replace(shape, replacement);
  return redacted;
}
