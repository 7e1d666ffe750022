import { quoteForShell } from "@soar/programs";

/** A word of `archive_command`, in which PostgreSQL replaces `%p` and `%f` before the shell sees it. */
export function quoteForArchiveCommand(word: string): string {
  return quoteForShell(word).replaceAll("%", "%%");
}
