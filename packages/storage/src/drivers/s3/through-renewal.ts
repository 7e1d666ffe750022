import type { CredentialChain } from "./credential-chain.ts";
import { type RawS3Wire, S3Failure } from "./wire.ts";

/** A wire whose credentials change, where there is a chain. */
export interface ChangingWire {
  readonly wire: RawS3Wire;
  readonly chain: CredentialChain | undefined;
}

/** Refusals of who asks, not of what is asked for: other credentials may be let in. Servers have many words for them. */
const ABOUT_CREDENTIALS = /token|accesskeyid|signaturedoesnotmatch|unrecognizedclient|credential/i;

/** Looks for credentials anew after a refusal of those that a request was signed with, and makes it once more. */
export function throughRenewal(wire: RawS3Wire, chain: CredentialChain): RawS3Wire {
  const renewed =
    <R, T>(call: (request: R) => Promise<T>) =>
    async (request: R): Promise<T> => {
      const seen = chain.generation();
      try {
        return await noted(chain, call, request);
      } catch (refusal) {
        if (!isAboutCredentials(refusal)) throw refusal;
      }
      chain.renew(seen);
      try {
        return await noted(chain, call, request);
      } catch (error) {
        throw isAboutCredentials(error) ? chain.explain(error) : error;
      }
    };
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

async function noted<R, T>(chain: CredentialChain, call: (request: R) => Promise<T>, request: R): Promise<T> {
  const result = await call(request);
  chain.worked();
  return result;
}

function isAboutCredentials(error: unknown): error is S3Failure {
  return error instanceof S3Failure && error.facts.status !== undefined && ABOUT_CREDENTIALS.test(error.facts.code);
}
