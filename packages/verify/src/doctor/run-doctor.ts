import {
  connectSomewhere,
  readServerFacts,
  type ConnectionConfig,
  type ServerFacts,
  type SqlConnection,
} from "@soar/pg-tools/replication";
import { majorOfVersionNumber } from "@soar/pg-tools/majors";
import type { RetentionPolicy } from "@soar/repository/expiry";
import { openStore, parseStoreUrl, type ObjectStore, type StoreConfig } from "@soar/storage";
import { readBucketSettings } from "@soar/storage/bucket-settings";
import { examine, type Examination, type Notes } from "./examination.ts";
import { findProgramUser, type UserOptions } from "./as-user.ts";
import { examineArchiverSocket } from "./examine-archiver-socket.ts";
import { examineArchiving } from "./examine-archiving.ts";
import { examineBucket } from "./examine-bucket.ts";
import { examineDrillQueries } from "./examine-drill-queries.ts";
import { examineMachine } from "./examine-machine.ts";
import { examineNotices } from "./examine-notices.ts";
import { examineReplication } from "./examine-replication.ts";
import { examineRepository } from "./examine-repository.ts";
import { examineSchedule } from "./examine-schedule.ts";
import { examineServer } from "./examine-server.ts";
import { examineStorage, type StorageProbe } from "./examine-storage.ts";
import { examineWrittenPlaces } from "./examine-written-places.ts";
import type { ProgramSettings } from "./program-settings.ts";
import { examineRoundTrip } from "./round-trip.ts";

export interface DoctorOptions {
  readonly store: StoreConfig;
  readonly server: ConnectionConfig;
  readonly policy: RetentionPolicy;
  readonly envFile: string | undefined;
  readonly spoolDir: string;
  readonly tempDir: string;
  /** What the other programs are told; undefined leaves that out. */
  readonly programs: ProgramSettings | undefined;
  /** Directories that programs are looked for in, with colons in between, as in PATH. */
  readonly searchPath: string;
  /** Programs of PostgreSQL, where they are not where packages put them. */
  readonly binDir: string | undefined;
  /** How long a segment may be under way; undefined leaves the round trip out, which is all that this does to the server. */
  readonly roundTripMs: number | undefined;
  readonly now: Date;
  readonly signal: AbortSignal | undefined;
}

/** After these of the store, every further question would only get the same answer. */
const USELESS = ["store-unreachable", "bucket-missing", "clock-skewed"];

/**
 * Looks at everything that archiving, backups and restores depend on, part by part, and goes on where one of them fails.
 * Writes probe objects below `config/doctor/`, a small file where the other programs write, and for the round trip one WAL
 * message; changes nothing else. Rejects only with `ABORTED` and for bugs.
 */
export async function* runDoctor(options: DoctorOptions): AsyncGenerator<Examination, void, undefined> {
  const { signal } = options;
  const found: { sql?: SqlConnection; facts?: ServerFacts; probe?: StorageProbe } = {};
  const store = openStore(options.store);
  try {
    yield* await examine("server", async (notes) => {
      found.sql = await connectSomewhere(options.server, { writes: true, signal });
      noteDatabase(found.sql, options.server, notes);
      found.facts = await readServerFacts(found.sql, { signal });
      await examineServer(found.sql, notes, signal);
    });
    const { sql } = found;
    if (sql !== undefined) {
      yield* await examine("server", (notes) => examineReplication(options.server, notes, signal));
      yield* await examine("archiving", (notes) => examineArchiving(sql, notes, signal));
    }
    const { programs, searchPath } = options;
    if (programs !== undefined)
      yield* await examine("archiving", (notes) => examineArchiverSocket(programs.archiver, notes));
    yield* await examine("machine", async (notes) =>
      examineMachine(
        {
          ...options,
          facts: found.facts,
          databaseBytes: databaseBytes(found.facts),
          maxWalBytes: await readMaxWalBytes(sql, signal),
        },
        notes,
      ),
    );
    const user = { user: await findProgramUser(found.facts?.dataDirectory, options.envFile), searchPath, signal };
    if (programs !== undefined)
      yield* await examine("machine", (notes) => examineWrittenPlaces(programs.places, notes, user));
    const stored = await examine(
      "storage",
      async (notes) => void (found.probe = await examineStorage(store, notes, signal)),
    );
    yield* stored;
    if (!stored.some(({ kind }) => USELESS.includes(kind))) {
      yield* await examineSettings(options, found.probe);
      yield* await examine("repository", (notes) =>
        examineRepository(store, { ...options, cluster: clusterOf(found.facts), probe: found.probe }, notes),
      );
    }
    yield* await examine("schedule", (notes) => examineSchedule(notes, { searchPath, signal }));
    if (programs !== undefined) yield* await examineAlarms(programs, user);
    if (sql !== undefined && options.roundTripMs !== undefined) yield* await roundTrip(sql, store, options);
  } finally {
    await found.sql?.close();
    await store.close();
  }
}

async function examineAlarms({ drill, notices }: ProgramSettings, options: UserOptions): Promise<Examination[]> {
  return [
    ...(await examine("drill", (notes) => examineDrillQueries(drill, notes, options))),
    ...(await examine("notices", (notes) => examineNotices(notices, notes, options))),
  ];
}

async function examineSettings(
  { store, policy, signal }: DoctorOptions,
  probe: StorageProbe | undefined,
): Promise<Examination[]> {
  const url = parseStoreUrl(store.url);
  if (url.kind !== "s3") return [];
  const prefix = url.prefix === "" ? "" : `${url.prefix}/`;
  return examine("bucket", async (notes) =>
    examineBucket(
      await readBucketSettings(store, { signal }),
      { prefix, retentionDays: policy.windowDays, bucket: url.bucket, probe },
      notes,
    ),
  );
}

function roundTrip(
  sql: SqlConnection,
  store: ObjectStore,
  { roundTripMs = 0, signal }: DoctorOptions,
): Promise<Examination[]> {
  return examine("round trip", (notes) => examineRoundTrip(sql, store, { notes, timeoutMs: roundTripMs, signal }));
}

function databaseBytes(facts: ServerFacts | undefined): number {
  return (facts?.databases ?? []).reduce((sum, { sizeBytes = 0 }) => sum + sizeBytes, 0);
}

/** Everything works through another one, but whoever has named it should know. */
function noteDatabase(
  { database }: SqlConnection,
  { database: wanted = "postgres" }: ConnectionConfig,
  notes: Notes,
): void {
  if (database === wanted) return;
  notes.notice(
    "database",
    `database '${wanted}' cannot be entered; '${database}' was used instead`,
    "Name one in PGDATABASE that exists and lets this role in.",
  );
}

async function readMaxWalBytes(sql: SqlConnection | undefined, signal: AbortSignal | undefined): Promise<number> {
  const [row] =
    (await sql?.query<{ bytes: string }>("SELECT pg_size_bytes(current_setting('max_wal_size'))::text AS bytes", [], {
      signal,
    })) ?? [];
  return Number(row?.bytes ?? 0);
}

function clusterOf(facts: ServerFacts | undefined) {
  return (
    facts && {
      systemIdentifier: facts.systemIdentifier,
      postgresMajor: majorOfVersionNumber(facts.versionNumber),
      walSegmentSize: facts.walSegmentSize,
    }
  );
}
