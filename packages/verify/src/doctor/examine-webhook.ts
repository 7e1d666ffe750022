import { once } from "node:events";
import { connect } from "node:net";
import { systemErrorCode } from "@soar/durable-files";
import { isSoarError, messageOf, SoarError } from "@soar/errors";
import type { Notes } from "./examination.ts";

const PATIENCE_MS = 5_000;
/** What getaddrinfo says of a name without an address, and when nobody can be asked for it. */
const UNKNOWN: ReadonlySet<string | undefined> = new Set(["ENOTFOUND", "EAI_AGAIN", "EAI_NODATA", "EAI_NONAME"]);
const ADVICE =
  "Correct BACKUP_NOTIFY_SLACK_WEBHOOK, or let this machine find and reach the host. Then try it: soar-backup-verify doctor --send-test-notice.";

/** Whether somebody listens where the webhook is. Only its host is named: the rest of the address is a secret. */
export async function examineWebhook(
  { webhook, isProxied }: { readonly webhook: string; readonly isProxied: () => boolean },
  notes: Notes,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (!URL.canParse(webhook))
    return notes.warning("webhook-unknown", "BACKUP_NOTIFY_SLACK_WEBHOOK is no address of a webhook", ADVICE);
  const { hostname, port, protocol } = new URL(webhook);
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  const way = wayTo(isProxied);
  if (way instanceof SoarError)
    return notes.error(
      "webhook-proxy",
      `no notice reaches the webhook, because the proxy on the way to its host, '${host}', cannot be used: ${way.message}`,
      "Except the host in NO_PROXY, or give backups a proxy of their own in BACKUP_PROXY, or 'off' for none.",
    );
  const failure = await reach(host, port === "" ? (protocol === "http:" ? 80 : 443) : Number(port), signal);
  if (failure === undefined) return notes.ok("webhook", `the host of the webhook, '${host}', can be reached`);
  if (way === "proxy")
    return notes.notice(
      "webhook-unseen",
      `the host of the webhook, '${host}', cannot be reached from here but through a proxy, if at all`,
      "Try it: soar-backup-verify doctor --send-test-notice.",
    );
  if (UNKNOWN.has(systemErrorCode(failure)))
    notes.warning("webhook-unknown", `the host of the webhook is not known: '${host}'`, ADVICE);
  else
    notes.warning(
      "webhook-unreachable",
      `the host of the webhook, '${host}', cannot be reached: ${messageOf(failure)}`,
      ADVICE,
    );
}

/** What a proxy that is there makes impossible, although this machine could connect, is the failure of each notice. */
function wayTo(isProxied: () => boolean): "proxy" | "direct" | SoarError {
  try {
    return isProxied() ? "proxy" : "direct";
  } catch (error) {
    if (isSoarError(error) && error.code === "CONFIG_INVALID") return error;
    throw error;
  }
}

/** Connects and says nothing; what failed, where it does not come to that. */
async function reach(host: string, port: number, signal: AbortSignal | undefined): Promise<unknown> {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  const socket = connect({ host, port });
  try {
    await once(socket, "connect", { signal: signal === undefined ? patience : AbortSignal.any([signal, patience]) });
    return undefined;
  } catch (error) {
    signal?.throwIfAborted();
    return patience.aborted ? new Error(`no answer within ${PATIENCE_MS / 1000} s`) : error;
  } finally {
    socket.on("error", () => undefined).destroy();
  }
}
