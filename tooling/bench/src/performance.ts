/*
 * Soar's works beside the limits of the machine and beside other tools, at several sizes, into one JSON; docs/performance.md is
 * written from the JSON of a quiet run. After the build:
 *
 *   node --conditions=soar-source tooling/bench/src/performance.ts [--sizes 1,3] [--runs 3] [--peers] [--json docs/performance.json]
 *
 * Others are measured where they are installed, or named: --pgbackrest PATH, --wal-g PATH, --barman PATH.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import type { TestCluster } from "@soar-tooling/postgres-clusters";
import { serverUser } from "@soar-tooling/test-bench";
import { openAviationCluster } from "./aviation-cluster.ts";
import { memoryDirectory } from "./bench-directory.ts";
import { measureDatabase } from "./performance/database-works.ts";
import { formatDocument, type PerformanceDocument } from "./performance/document.ts";
import { measureLimits, measureListing } from "./performance/limits.ts";
import { findPeers, type FoundPeers } from "./performance/peers/find-peers.ts";
import { openStoreServer, ownedDirectory } from "./performance/place.ts";
import { parseOptions } from "./performance/run-options.ts";
import { soar } from "./performance/soar.ts";
import { measureSynthetic } from "./performance/synthetic.ts";
import { measureWal } from "./performance/wal-works.ts";

const LISTED_KEYS = 5_000;

type Collected = Pick<PerformanceDocument, "rows" | "limits">;

const options = parseOptions(process.argv.slice(2));
const { runs, jobs, segments } = options;
const startedAt = new Date();
const loadBefore = loadavg()[0] ?? 0;
const collected: Collected = { rows: [], limits: [] };
let postgres = "";
let listing: PerformanceDocument["listing"];
const tools: PerformanceDocument["tools"] = { soar: gitCommit() };

function gitCommit(): string {
  const { stdout } = spawnSync("git", ["describe", "--always", "--dirty", "--abbrev=12"], { encoding: "utf8" });
  return stdout.trim();
}

/** What fails is not measured; the rest is, and the run ends with 1. */
async function orTell(what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    console.error(`${what} could not be measured further:`, error);
    process.exitCode = 1;
  }
}

function tell(line: object): void {
  console.log(JSON.stringify(line));
}

function onRow(row: Collected["rows"][number]): void {
  collected.rows.push(row);
  tell(row);
}

function onLimit(row: Collected["limits"][number]): void {
  collected.limits.push(row);
  tell(row);
}

interface Places {
  readonly gigabytes: number;
  readonly target: string;
  readonly directory: string;
}

async function measureMachine(cluster: TestCluster, { gigabytes, target, directory }: Places): Promise<void> {
  const isSmallest = gigabytes === options.gigabytes[0];
  await using store = await openStoreServer(4_000);
  const place = { cluster, ...store, directory, jobs, prefix: "limits", codec: "zstd" } as const;
  const disk = ownedDirectory(join(directory, "disk"));
  for (const row of await measureLimits(place, { gigabytes, runs, target, disk, withGzip: isSmallest })) onLimit(row);
  if (isSmallest) listing = await measureListing(place, LISTED_KEYS);
}

async function measureSize(cluster: TestCluster, gigabytes: number): Promise<void> {
  const isSmallest = gigabytes === options.gigabytes[0];
  const target = memoryDirectory(gigabytes * 3000);
  chownSync(target, serverUser().uid, serverUser().gid);
  const directory = mkdtempSync(join(tmpdir(), "soar-bench-"));
  chmodSync(directory, 0o755);
  chownSync(directory, serverUser().uid, serverUser().gid);
  try {
    const peers = peersOf(cluster);
    await orTell("a limit", () => measureMachine(cluster, { gigabytes, target, directory }));
    const all = [soar(tools.soar ?? ""), ...peers.tools];
    const common = { cluster, gigabytes, runs, jobs, directory, target, onRow };
    for (const tool of all) await orTell(tool.name, () => measureDatabase(tool, { ...common, codec: "zstd" }));
    if (!isSmallest) return;
    for (const tool of all) await orTell(tool.name, () => measureDatabase(tool, { ...common, runs: 1, codec: "gzip" }));
    if (segments > 0) await orTell("WAL", () => measureWal(all, { ...common, segments, onLimit }));
  } finally {
    for (const path of [target, directory]) rmSync(path, { recursive: true, force: true });
  }
}

function peersOf(cluster: TestCluster): FoundPeers {
  if (!options.withPeers) return { tools: [], missing: [] };
  const found = findPeers(options.paths, cluster);
  for (const { name, version } of found.tools) tools[name] = version;
  for (const name of found.missing) tools[name] = null;
  return found;
}

for (const gigabytes of options.gigabytes) {
  await using cluster = await openAviationCluster(gigabytes * 1000);
  postgres = cluster.installation.version;
  await measureSize(cluster, gigabytes);
}
const synthetic = await measureSynthetic(options.synthetic);
for (const line of [...synthetic.backups, ...synthetic.restores]) tell(line);
const document: PerformanceDocument = {
  format: 1,
  measured: {
    at: startedAt.toISOString(),
    commit: tools.soar ?? "",
    machine: cpus()[0]?.model ?? "",
    cores: cpus().length,
    memory: totalmem(),
    node: process.version,
    postgres,
    loadBefore,
    loadAfter: loadavg()[0] ?? 0,
    runs,
    jobs,
  },
  tools,
  ...collected,
  ...synthetic,
  ...(listing === undefined ? {} : { listing }),
};
const path = options.json ?? join(mkdtempSync(join(tmpdir(), "soar-performance-")), "performance.json");
writeFileSync(path, formatDocument(document));
console.log(`${Math.round((Date.now() - startedAt.getTime()) / 1000)} s; measured figures: ${path}`);
for (const [name, version] of Object.entries(tools))
  console.log(version === null ? `${name}: not installed, not measured` : `${name} ${version}`);
