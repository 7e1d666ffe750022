/** A word as a shell takes it literally; plain words stay as they are. */
export function quoteForShell(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A word of `archive_command`, in which PostgreSQL replaces `%p` and `%f` before the shell sees it. */
export function quoteForArchiveCommand(word: string): string {
  return quoteForShell(word).replaceAll("%", "%%");
}
