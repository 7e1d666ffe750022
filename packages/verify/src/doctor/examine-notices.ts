import { isSoarError } from "@soar/errors";
import type { UserOptions } from "./as-user.ts";
import { examineMail } from "./examine-mail.ts";
import { examineWebhook } from "./examine-webhook.ts";
import type { Notes } from "./examination.ts";
import type { NoticeSettings, TestNotice } from "./program-settings.ts";

/** Whether somebody would hear of a run that failed. */
export async function examineNotices(settings: NoticeSettings, notes: Notes, options: UserOptions): Promise<void> {
  const { addresses, sendmail, webhook, isProxied, tests } = settings;
  if (addresses.length === 0 && webhook === undefined)
    notes.notice(
      "notices-nobody",
      "neither mail nor a webhook is set: nobody is told that a run failed",
      "Set BACKUP_NOTIFY_EMAIL or BACKUP_NOTIFY_SLACK_WEBHOOK, or have alerts on the metrics.",
    );
  if (addresses.length > 0) await examineMail({ addresses, sendmail }, notes, options);
  if (webhook !== undefined) await examineWebhook({ webhook, isProxied }, notes, options.signal);
  if (tests !== undefined) await sendTests(tests, notes);
}

async function sendTests(tests: readonly TestNotice[], notes: Notes): Promise<void> {
  if (tests.length === 0)
    notes.error(
      "test-notice",
      "there is nobody to send a test notice to",
      "Set BACKUP_NOTIFY_EMAIL or BACKUP_NOTIFY_SLACK_WEBHOOK.",
    );
  for (const { way, send } of tests) {
    try {
      await send();
      notes.ok("test-notice", `a test notice was handed over, ${way}; whether it arrives, only who gets it can say`);
    } catch (error) {
      if (!isSoarError(error) || error.code === "ABORTED") throw error;
      notes.error(
        "test-notice",
        `no test notice could be sent, ${way}: ${error.message}`,
        error.hint ?? "Repair this.",
      );
    }
  }
}
