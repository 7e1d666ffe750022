import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { openStore, readObject, type ObjectStore } from "@soar/storage";
import { mapOrdered } from "@soar/task-pool";
import type { LimitRow, Limit } from "./document.ts";
import { clusterBytes, type Place } from "./place.ts";
import { repeat, shell, timed } from "./timed.ts";

const OBJECT_BYTES = 16 * 1024 ** 2;
const AT_ONCE = 4;

export interface LimitOptions {
  readonly gigabytes: number;
  readonly runs: number;
  /** Where clusters are restored to. */
  readonly target: string;
  /** On the machine's disk. */
  readonly disk: string;
  /** gzip alone takes longest of all: it is measured once, where a gzip backup is. */
  readonly withGzip: boolean;
}

/** Each part of a backup or a restore by itself, with the tools that everybody has, on the same files in the same run. */
export async function measureLimits(place: Place, options: LimitOptions): Promise<LimitRow[]> {
  const { gigabytes, runs } = options;
  const amount = clusterBytes(place.cluster);
  const rows: LimitRow[] = [];
  const scripts = scriptsOf(place, options);
  for (const [limit, script, measuredAmount = amount] of scripts) {
    const { seconds, fastest, slowest, stdout } = await repeat(limit === "gzip" ? 1 : runs, () =>
      timed(shell(script), {}),
    );
    const stored = Number(stdout);
    rows.push({ limit, gigabytes, seconds, fastest, slowest, amount: measuredAmount, ...(stored > 0 && { stored }) });
  }
  rmSync(join(options.target, "copy"), { recursive: true, force: true });
  return [...rows, ...(await measureStore(place, { gigabytes, runs, amount: Math.min(amount, 2e9) }))];
}

type Script = readonly [limit: Limit, script: string, amount?: number];

function scriptsOf({ cluster, jobs, directory }: Place, { target, disk, withGzip }: LimitOptions): Script[] {
  // Relations: what else lies there may vanish while the server runs.
  const files = `cd ${cluster.dataDir}; find base global -type f -name '[0-9]*' -print0`;
  const read = `${files} | xargs -0 cat`;
  const [copy, packed, written] = [join(target, "copy"), join(target, "packed.zst"), join(disk, "written")];
  const { binDir, socketDir, port } = cluster;
  const amount = clusterBytes(cluster);
  const blocks = Math.ceil(amount / 1024 ** 2);
  return [
    ["read", `${read} > /dev/null`],
    [
      "walsender",
      `${binDir}/pg_basebackup -h ${socketDir} -p ${port} -U postgres -D - -Ft -X none -c fast > /dev/null`,
    ],
    ["copy", `rm -rf ${copy}; mkdir ${copy}; ${files} | xargs -0 cp --parents -t ${copy}`],
    ["hash", `${files} | xargs -0 -P ${jobs} -n 16 sha256sum > ${directory}/sums`],
    ["zstd", `${read} | zstd -q -3 -T${jobs} -c > ${packed}; stat -c %s ${packed}`],
    ["unzstd", `zstd -q -dc ${packed} > /dev/null`],
    [
      "disk",
      `dd if=/dev/zero of=${written} bs=1M count=${blocks} conv=fsync status=none; rm ${written}`,
      blocks * 1024 ** 2,
    ],
    ...(withGzip ? [["gzip", `${files} | xargs -0 -P ${jobs} -n 16 gzip -6 -c | wc -c`] as const] : []),
  ];
}

interface StoreOptions {
  readonly gigabytes: number;
  readonly runs: number;
  readonly amount: number;
}

/** The client and the server of the store with nothing behind or before them: objects of 16 MiB, four at a time. */
async function measureStore({ s3 }: Place, { gigabytes, runs, amount }: StoreOptions): Promise<LimitRow[]> {
  const { endpoint, region, bucket } = s3;
  const store = openStore({ url: `s3://${bucket}/raw`, endpoint, region, credentials: s3, caPem: s3.caPem });
  const keys = Array.from({ length: Math.ceil(amount / OBJECT_BYTES) }, (_, at) => `object-${at}`);
  const body = randomBytes(OBJECT_BYTES);
  const clock = async (work: (key: string) => Promise<unknown>): Promise<{ seconds: number }> => {
    const start = performance.now();
    for await (const done of mapOrdered(keys, work, { maxItems: AT_ONCE })) done satisfies unknown;
    return { seconds: (performance.now() - start) / 1000 };
  };
  const common = { gigabytes, amount: keys.length * OBJECT_BYTES };
  try {
    const put = await repeat(runs, async () => {
      await store.remove(keys);
      return await clock((key) => store.put(key, body));
    });
    const get = await repeat(runs, () => clock((key) => readObject(store, key)));
    return [
      { limit: "put", ...common, ...put },
      { limit: "get", ...common, ...get },
    ];
  } finally {
    await store.remove(keys);
    await store.close();
  }
}

/** How long it takes to list so many keys, as a plan lists the WAL. */
export async function measureListing(
  { s3 }: Place,
  keys: number,
): Promise<{ keys: number; seconds: number; requests: number }> {
  const { endpoint, region, bucket } = s3;
  const store = openStore({ url: `s3://${bucket}/listed`, endpoint, region, credentials: s3, caPem: s3.caPem });
  try {
    await fill(store, keys);
    const before = (await s3.counts())["ListObjectsV2"] ?? 0;
    const start = performance.now();
    let seen = 0;
    for await (const { key } of store.list("wal/")) seen += key.length > 0 ? 1 : 0;
    const seconds = (performance.now() - start) / 1000;
    return { keys: seen, seconds, requests: ((await s3.counts())["ListObjectsV2"] ?? 0) - before };
  } finally {
    await store.close();
  }
}

async function fill(store: ObjectStore, keys: number): Promise<void> {
  const put = async (index: number): Promise<void> =>
    void (await store.put(`wal/00000001${index.toString(16).toUpperCase().padStart(16, "0")}.zst`, Buffer.alloc(64)));
  for await (const done of mapOrdered(
    Array.from({ length: keys }, (_, at) => at),
    put,
    { maxItems: 16 },
  ))
    done satisfies void;
}
