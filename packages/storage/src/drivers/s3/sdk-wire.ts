import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetObjectLockConfigurationCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import type { S3AdminWire } from "./admin-wire.ts";
import { proveWithMd5, withUnsignedBody } from "./body-proof.ts";
import { chainOf, unmemoized } from "./identities.ts";
import { bodyFields, condition, forBody, forObject, underSignal } from "./sdk-call.ts";
import { encryptionFields, sdkConfig } from "./sdk-config.ts";
import { deletedOf, factsOf, pageOf, storedOf, translated, uploadsPageOf } from "./sdk-values.ts";
import { answeredAt, noteTimes, type OnDate } from "./sdk-times.ts";
import type { S3Settings } from "./settings.ts";
import { createTransport } from "./transport.ts";
import type { AnswerBody } from "./transport-response.ts";
import { adminThroughRenewal, type ChangingWire } from "./through-renewal.ts";
import type { RawS3Wire } from "./wire.ts";

interface Sdk {
  readonly client: S3Client;
  readonly Bucket: string;
  readonly encryption: ReturnType<typeof encryptionFields>;
}

/**
 * The one place that knows the SDK. It does single requests: retries, limits and meanings are decided elsewhere. `chain` is
 * there where the credentials may change.
 */
export function createS3Wire(settings: S3Settings, onDate: OnDate): ChangingWire {
  const { client, chain } = createClient(settings, onDate);
  const sdk: Sdk = { client, Bucket: settings.bucket, encryption: encryptionFields(settings) };
  const close = (): void => client.destroy();
  const wire = { ...objectCalls(sdk), ...listingCalls(sdk), ...uploadCalls(sdk), ...removalCalls(sdk), close };
  return { wire, chain };
}

/** The same for requests about the bucket itself. */
export function createS3AdminWire(settings: S3Settings): S3AdminWire {
  const { client, chain } = createClient(settings);
  const Bucket = settings.bucket;
  const wire: S3AdminWire = {
    getVersioning: ({ signal }) =>
      translated(
        async () => (await client.send(new GetBucketVersioningCommand({ Bucket }), underSignal(signal))).Status,
      ),
    getLifecycle: ({ signal }) =>
      translated(
        async () =>
          (await client.send(new GetBucketLifecycleConfigurationCommand({ Bucket }), underSignal(signal))).Rules ?? [],
      ),
    getObjectLock: ({ signal }) =>
      translated(
        async () =>
          (await client.send(new GetObjectLockConfigurationCommand({ Bucket }), underSignal(signal)))
            .ObjectLockConfiguration?.Rule?.DefaultRetention,
      ),
    listBuckets: ({ signal }) =>
      translated(async () =>
        ((await client.send(new ListBucketsCommand({}), underSignal(signal))).Buckets ?? []).map(
          ({ Name }) => Name ?? "",
        ),
      ),
    serverDate: ({ signal }) =>
      translated(async () => answeredAt(await client.send(new HeadBucketCommand({ Bucket }), underSignal(signal)))),
    close: () => client.destroy(),
  };
  return chain === undefined ? wire : adminThroughRenewal(wire, chain);
}

function objectCalls({
  client,
  Bucket,
  encryption,
}: Sdk): Pick<RawS3Wire, "putObject" | "getObject" | "headObject" | "headBucket"> {
  return {
    putObject: (request) =>
      translated(async () => {
        const input = {
          Bucket,
          Key: request.key,
          ...bodyFields(request),
          ...condition(request.ifNoneMatch),
          ...encryption,
        };
        const command = new PutObjectCommand(input);
        if (!request.signBody)
          command.middlewareStack.add((next) => (args) => next(withUnsignedBody(args)), {
            name: "soarUnsigned",
            ...LATE,
          });
        return storedOf(await client.send(command, forBody(request)));
      }),
    getObject: ({ key, range, ...how }) =>
      translated(async () => {
        const output = await client.send(new GetObjectCommand({ Bucket, Key: key, Range: range }), forObject(how));
        // What our transport gave.
        const body = output.Body as AnswerBody;
        return {
          ...factsOf(output),
          status: output.$metadata.httpStatusCode ?? 0,
          contentLength: output.ContentLength,
          contentRange: output.ContentRange,
          body,
          discard: () => void body.destroy(),
        };
      }),
    headObject: ({ key, signal }) =>
      translated(async () => {
        const output = await client.send(new HeadObjectCommand({ Bucket, Key: key }), underSignal(signal));
        return { ...factsOf(output), size: output.ContentLength };
      }),
    headBucket: ({ signal }) =>
      translated(async () => void (await client.send(new HeadBucketCommand({ Bucket }), underSignal(signal)))),
  };
}

