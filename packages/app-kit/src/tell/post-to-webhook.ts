import { once } from "node:events";
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { messageOf, SoarError } from "@soar/errors";
import { proxyOf, type ProxySettings } from "../connect/store-proxy.ts";
import type { Notification } from "./notification.ts";

/** A webhook that hangs must not hold up the run. */
const PATIENCE_MS = 30_000;

/** Posts to Slack or what understands the same, through the proxies that are set. Rejects with `PROGRAM_FAILED`. */
export async function postToWebhook(
  address: string,
  proxies: Partial<ProxySettings>,
  { outcome, subject, text }: Notification,
): Promise<void> {
  const mark = outcome === "success" ? ":white_check_mark:" : ":rotating_light:";
  const fault = await post(address, JSON.stringify({ text: `${mark} *${subject}*\n${text}` }), proxyEnv(proxies));
  if (fault === undefined) return;
  // The address is the secret; it is not named.
  throw new SoarError("PROGRAM_FAILED", `unable to notify the webhook: ${fault}`, {
    hint: "Check BACKUP_NOTIFY_SLACK_WEBHOOK, and that this machine may reach it.",
  });
}

/** What went wrong, if anything. */
async function post(
  address: string,
  body: string,
  proxies: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  try {
    const isPlain = new URL(address).protocol === "http:";
    const agent = new (isPlain ? HttpAgent : HttpsAgent)({ proxyEnv: proxies });
    const request = (isPlain ? httpRequest : httpsRequest)(address, {
      method: "POST",
      headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
      agent,
      signal: patience,
    });
    request.end(body);
    const [response] = (await once(request, "response")) as [IncomingMessage];
    // What it says besides is of no interest, and neither is what becomes of the connection.
    request.on("error", () => undefined);
    response.destroy();
    const { statusCode = 0 } = response;
    return statusCode >= 200 && statusCode < 300 ? undefined : `it answered ${statusCode}`;
  } catch (error) {
    return patience.aborted ? `no answer within ${PATIENCE_MS / 1000} s` : messageOf(error);
  }
}

/** As Node's agents want them. Theirs excepts a host alone, not what lies below it, as curl's does. */
function proxyEnv(settings: Partial<ProxySettings>): Readonly<Record<string, string>> {
  const none = { proxy: undefined, httpsProxy: undefined, httpProxy: undefined, noProxy: undefined };
  const { http = "", https = "", except = [] } = proxyOf({ ...none, ...settings }, process.env) ?? {};
  const names = except.flatMap((entry) => (/^[a-z]/i.test(entry) ? [entry, `.${entry}`] : [entry]));
  return { HTTP_PROXY: withScheme(http), HTTPS_PROXY: withScheme(https), NO_PROXY: names.join(",") };
}

function withScheme(proxy: string): string {
  return proxy === "" || proxy.includes("://") ? proxy : `http://${proxy}`;
}
