import { hasErrorCode } from "@soar/errors";
import { BASE_PREFIX, UPLOAD_PREFIXES } from "@soar/repository";
import { findWalObjects } from "@soar/repository/wal";
import { listLeases } from "@soar/repository/markers";
import { listTailSegments, readTail } from "@soar/repository/tail";
import type { CallOptions, ObjectStore, UnfinishedUpload } from "@soar/storage";
import { findingOf, type Finding } from "../finding.ts";
import type { Survey } from "../survey/survey-repository.ts";

const DAY_MS = 86_400_000;

/** What interrupted runs left and nobody will ever use. */
export async function checkLeftovers(
  store: ObjectStore,
  survey: Survey,
  { now, signal }: CallOptions & { readonly now: Date },
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { id, purpose, host, expiresAt } of await listLeases(survey.store, { signal })) {
    // Expiry removes them a day after they lapsed.
    if (Date.parse(expiresAt) + 2 * DAY_MS > now.getTime()) continue;
    const what = `a ${purpose} on ${host} was cut off: its lease lapsed ${expiresAt}`;
    findings.push({
      kind: "lease-lapsed",
      severity: "notice",
      where: `config/leases/${id}.json`,
      what,
      advice: "It protects nothing any more, and the next expiry removes it.",
    });
  }
  const running = new Set(survey.directories.filter(({ record }) => record === undefined).map(({ label }) => label));
  return [...findings, ...(await checkUploads(store, running, { now, signal }))];
}

/** Not every key may see uploads, and not every provider shows them. */
async function checkUploads(
  store: ObjectStore,
  running: ReadonlySet<string>,
  { now, signal }: CallOptions & { readonly now: Date },
): Promise<Finding[]> {
  try {
    const uploads: UnfinishedUpload[] = [];
    for (const prefix of UPLOAD_PREFIXES) uploads.push(...(await store.listUploads(prefix, { signal })));
    return uploads.flatMap((upload) => abandoned(upload, running, now));
  } catch (error) {
    if (!hasErrorCode(error, "STORE_DENIED", "STORE_UNSUPPORTED")) throw error;
    const what =
      "whether there are uploads in parts that nobody completed cannot be told: this key may not list them, or the provider does not";
    return [
      {
        kind: "upload-unfinished",
        severity: "notice",
        where: BASE_PREFIX,
        what,
        advice:
          "Allow s3:ListBucketMultipartUploads, or see to a lifecycle rule that aborts incomplete multipart uploads.",
      },
    ];
  }
}

function abandoned({ key, begunAt }: UnfinishedUpload, running: ReadonlySet<string>, now: Date): Finding[] {
  const [, label = ""] = /^base\/([^/]+)\//.exec(key) ?? [];
  const isYoung = now.getTime() - begunAt.getTime() < DAY_MS;
  // A backup that runs uploads for as long as it takes; a WAL file is a matter of minutes.
  if (running.has(label) || isYoung) return [];
  return [
    {
      kind: "upload-unfinished",
      severity: "warning",
      where: key,
      what: `an upload in parts was begun at ${begunAt.toISOString()} and never completed`,
      advice:
        "Its parts cost money without being visible. The next expiry removes it; a lifecycle rule that aborts incomplete multipart uploads does so without.",
    },
  ];
}

/** The tail of the unfinished segment must be whole; pieces of segments that were archived are left over. */
export async function checkTails(
  live: ObjectStore,
  { store, repository }: Survey,
  options: CallOptions,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const leftover: string[] = [];
  for (const name of await listTailSegments(store, options)) {
    if ((await findWalObjects(store, name, options)).length > 0) leftover.push(name);
    else {
      const tail = await checkTail(store, { name, segmentSize: repository.walSegmentSize }, options);
      // Pieces go when their segment is archived, which may have happened since the listing.
      if (tail.length > 0 && (await findWalObjects(live, name, options)).length === 0) findings.push(...tail);
    }
  }
  const [first] = leftover;
  if (first !== undefined) {
    const what = `pieces of ${leftover.length} segments that are archived, the first of '${first}'`;
    findings.push({
      kind: "tail-leftover",
      severity: "notice",
      where: `tail/${first}/`,
      what,
      advice: "The archiver removes them where its key may, else a lifecycle rule does.",
    });
  }
  return findings;
}

async function checkTail(
  store: ObjectStore,
  { name, segmentSize }: { readonly name: string; readonly segmentSize: number },
  options: CallOptions,
): Promise<Finding[]> {
  const where = `tail/${name}/`;
  try {
    const ends: number[] = [];
    for await (const { key } of store.list(where, options)) ends.push(Number.parseInt(key.slice(-12, -4), 16));
    const reached = (await readTail(store, name, { ...options, segmentSize }))?.bytes.length ?? 0;
    const end = Math.max(...ends);
    if (reached === end && end <= segmentSize) return [];
    const what = `the pieces lead to byte ${reached} of the segment, although there is one that ends at ${end}`;
    return [
      {
        kind: "tail-damaged",
        severity: "error",
        where,
        what,
        advice:
          "Commits behind that byte are lost with the server's disk until the segment is archived. Restart the archiver: it ships the segment from its start.",
      },
    ];
  } catch (error) {
    return [findingOf(error, { kind: "tail-damaged", where })];
  }
}
