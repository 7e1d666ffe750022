import { resolve } from "node:path";
import { hasErrorCode, redactSecrets, SoarError } from "@soar/errors";
import { type ProgramResult, runProgram } from "@soar/programs";
import { visibleLine, visibleText } from "../screen/visible.ts";
import type { Config } from "../options/option-table.ts";
import type { notifyOptions } from "../options/notify-options.ts";

export interface Notification {
  readonly outcome: "success" | "failure";
  /** One line. */
  readonly subject: string;
  readonly text: string;
}

export type NotifyConfig = Pick<
  Config<typeof notifyOptions>,
  "notifyEmail" | "notifySlackWebhook" | "notifyOn" | "sendmail"
>;

/** A webhook or mail program that hangs must not hold up the run. */
const PATIENCE_MS = 30_000;

/**
 * Tells everybody who is configured, each way on its own. Rejects with the first failure when all were tried:
 * `PROGRAM_MISSING` or `PROGRAM_FAILED`. Secrets are removed from what is sent.
 */
export async function notify(config: NotifyConfig, notification: Notification): Promise<void> {
  if (config.notifyOn === "failure" && notification.outcome === "success") return;
  const safe = {
    ...notification,
    subject: visibleLine(redactSecrets(notification.subject).replaceAll(/\s+/g, " ")),
    text: visibleText(redactSecrets(notification.text)),
  };
  const ways = [
    ...(config.notifyEmail.length === 0 ? [] : [sendMail(config, safe)]),
    ...(config.notifySlackWebhook === undefined ? [] : [postToWebhook(config.notifySlackWebhook, safe)]),
  ];
  for (const outcome of await Promise.allSettled(ways)) if (outcome.status === "rejected") throw outcome.reason;
}

async function sendMail({ sendmail, notifyEmail }: NotifyConfig, { subject, text }: Notification): Promise<void> {
  const head = [
    `To: ${notifyEmail.join(", ")}`,
    `Subject: ${encodeHeader(subject)}`,
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=utf-8",
    "Content-Transfer-Encoding: 8bit",
    "Auto-Submitted: auto-generated",
  ];
  const result = await runSendmail(sendmail, notifyEmail, `${head.join("\n")}\n\n${text}\n`);
  if (result.status === 0) return;
  const ending = result.status === undefined ? result.ending : `'${sendmail}' ended with ${result.status}`;
  const said = result.stderr.trim();
  throw new SoarError("PROGRAM_FAILED", `unable to send mail: ${ending}${said === "" ? "" : `: ${said}`}`, {
    hint: "Look into the mail program's log.",
  });
}

async function runSendmail(sendmail: string, addresses: readonly string[], mail: string): Promise<ProgramResult> {
  try {
    // -oi: a line with a single dot is part of the text. Addresses stand behind --, where none is taken for an option.
    return await runProgram(sendmail.includes("/") ? resolve(sendmail) : sendmail, ["-oi", "--", ...addresses], {
      env: process.env,
      input: mail,
      timeoutMs: PATIENCE_MS,
      // Some hand the mail to a process that goes on delivering it.
      mayOutlive: true,
    });
  } catch (error) {
    if (!hasErrorCode(error, "PROGRAM_MISSING")) throw error;
    throw new SoarError("PROGRAM_MISSING", error.message, {
      cause: error,
      hint: "Install a mail program with a sendmail command, name it in BACKUP_SENDMAIL, or leave BACKUP_NOTIFY_EMAIL unset.",
    });
  }
}

/** RFC 2047 where it has to be. */
function encodeHeader(text: string): string {
  return /^[\u0020-\u007e]*$/.test(text) ? text : `=?utf-8?B?${Buffer.from(text).toString("base64")}?=`;
}

async function postToWebhook(url: string, { outcome, subject, text }: Notification): Promise<void> {
  const mark = outcome === "success" ? ":white_check_mark:" : ":rotating_light:";
  let status: string;
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ text: `${mark} *${subject}*\n${text}` }),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    await response.body?.cancel();
    if (response.ok) return;
    status = `it answered ${response.status}`;
  } catch (error) {
    status = describe(error);
  }
  // The address is the secret; it is not named.
  throw new SoarError("PROGRAM_FAILED", `unable to notify the webhook: ${status}`, {
    hint: "Check BACKUP_NOTIFY_SLACK_WEBHOOK, and that this machine may reach it.",
  });
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
