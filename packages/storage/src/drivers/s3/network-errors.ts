import type { FailureMeaning } from "./failure-meaning.ts";
import type { S3Settings } from "./settings.ts";

type Peer = Pick<S3Settings, "endpoint" | "provider" | "nameOf">;

/** Errors of TLS that no repetition cures: the certificate is what it is. */
const CERTIFICATE_FAULTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet, or the clock of this machine is wrong",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is signed by itself",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is signed by an authority that this machine does not know",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is signed by an authority that this machine does not know",
  UNABLE_TO_GET_ISSUER_CERT: "its certificate is signed by an authority that this machine does not know",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate is signed by an authority that this machine does not know",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another host",
};

/** What an error without an HTTP answer means. Everything that time may cure is retryable. */
export function findNetworkMeaning(
  code: string,
  message: string,
  { endpoint, provider, nameOf }: Peer,
): FailureMeaning {
  const certificateFault = CERTIFICATE_FAULTS[code];
  if (certificateFault !== undefined) return untrusted(endpoint, certificateFault, nameOf("caPem"));
  switch (code) {
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return unreachable(
        `the host of ${endpoint} is not found`,
        `Check the endpoint (${nameOf("endpoint")}) for typing errors, and name resolution on this machine.`,
      );
    case "ECONNREFUSED":
      return unreachable(
        `nothing listens at ${endpoint}`,
        "Check host and port of the endpoint, and that the server runs.",
      );
    case "PROXY_UNREACHABLE":
    case "PROXY_REFUSED":
    case "PROXY_AUTHENTICATION":
      return meaningOfProxy(code, message, nameOf("proxy"));
    case "ENETUNREACH":
    case "EHOSTUNREACH":
      return unreachable(`there is no route to ${endpoint}`, "Check the network and the firewall.");
    case "CONNECT_TIMEOUT":
    case "ETIMEDOUT":
      return unreachable(
        `${endpoint} does not answer (${message})`,
        "Check the network and the firewall; a wrong port often shows like this.",
      );
    case "IDLE_TIMEOUT":
    case "REQUEST_TIMEOUT":
      return unreachable(`${endpoint} is too slow (${message})`, provider.retryAdvice);
    case "EPROTO":
    case "ERR_SSL_WRONG_VERSION_NUMBER":
    case "ERR_SSL_PACKET_LENGTH_TOO_LONG":
      return {
        ...unreachable(
          `${endpoint} does not speak TLS (${code})`,
          "Check scheme and port of the endpoint: perhaps it is http.",
        ),
        retryable: false,
      };
    case "HPE_INVALID_CONSTANT":
    case "HPE_INVALID_VERSION":
      return {
        ...unreachable(
          `${endpoint} does not speak HTTP (${code})`,
          "Check scheme and port of the endpoint: perhaps it is https.",
        ),
        retryable: false,
      };
    default:
      return meaningOfOther(code, message, endpoint);
  }
}

/** The way ended at the proxy: nothing is known of the endpoint. */
function meaningOfProxy(code: string, message: string, setting: string): FailureMeaning {
  const fact = `the proxy ${message}`;
  if (code === "PROXY_UNREACHABLE")
    return unreachable(fact, `Check the proxy (${setting}), or except the endpoint's host from it.`);
  if (code === "PROXY_REFUSED")
    return { ...unreachable(fact, `Have the proxy (${setting}) let this host and port through.`), retryable: false };
  return { code: "STORE_DENIED", fact, hint: `Write user and password into the proxy's address (${setting}).` };
}

function untrusted(endpoint: string, fault: string, setting: string): FailureMeaning {
  return {
    ...unreachable(
      `${endpoint} cannot be trusted: ${fault}`,
      `Check the endpoint, or name the certificates of a private authority (${setting}).`,
    ),
    retryable: false,
  };
}

function meaningOfOther(code: string, message: string, endpoint: string): FailureMeaning {
  if (/^E[A-Z]+$|^ERR_(?:SSL|STREAM|SOCKET|TLS|HTTP)|^HPE_/.test(code))
    return unreachable(
      `the connection to ${endpoint} broke (${code})`,
      "Check the network, and whether something in between limits the time or size of connections; then run the command again.",
    );
  return { code: "STORE_PROTOCOL", fact: `the answer of ${endpoint} cannot be used (${code}: ${message})` };
}

function unreachable(fact: string, hint: string): FailureMeaning {
  return { code: "STORE_UNREACHABLE", fact, hint };
}
