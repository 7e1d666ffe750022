/** One token of pg_hba.conf or pg_ident.conf. */
export interface AccessToken {
  /** Without quotes. */
  readonly value: string;
  /** It begins with a quote: then no word of it means anything special. */
  readonly isQuoted: boolean;
  /** The line that it belongs to, counted from 1; a continued one counts once. */
  readonly line: number;
  /** Where it stands in the text, and where it ends. */
  readonly start: number;
  readonly end: number;
}

const SEPARATORS: ReadonlySet<string | undefined> = new Set([" ", "\t", "\r", ",", "\n"]);

/**
 * The tokens of an access file, or of a list that one names, as the server reads them (next_token and tokenize_auth_file of hba.c): blanks
 * and commas separate, a `#` outside of quotes begins a comment, a backslash at the end of a line continues it. One after the other: a
 * file that somebody else has written may have millions.
 */
export function* accessTokens(text: string): Generator<AccessToken> {
  let at = 0;
  let line = 1;
  const skipComment = (): void => {
    while (at < text.length && text[at] !== "\n") at += continuationAt(text, at) || 1;
  };
  while (at < text.length) {
    const skipped = continuationAt(text, at);
    if (skipped > 0) at += skipped;
    else if (text[at] === "#") skipComment();
    else if (SEPARATORS.has(text[at])) {
      if (text[at] === "\n") line += 1;
      at += 1;
    } else {
      const token = readToken(text, at);
      yield { ...token, line };
      at = token.end;
    }
  }
}

/** Up to a separator outside of quotes; a quote that is not closed ends with its line. */
function readToken(text: string, start: number): Omit<AccessToken, "line"> {
  let value = "";
  let inQuotes = false;
  let wasQuote = false;
  let isQuoted = false;
  let end = start;
  for (; end < text.length; end += 1) {
    const sign = text.charAt(end);
    if (sign === "\n" || (!inQuotes && (SEPARATORS.has(sign) || sign === "#"))) break;
    if (continuationAt(text, end) > 0) break;
    if (sign !== '"' || wasQuote) value += sign;
    wasQuote = inQuotes && sign === '"' && !wasQuote;
    if (sign !== '"') continue;
    inQuotes = !inQuotes;
    isQuoted ||= end === start;
  }
  return { value, isQuoted, start, end };
}

/** The length of a backslash that takes the next line for the same; 0 where there is none. */
function continuationAt(text: string, at: number): number {
  if (text[at] !== "\\") return 0;
  if (text[at + 1] === "\n") return 2;
  return text.startsWith("\r\n", at + 1) ? 3 : 0;
}
