import type { RequestOutcome, RequestKind, StoreEvent } from "../../store-event.ts";
import { S3Failure, type RawS3Wire } from "./wire.ts";

/** Tells of every single request, also of those that are repeated: providers bill each one that they answer. */
export function reportRequests(wire: RawS3Wire, onEvent: (event: StoreEvent) => void): RawS3Wire {
  const reported =
    <R, T>(kind: RequestKind, call: (request: R) => Promise<T>) =>
    async (request: R): Promise<T> => {
      try {
        const result = await call(request);
        onEvent({ type: "request", kind, outcome: "ok" });
        return result;
      } catch (error) {
        onEvent({ type: "request", kind, outcome: outcomeOf(error) });
        throw error;
      }
    };
  return {
    putObject: reported("put", wire.putObject),
    getObject: reported("get", wire.getObject),
    headObject: reported("head", wire.headObject),
    headBucket: reported("head", wire.headBucket),
    listPage: reported("list", wire.listPage),
    createUpload: reported("multipart", wire.createUpload),
    uploadPart: reported("multipart", wire.uploadPart),
    completeUpload: reported("multipart", wire.completeUpload),
    abortUpload: reported("delete", wire.abortUpload),
    listParts: reported("list", wire.listParts),
    listUploads: reported("list", wire.listUploads),
    deleteObject: reported("delete", wire.deleteObject),
    deleteObjects: reported("delete", wire.deleteObjects),
    close: () => wire.close(),
  };
}

function outcomeOf(error: unknown): RequestOutcome {
  const status = error instanceof S3Failure ? error.facts.status : undefined;
  if (status === undefined) return "unanswered";
  return status >= 500 || status === 429 ? "failed" : "refused";
}
