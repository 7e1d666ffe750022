import { resolve } from "node:path";
import { hasErrorCode, redactSecrets, SoarError } from "@soar/errors";
import { type ProgramResult, runProgram } from "@soar/programs";
import type { ProxySettings } from "../connect/store-proxy.ts";
import { visibleLine, visibleText } from "../screen/visible.ts";
import type { Config } from "../options/option-table.ts";
import type { notifyOptions } from "../options/notify-options.ts";
import type { Notification } from "./notification.ts";
import { postToWebhook } from "./post-to-webhook.ts";
import { tellEach } from "./tell-each.ts";

export type NotifyConfig = Pick<
  Config<typeof notifyOptions>,
  "notifyEmail" | "notifySlackWebhook" | "notifyOn" | "sendmail"
> &
  Partial<ProxySettings>;

/** A mail program that hangs must not hold up the run. */
const PATIENCE_MS = 30_000;

/**
 * Tells everybody who is configured, each way on its own. Rejects when all were tried with the first failure, which names the others:
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
    ...(config.notifySlackWebhook === undefined ? [] : [postToWebhook(config.notifySlackWebhook, config, safe)]),
  ];
  const outcomes = await Promise.allSettled(ways);
  await tellEach(
    ...outcomes.map((outcome) => async () => {
      if (outcome.status === "rejected") throw outcome.reason;
    }),
  );
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
