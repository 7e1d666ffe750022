import { hasErrorCode, SoarError } from "@soar/errors";
import { readObject, type CallOptions, type ObjectStore } from "@soar/storage";
import * as v from "valibot";
import { sha256Hex } from "./digest.ts";

/** The format that this version reads and writes. */
export const FORMAT_VERSION = 1;

/** No record is larger: a backup.json of the owner's cluster has some 20 KiB. */
export const LARGEST_RECORD = 8 * 1024 * 1024;

/** An LSN in PostgreSQL's notation, kept as text in records so that a person can read them. */
export const lsnText = v.pipe(v.string(), v.regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/));
export const instantText = v.pipe(v.string(), v.isoTimestamp());
export const sha256Text = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
export const byteCount = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
export const systemIdentifierText = v.pipe(v.string(), v.regex(/^\d{1,20}$/));
export const timelineNumber = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(0xff_ff_ff_ff));

/**
 * A list of so many entries at the most, counted before any of them is looked at: what a damaged or foreign record holds
 * takes several times its bytes once it is parsed.
 */
export function listOf<S extends v.GenericSchema>(item: S, most: number) {
  return v.pipe(v.array(v.unknown()), v.maxLength(most, `more than ${most} entries`), v.array(item));
}

type RecordSchema = v.GenericSchema<unknown, { readonly format: number }>;

/**
 * Parses a JSON record of the repository. Throws `REPOSITORY_VERSION` for a format that is newer than this program and
 * `REPOSITORY_DAMAGED` for anything that is not such a record. Fields that are not known are left out: a newer
 * program may add some within one format version.
 */
export function parseRecord<S extends RecordSchema>(schema: S, text: string, where: string): v.InferOutput<S> {
  const value = parseJson(text, where);
  const format = typeof value === "object" && value !== null && "format" in value ? value.format : undefined;
  if (typeof format === "number" && format > FORMAT_VERSION) {
    throw new SoarError(
      "REPOSITORY_VERSION",
      `unable to read '${where}': it has format ${format}, this program knows ${FORMAT_VERSION}`,
      {
        hint: "Use a version of the tools at least as new as the one that wrote the repository.",
      },
    );
  }
  if (typeof value === "object" && value !== null && "digest" in value && !isSealedRecord(text))
    throw damaged(where, "its digest is not that of its content");
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  throw damaged(where, describeIssue(result.issues[0]));
}

/**
 * Records are stored indented: in an emergency a person reads them. The last field is the SHA-256 of all bytes before it,
 * because nothing else in the bucket could tell that a record was changed. Throws `RECORD_TOO_LARGE` for one that no reader would
 * read, by its bytes or by what is said of its lists.
 */
export function formatRecord(record: object, schema?: v.GenericSchema): Buffer {
  if (schema !== undefined) requireReadable(schema, record);
  const content = JSON.stringify(record, undefined, 2).replace(/\n\}$/, "");
  const bytes = Buffer.from(`${content},\n  "digest": "${sha256Hex(Buffer.from(content))}"\n}\n`);
  if (bytes.length > LARGEST_RECORD)
    throw tooLarge(`it has ${bytes.length} bytes, and no reader takes more than ${LARGEST_RECORD}`);
  return bytes;
}

function requireReadable(schema: v.GenericSchema, record: object): void {
  const result = v.safeParse(schema, record, { abortEarly: true });
  if (!result.success) throw tooLarge(describeIssue(result.issues[0]));
}

function describeIssue(issue: v.BaseIssue<unknown>): string {
  return `${v.getDotPath(issue) ?? "record"}: ${issue.message}`;
}

function tooLarge(fact: string): SoarError {
  return new SoarError("RECORD_TOO_LARGE", `unable to write a record: ${fact}`, {
    hint: "The cluster has more databases, tablespaces or settings than a record has room for: divide it into several.",
  });
}

/** Whether the text of a record ends with the digest of what stands before it. */
export function isSealedRecord(text: string): boolean {
  const [seal, digest] = /,\n {2}"digest": "([0-9a-f]{64})"\n\}\n$/.exec(text) ?? [];
  return seal !== undefined && sha256Hex(Buffer.from(text.slice(0, -seal.length))) === digest;
}

/** Reads and parses the record under `key`, or gives undefined when there is none. */
export async function findRecord<S extends RecordSchema>(
  store: ObjectStore,
  key: string,
  schema: S,
  options: CallOptions = {},
): Promise<v.InferOutput<S> | undefined> {
  if ((await store.stat(key, options)) === undefined) return undefined;
  return parseRecord(schema, await readRecordText(store, key, options), `${store.location}/${key}`);
}

/**
 * The same for a record that is there all but the first time, with one request. That there is none is only believed when looking for
 * it says so too, which also sees a bucket that is not there.
 */
export async function findExpectedRecord<S extends RecordSchema>(
  store: ObjectStore,
  key: string,
  schema: S,
  options: CallOptions = {},
): Promise<v.InferOutput<S> | undefined> {
  try {
    return parseRecord(schema, await readRecordText(store, key, options), `${store.location}/${key}`);
  } catch (error) {
    if (!hasErrorCode(error, "OBJECT_MISSING")) throw error;
    return await findRecord(store, key, schema, options);
  }
}

/** The text of a record. Rejects with `REPOSITORY_DAMAGED` for one that is larger than any, before it is read. */
export async function readRecordText(store: ObjectStore, key: string, options: CallOptions = {}): Promise<string> {
  const bytes = await readObject(store, key, {
    ...options,
    maxBytes: LARGEST_RECORD,
    whenLonger: (length) =>
      damaged(`${store.location}/${key}`, `it has ${length} bytes, and no record has more than ${LARGEST_RECORD}`),
  });
  return bytes.toString("utf8");
}

/**
 * Parses JSON that is kept on this machine; undefined for anything that is not of the schema, cut off text included. What a
 * damaged one means, and where it lay, is for the caller to say.
 */
export function parseJsonAs<S extends v.GenericSchema>(schema: S, text: string): v.InferOutput<S> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    /* v8 ignore else -- of a text JSON.parse throws nothing else */
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  const result = v.safeParse(schema, value, { abortEarly: true });
  return result.success ? result.output : undefined;
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw damaged(where, "it is not JSON", cause);
  }
}

function damaged(where: string, fact: string, cause?: unknown): SoarError {
  return new SoarError("REPOSITORY_DAMAGED", `unable to read '${where}': ${fact}`, {
    cause,
    hint: "Objects of a repository are never rewritten: restore this one from an older version of the bucket or a copy.",
  });
}
