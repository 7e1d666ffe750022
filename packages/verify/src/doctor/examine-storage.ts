import { randomBytes, randomUUID } from "node:crypto";
import { hasErrorCode, SoarError } from "@soar/errors";
import { readObject, uploadStream, type ObjectStore } from "@soar/storage";
import type { ProbedHabits } from "@soar/storage/probes";
import type { Notes } from "./examination.ts";
import { examineProvider, tellHabits } from "./examine-provider.ts";

/** Beside the repository record, where expiry and verification look for nothing. */
const PROBE_PREFIX = "config/doctor/";
/** Two parts where parts are as small as S3 allows, so that an upload in parts is really one. */
const PROBE_BYTES = 5 * 1024 ** 2 + 64 * 1024;
const LATENCY_ROUNDS = 5;

/** What a probe of the store found out. */
export interface StorageProbe {
  readonly mayRemove: boolean;
  readonly habits: ProbedHabits;
}

/**
 * Does with the store what backups do, on small objects of its own: put with a digest, get, range, look, list, "only if
 * absent", upload in parts, remove. What it wrote is removed again where that is allowed.
 */
export async function examineStorage(
  store: ObjectStore,
  notes: Notes,
  signal: AbortSignal | undefined,
): Promise<StorageProbe> {
  const written: string[] = [];
  const { proxy } = store.features;
  if (proxy !== undefined) notes.ok("proxy", `requests go through the proxy ${proxy}`);
  try {
    await examineObject(store, written, { notes, signal });
    const habits = await examineProvider(store, PROBE_PREFIX, { notes, signal });
    await examineUpload(store, written, { notes, signal });
    const mayRemove = await removeProbes(store, written, { notes, signal });
    tellHabits(store, notes);
    return { mayRemove, habits };
  } catch (error) {
    // Whatever the failure is, the probes must not pile up; the first failure is the one to tell.
    await store.remove(written).catch((cause: unknown) => void cause);
    throw error;
  }
}

interface Rest {
  readonly notes: Notes;
  readonly signal: AbortSignal | undefined;
}

async function examineObject(store: ObjectStore, written: string[], { notes, signal }: Rest): Promise<void> {
  const key = `${PROBE_PREFIX}${randomUUID()}`;
  const body = randomBytes(1024);
  await store.put(key, body, { signal });
  written.push(key);
  requireEqual(store, key, { expected: body, found: await readObject(store, key, { signal }) });
  requireEqual(store, key, {
    expected: body.subarray(100, 300),
    found: await readObject(store, key, { range: { offset: 100, length: 200 }, signal }),
  });
  requireEqual(store, key, {
    expected: body.subarray(-50),
    found: await readObject(store, key, { range: { suffix: 50 }, signal }),
  });
  const seen = await store.stat(key, { signal });
  if (seen?.size !== body.length)
    throw new SoarError(
      "STORE_PROTOCOL",
      `unable to trust '${store.location}': '${key}' was stored, and is ${seen === undefined ? "not there" : `${seen.size} bytes large`}`,
    );
  const listed: string[] = [];
  for await (const object of store.list(PROBE_PREFIX, { signal })) listed.push(object.key);
  if (!listed.includes(key))
    throw new SoarError(
      "STORE_PROTOCOL",
      `unable to trust '${store.location}': an object that was stored is not in the listing`,
      { hint: "The listing must be consistent at once; ask the provider." },
    );
  notes.ok(
    "storage-objects",
    `objects can be stored, read whole and in ranges, looked at and listed in ${store.location}`,
  );
  const times: number[] = [];
  for (let round = 0; round < LATENCY_ROUNDS; round += 1) times.push(await timed(() => store.stat(key, { signal })));
  const median = times.sort((a, b) => a - b)[Math.floor(LATENCY_ROUNDS / 2)] ?? 0;
  if (median > 1000)
    notes.warning(
      "storage-latency",
      `a request takes ${Math.round(median)} ms`,
      "Take a region that is nearer, or look for a proxy in between: every WAL segment costs some requests.",
    );
  else notes.ok("storage-latency", `a request takes ${Math.round(median)} ms (median of ${LATENCY_ROUNDS})`);
}

async function examineUpload(store: ObjectStore, written: string[], { notes, signal }: Rest): Promise<void> {
  const key = `${PROBE_PREFIX}${randomUUID()}`;
  const body = randomBytes(PROBE_BYTES);
  const partSize = Math.max(store.features.minPartSize, 5 * 1024 ** 2);
  const up = await timed(() => uploadStream(store, key, once(body), { expectedSize: body.length, partSize, signal }));
  written.push(key);
  let found: Buffer = Buffer.alloc(0);
  const down = await timed(async () => (found = await readObject(store, key, { signal })));
  requireEqual(store, key, { expected: body, found });
  notes.ok(
    "storage-parts",
    `uploads in parts work; ${rate(body.length, up)} up and ${rate(body.length, down)} down, one connection`,
  );
}

async function removeProbes(store: ObjectStore, written: readonly string[], { notes, signal }: Rest): Promise<boolean> {
  try {
    await store.remove(written, { signal });
    notes.ok("storage-remove", "objects can be removed, so that expiry works with this key");
    return true;
  } catch (error) {
    if (!hasErrorCode(error, "STORE_DENIED", "OBJECT_LOCKED")) throw error;
    const fact = hasErrorCode(error, "OBJECT_LOCKED") ? "Object Lock keeps objects" : "this key may not remove objects";
    notes.notice(
      "storage-remove",
      `${fact}: ${written.length} probes (5 MiB) stay below ${PROBE_PREFIX}`,
      "That is safe. Expiry then has to run with another key (soar-base-backup expire), and here with --no-expire.",
    );
    return false;
  }
}

function requireEqual(
  store: ObjectStore,
  key: string,
  { expected, found }: { readonly expected: Uint8Array; readonly found: Uint8Array },
): void {
  if (Buffer.compare(expected, found) === 0) return;
  throw new SoarError(
    "STORE_PROTOCOL",
    `unable to trust '${store.location}': '${key}' came back with other bytes than were stored`,
    { hint: "Something between this machine and the provider changes data; check proxies and memory." },
  );
}

async function* once(body: Uint8Array): AsyncGenerator<Uint8Array> {
  yield body;
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await run();
  return performance.now() - startedAt;
}

function rate(bytes: number, ms: number): string {
  return `${(bytes / 1024 ** 2 / (ms / 1000)).toFixed(1)} MiB/s`;
}
