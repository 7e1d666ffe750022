import { SoarError, hasErrorCode } from "@soar/errors";
import { withPrefix, type CallOptions, type ObjectStore } from "@soar/storage";
import { probeServer } from "@soar/storage/probes";
import * as v from "valibot";
import {
  byteCount,
  findExpectedRecord,
  findRecord,
  FORMAT_VERSION,
  formatRecord,
  instantText,
  systemIdentifierText,
} from "./json-record.ts";
import { storeTime } from "../time/store-time.ts";
import { BASE_PREFIX, CONFIG_KEY, PROBE_PREFIX, WAL_PREFIX } from "./keys.ts";

const schema = v.object({
  format: v.literal(FORMAT_VERSION),
  systemIdentifier: systemIdentifierText,
  postgresMajor: v.pipe(v.number(), v.integer(), v.minValue(15)),
  walSegmentSize: byteCount,
  /** What the provider did with "only if absent" when the repository was created. */
  conditionalPut: v.picklist(["honoured", "refused", "ignored"]),
  /** Host and port of the endpoint that did so: a copy of the repository with another provider must not be taken for it. */
  conditionalPutBy: v.optional(v.string()),
  /** What else was found out about that endpoint then; a habit that is left out was as usual, or nobody asked. */
  habits: v.optional(
    v.object({
      atomicPut: v.optional(v.picklist(["yes", "no"])),
      conditionalComplete: v.optional(v.picklist(["honoured", "refused", "ignored"])),
      maxParts: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
      batchDelete: v.optional(v.picklist(["taken", "refused"])),
      payloadSignature: v.optional(v.picklist(["md5", "sha256"])),
      contentMd5: v.optional(v.picklist(["taken", "refused"])),
      expectContinue: v.optional(v.picklist(["taken", "refused", "ignored"])),
      listingOrder: v.optional(v.picklist(["keys", "other"])),
    }),
  ),
  createdAt: instantText,
  createdBy: v.string(),
});

/** `config/backup-config.json`: which cluster this repository belongs to. Written once, never changed. */
export type RepositoryRecord = v.InferOutput<typeof schema>;

/** What makes a cluster this cluster. Minor upgrades keep all of it; `pg_upgrade` and `initdb` do not. */
export interface ClusterIdentity {
  /** Decimal, as PostgreSQL prints it. */
  readonly systemIdentifier: string;
  readonly postgresMajor: number;
  /** Bytes. */
  readonly walSegmentSize: number;
}

/**
 * The repository's record, or undefined when nothing was ever archived or backed up here. The store is told what was found
 * out about this very endpoint: then no write under "only if absent" needs a look before and after it.
 */
export async function findRepositoryRecord(
  store: ObjectStore,
  options: CallOptions = {},
): Promise<RepositoryRecord | undefined> {
  const record = await findExpectedRecord(store, CONFIG_KEY, schema, options);
  if (record !== undefined) recallProvider(store, record);
  return record;
}

/**
 * Whether a repository lies below this prefix of the store, also one that a newer program made. Nothing is learned of the
 * provider from it. A record that cannot be understood is none.
 */
export async function holdsRepository(store: ObjectStore, prefix: string, options: CallOptions = {}): Promise<boolean> {
  try {
    return (await findRecord(withPrefix(store, prefix), CONFIG_KEY, schema, options)) !== undefined;
  } catch (error) {
    if (!hasErrorCode(error, "REPOSITORY_VERSION", "REPOSITORY_DAMAGED")) throw error;
    return hasErrorCode(error, "REPOSITORY_VERSION");
  }
}

/** Rejects with `REPOSITORY_MISSING` when there is none. */
export async function requireRepositoryRecord(
  store: ObjectStore,
  options: CallOptions = {},
): Promise<RepositoryRecord> {
  const record = await findRepositoryRecord(store, options);
  if (record !== undefined) return record;
  for (const prefix of [BASE_PREFIX, WAL_PREFIX])
    for await (const { key } of store.list(prefix, options)) throw lostRecord(store, key);
  throw new SoarError("REPOSITORY_MISSING", `there is no repository in '${store.location}'`, {
    hint: "Check bucket and prefix in BACKUP_BUCKET. A repository comes into being with the first archived segment or base backup.",
  });
}

/** Nothing else is lost: everything that the record says follows from any segment of the cluster. */
function lostRecord({ location }: ObjectStore, key: string): SoarError {
  return new SoarError(
    "REPOSITORY_MISSING",
    `'${location}/${CONFIG_KEY}' is missing, the record of this repository, which holds others, as '${key}'`,
    {
      hint: "It is written again by soar-wal-archive FILE NAME, with any finished WAL segment in pg_wal of this very cluster, also one that is archived already, or by the next segment or base backup; no other object changes. Or restore it from an older version of the bucket.",
    },
  );
}

function recallProvider({ features }: ObjectStore, record: RepositoryRecord): void {
  const { conditionalPut, conditionalPutBy, habits } = record;
  if (conditionalPutBy === undefined || conditionalPutBy !== features.server) return;
  features.recall({ ...habits, conditionalPut });
}

/** Throws `REPOSITORY_FOREIGN` unless record and identity name the same cluster. */
export function requireSameCluster(record: ClusterIdentity, identity: ClusterIdentity, location: string): void {
  const differences = [
    ["system identifier", record.systemIdentifier, identity.systemIdentifier],
    ["WAL segment size", String(record.walSegmentSize), String(identity.walSegmentSize)],
    ["PostgreSQL major version", String(record.postgresMajor), String(identity.postgresMajor)],
  ].filter(([, theirs, ours]) => theirs !== ours);
  const [first] = differences;
  if (first === undefined) return;
  const [what, theirs, ours] = first;
  throw new SoarError(
    "REPOSITORY_FOREIGN",
    `'${location}' belongs to another cluster: its ${what} is ${theirs}, this cluster's is ${ours}`,
    {
      hint: "Give every cluster a bucket or prefix of its own in BACKUP_BUCKET; after pg_upgrade or initdb use a new prefix. Nothing was written.",
    },
  );
}

/**
 * Writes the record where there is none. Two first writers may race: both write the same facts except the moment, and the loser
 * reads the winner's.
 */
export async function createRepositoryRecord(
  store: ObjectStore,
  identity: ClusterIdentity,
  options: CallOptions & { readonly toolVersion: string; readonly now: Date },
): Promise<RepositoryRecord> {
  const { conditionalPut, ...habits } = await probeServer(store, PROBE_PREFIX, options);
  const { server } = store.features;
  const record: RepositoryRecord = {
    format: FORMAT_VERSION,
    ...identity,
    conditionalPut,
    ...(server === undefined ? {} : { conditionalPutBy: server, habits }),
    createdAt: storeTime(store, options.now).toISOString(),
    createdBy: options.toolVersion,
  };
  try {
    await store.put(CONFIG_KEY, formatRecord(record), { ifAbsent: true, signal: options.signal });
    return record;
  } catch (error) {
    // Another first writer, or our own put whose reply was lost. Whatever is there now is the truth.
    if (!hasErrorCode(error, "OBJECT_EXISTS")) throw error;
    return requireRepositoryRecord(store, options);
  }
}
