import type { S3AdminWire } from "./admin-wire.ts";
import type { CredentialChain, Signed } from "./credential-chain.ts";
import { isAboutCredentials, mayBeAboutCredentials } from "./refusals.ts";
import { type RawS3Wire, S3Failure, type S3Wire } from "./wire.ts";

/** A wire whose credentials change, where there is a chain. */
export interface ChangingWire {
  readonly wire: RawS3Wire;
  readonly chain: CredentialChain | undefined;
}

type Renewer = <R, T>(call: (request: R) => Promise<T>) => (request: R) => Promise<T>;

/**
 * Looks for credentials anew after a refusal of those that a request was signed with, and makes it once more where they are
 * others. Not every server has words of its own for a token that has lapsed: what may as well be a missing right stays one
 * when nothing else is found.
 */
function renewerOf(chain: CredentialChain): Renewer {
  return (call) => async (request) => {
    const signed: Signed = {};
    const attempt = async (): ReturnType<typeof call> => {
      const result = await chain.signing(signed, () => call(request));
      chain.worked();
      return result;
    };
    try {
      return await attempt();
    } catch (refusal) {
      if (!(refusal instanceof S3Failure) || !mayBeAboutCredentials(refusal)) throw refusal;
      await requireOthers(chain, refusal, signed);
    }
    try {
      return await attempt();
    } catch (error) {
      throw error instanceof S3Failure && isAboutCredentials(error) ? chain.explain(error) : error;
    }
  };
}

/** The same wire with credentials that are renewed. */
export function throughRenewal(wire: S3Wire, chain: CredentialChain): S3Wire {
  const renewed = renewerOf(chain);
  return {
    putObject: renewed(wire.putObject),
    getObject: renewed(wire.getObject),
    headObject: renewed(wire.headObject),
    headBucket: renewed(wire.headBucket),
    listPage: renewed(wire.listPage),
    createUpload: renewed(wire.createUpload),
    uploadPart: renewed(wire.uploadPart),
    completeUpload: renewed(wire.completeUpload),
    abortUpload: renewed(wire.abortUpload),
    listParts: renewed(wire.listParts),
    listUploads: renewed(wire.listUploads),
    deleteObject: renewed(wire.deleteObject),
    deleteObjects: renewed(wire.deleteObjects),
    close: () => wire.close(),
  };
}

/** The same for requests about the bucket itself. */
export function adminThroughRenewal(wire: S3AdminWire, chain: CredentialChain): S3AdminWire {
  const renewed = renewerOf(chain);
  return {
    getVersioning: renewed(wire.getVersioning),
    getLifecycle: renewed(wire.getLifecycle),
    getObjectLock: renewed(wire.getObjectLock),
    listBuckets: renewed(wire.listBuckets),
    serverDate: renewed(wire.serverDate),
    close: () => wire.close(),
  };
}

/** Throws what the refusal means when there are no other credentials. */
async function requireOthers(chain: CredentialChain, refusal: S3Failure, signed: Signed): Promise<void> {
  const renewal = await chain.renew(signed);
  if (renewal === "others") return;
  if (typeof renewal === "object") throw chain.explain(refusal, renewal.failure);
  throw renewal === "lapsed" || isAboutCredentials(refusal) ? chain.explain(refusal) : refusal;
}
