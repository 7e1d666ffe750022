import type { ErrorCodeRow } from "@soar/errors";
import { formatMarkdownTable, GENERATED } from "./markdown.ts";

/** docs/errors.md: one row per failure that an operator can meet. */
export function formatErrorsPage(codes: Readonly<Record<string, ErrorCodeRow>>): string {
  const rows = Object.entries(codes)
    .sort(([, a], [, b]) => a.exitStatus - b.exitStatus)
    .map(([code, { exitStatus, retryable, meaning }]) => [
      String(exitStatus),
      `\`${code}\``,
      meaning,
      retryable ? "yes" : "",
    ]);
  return `# Errors and exit statuses

${GENERATED}

A failure that somebody can act on prints two lines on stderr, \`error:\` with what could not be done and why, and \`hint:\` with what
to do next, and ends with the status below. With \`--log-format json\` it is one line with the fields time, level, component, message,
code and hint. Anything else is a bug: it prints its stack and the versions, and ends with 70.

Statuses are never renumbered. 0 is success; 1 is left to Node, which ends with it when it cannot even load the program. All stay
within 1..125: PostgreSQL's archiver does not count an \`archive_command\` that ends above 125, or dies of a signal, as failed.
\`soar-restore wal-fetch\`, run by PostgreSQL as \`restore_command\`, is the one exception: 0 delivered, 1 a proved end of the chain or
a history file that does not exist, 126 everything else, so that recovery never ends early by mistake. To a standby, which asks again,
everything that is not delivered is 1.

"Retryable" means that the same command may succeed later without anybody acting.

${formatMarkdownTable(["Status", "Code", "Meaning", "Retryable"], rows)}
`;
}