function listingCalls({ client, Bucket }: Sdk): Pick<RawS3Wire, "listPage" | "listUploads"> {
  // Keys travel URL-encoded, because XML cannot carry every character of a key.
  const EncodingType = "url";
  return {
    listPage: ({ prefix, startAfter, token, maxKeys, signal }) =>
      translated(async () => {
        const input = {
          Bucket,
          Prefix: prefix,
          StartAfter: startAfter,
          ContinuationToken: token,
          EncodingType,
          MaxKeys: maxKeys,
        } as const;
        return pageOf(await client.send(new ListObjectsV2Command(input), underSignal(signal)));
      }),
    listUploads: ({ prefix, keyMarker, uploadIdMarker, signal }) =>
      translated(async () => {
        const input = {
          Bucket,
          Prefix: prefix,
          KeyMarker: keyMarker,
          UploadIdMarker: uploadIdMarker,
          EncodingType,
        } as const;
        return uploadsPageOf(await client.send(new ListMultipartUploadsCommand(input), underSignal(signal)));
      }),
  };
}

function uploadCalls({
  client,
  Bucket,
  encryption,
}: Sdk): Pick<RawS3Wire, "createUpload" | "uploadPart" | "completeUpload" | "abortUpload" | "listParts"> {
  return {
    createUpload: ({ key, signal }) =>
      translated(async () => {
        const output = await client.send(
          new CreateMultipartUploadCommand({ Bucket, Key: key, ...encryption }),
          underSignal(signal),
        );
        return output.UploadId;
      }),
    uploadPart: (request) =>
      translated(async () => {
        const { key, uploadId, partNumber } = request;
        const input = { Bucket, Key: key, UploadId: uploadId, PartNumber: partNumber, ...bodyFields(request) };
        const command = new UploadPartCommand(input);
        if (!request.signBody)
          command.middlewareStack.add((next) => (args) => next(withUnsignedBody(args)), {
            name: "soarUnsigned",
            ...LATE,
          });
        return storedOf(await client.send(command, forBody(request)));
      }),
    completeUpload: ({ key, uploadId, parts, ifNoneMatch, signal }) =>
      translated(async () => {
        const Parts = parts.map(({ partNumber, etag }) => ({ PartNumber: partNumber, ETag: `"${etag}"` }));
        const input = { Bucket, Key: key, UploadId: uploadId, MultipartUpload: { Parts }, ...condition(ifNoneMatch) };
        return storedOf(await client.send(new CompleteMultipartUploadCommand(input), underSignal(signal)));
      }),
    abortUpload: ({ key, uploadId, signal }) =>
      translated(
        async () =>
          void (await client.send(
            new AbortMultipartUploadCommand({ Bucket, Key: key, UploadId: uploadId }),
            underSignal(signal),
          )),
      ),
    listParts: ({ key, uploadId, signal }) =>
      translated(async () => {
        const input = { Bucket, Key: key, UploadId: uploadId, MaxParts: 1 };
        await client.send(new ListPartsCommand(input), underSignal(signal));
      }),
  };
}

function removalCalls({ client, Bucket }: Sdk): Pick<RawS3Wire, "deleteObject" | "deleteObjects"> {
  return {
    deleteObject: ({ key, signal }) =>
      translated(
        async () => void (await client.send(new DeleteObjectCommand({ Bucket, Key: key }), underSignal(signal))),
      ),
    deleteObjects: ({ keys, signal }) =>
      translated(async () => {
        const Delete = { Objects: keys.map((Key) => ({ Key })), Quiet: false };
        return deletedOf(await client.send(new DeleteObjectsCommand({ Bucket, Delete }), underSignal(signal)));
      }),
  };
}

/** Late, so that it replaces the proof of a body that the SDK has chosen. */
const LATE = { step: "build", priority: "low" } as const;

/** Handed on to what reads profile files, which otherwise happens once in the life of a process. */
const READING_FILES_ANEW: object = { ignoreCache: true };

function createClient(settings: S3Settings, onDate?: OnDate): { client: S3Client; chain: ChangingWire["chain"] } {
  const config = sdkConfig(settings, createTransport(settings));
  // A client of its own stands for the SDK's standard chain, of which it lets nothing else be seen.
  const chain = chainOf(settings, () => new S3Client({ ...config, ...READING_FILES_ANEW }).config.credentials);
  const client = new S3Client({ ...config, ...(chain !== undefined && { credentials: unmemoized(chain) }) });
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        if (commandName === "DeleteObjectsCommand") proveWithMd5(args.request);
        return await next(args);
      },
    { name: "soarBatchProof", ...LATE },
  );
  client.middlewareStack.add((next) => (args) => noteTimes(args.request, () => next(args), onDate), {
    name: "soarTimes",
    step: "deserialize",
    priority: "high",
  });
  return { client, chain };
}
