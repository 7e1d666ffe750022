import { runAsUser, type UserOptions } from "./as-user.ts";
import type { Notes } from "./examination.ts";
import type { NoticeSettings } from "./program-settings.ts";

/** Ends with 1 when there is no such program, with 2 when it may not be run. */
const FIND = `
case $1 in */*) program=$1 ;; *) program=$(command -v -- "$1") || exit 1 ;; esac
[ -e "$program" ] || exit 1
[ -f "$program" ] && [ -x "$program" ] || exit 2
`;

/** Whether there is a program that takes the mails. */
export async function examineMail(
  { addresses, sendmail }: Pick<NoticeSettings, "addresses" | "sendmail">,
  notes: Notes,
  options: UserOptions,
): Promise<void> {
  const { status, ending } = await runAsUser(FIND, [sendmail], options);
  const to = addresses.join(", ");
  if (status === 0) return notes.ok("mail", `mail to ${to} goes through '${sendmail}'`);
  const fact =
    status === 1 ? "does not exist" : status === 2 ? "is no program that may be run" : `cannot be looked at: ${ending}`;
  notes.warning(
    "sendmail-missing",
    `mail to ${to} is set, and '${sendmail}' ${fact}: nobody is told by mail`,
    "Install a mail program with a sendmail command, such as Debian's msmtp-mta or postfix, or name it in BACKUP_SENDMAIL. Then try it: soar-backup-verify doctor --send-test-notice.",
  );
}
