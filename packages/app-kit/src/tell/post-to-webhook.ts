import { once } from "node:events";
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { messageOf, SoarError } from "@soar/errors";
import { chooseProxy, targetOf } from "@soar/storage/proxy-choice";
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
  const fault = await post(address, JSON.stringify({ text: `${mark} *${subject}*\n${text}` }), proxies);
  if (fault === undefined) return;
  // The address is the secret; it is not named.
  throw new SoarError("PROGRAM_FAILED", `unable to notify the webhook: ${fault}`, {
    hint: "Check BACKUP_NOTIFY_SLACK_WEBHOOK, and that this machine may reach it.",
  });
}

/** Whether a proxy lies on the way to the webhook. Throws `CONFIG_INVALID` for one that cannot be used: then no notice arrives. */
export function isWebhookProxied(address: string, proxies: Partial<ProxySettings>): boolean {
  return proxyTo(new URL(address), proxies) !== undefined;
}

/** What went wrong, if anything. */
async function post(address: string, body: string, proxies: Partial<ProxySettings>): Promise<string | undefined> {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  try {
    const url = new URL(address);
    const isPlain = url.protocol === "http:";
    // Which hosts are excepted is decided here: Node's agents know neither networks nor what lies below a host.
    const proxy = proxyTo(url, proxies)?.href;
    const agent = new (isPlain ? HttpAgent : HttpsAgent)({ proxyEnv: { HTTP_PROXY: proxy, HTTPS_PROXY: proxy } });
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

/** The same choice as on the way to the storage. */
function proxyTo(url: URL, settings: Partial<ProxySettings>): URL | undefined {
  const none = { proxy: undefined, httpsProxy: undefined, httpProxy: undefined, noProxy: undefined };
  return chooseProxy(proxyOf({ ...none, ...settings }, process.env))(targetOf(url));
}
