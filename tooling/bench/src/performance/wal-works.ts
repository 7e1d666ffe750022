import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { aviationTrafficSql, type TestCluster } from "@soar-tooling/postgres-clusters";
import { drain, readyCount } from "../archive-drain/backlog.ts";
import { copyCluster, DATABASE, NEWEST_DAY } from "../aviation-cluster.ts";
import type { LimitRow, Row } from "./document.ts";
import { MARK, markedBytes, startMarked } from "./marked-processes.ts";
import { archiveNowhere, openStoreServer, ownedDirectory, type Place, type Store } from "./place.ts";
import { recoverCopy, restoreLatest } from "./recover-copy.ts";
import { repeat, shell, timed } from "./timed.ts";
import type { Tool, ToolCommands } from "./tool.ts";

const ROWS = 50_000;
const CALLS = 9;

export interface WalOptions {
  readonly cluster: TestCluster;
  readonly segments: number;
  readonly runs: number;
  readonly jobs: number;
  readonly directory: string;
  readonly onRow: (row: Row) => void;
  readonly onLimit: (row: LimitRow) => void;
}

/** Draining a backlog, one call, replay of what was drained; each beside `cp`. */
export async function measureWal(tools: readonly Tool[], options: WalOptions): Promise<void> {
  const { cluster, directory, segments } = options;
  await using store = await openStoreServer(segments * 16 * 4);
  const copy = join(directory, "copy");
  const prepared = tools.map((tool) => prepareTool(tool, "kept", store, options));
  await takeFirstBackup(prepared, options);
  await copyCluster(cluster, copy);
  await writeBacklog(cluster, segments);
  await measureCopies(copy, options);
  for (const one of prepared) {
    await measureDrain(one, store, options);
    await measureCalls(one.tool, store, options);
    await measureReplay(one, copy, options);
  }
  rmSync(copy, { recursive: true });
}

interface Prepared {
  readonly tool: Tool;
  readonly commands: ToolCommands;
  readonly directory: string;
}

function prepareTool(tool: Tool, prefix: string, store: Store, options: WalOptions): Prepared {
  const directory = ownedDirectory(join(options.directory, `wal-${tool.name}-${prefix}`));
  const place: Place = { ...options, ...store, directory, prefix: `${tool.name}-${prefix}`, codec: "zstd" };
  return { tool, commands: tool.prepare(place), directory };
}

/** Soar replays by a plan, and a plan begins with a backup. */
async function takeFirstBackup(prepared: readonly Prepared[], { cluster }: WalOptions): Promise<void> {
  for (const { tool, commands } of prepared) {
    if (commands.init !== undefined) await timed(commands.init, commands.env);
    if (tool.name !== "soar") continue;
    await cluster.configure({ archive_command: commands.archive });
    await timed(commands.full, commands.env);
  }
  // Nothing of the WAL since then may be recycled, nor be archived before it is drained.
  await cluster.configure({ wal_keep_size: "64GB" });
  await archiveNowhere(cluster);
}

async function writeBacklog(cluster: TestCluster, segments: number): Promise<void> {
  await cluster.configure({ archive_command: "false" });
  while (readyCount(cluster) < segments)
    await cluster.query(aviationTrafficSql({ rows: ROWS, newestDay: NEWEST_DAY }), [], DATABASE);
  await cluster.query("SELECT pg_switch_wal()");
}

async function measureCopies(copy: string, { cluster, runs, jobs, directory, onLimit }: WalOptions): Promise<void> {
  const archived = ownedDirectory(join(directory, "copies"));
  let amount = 0;
  const copies = await repeat(runs, async () => {
    amount = 0;
    const seconds = await drained(cluster, async () => {
      amount = readyCount(cluster);
      await cluster.configure({ archive_command: `cp %p ${archived}/%f` });
      return async () => await cluster.configure({ archive_command: "false" });
    });
    return { seconds };
  });
  onLimit({ limit: "copy-segments", gigabytes: 0, amount, ...copies });
  const compress = shell(`find ${archived} -type f -print0 | xargs -0 -P ${jobs} -n 4 zstd -q -1 -c | wc -c`);
  const { seconds, fastest, slowest, stdout } = await repeat(runs, () => timed(compress, {}));
  const count = readdirSync(archived).length;
  onLimit({ limit: "zstd-segments", gigabytes: 0, amount: count, seconds, fastest, slowest, stored: Number(stdout) });
  const restoreCommand = `cp ${archived}/%f "%p"`;
  const replay = await repeat(runs, () => recoverCopy(cluster, { copy, directory, restoreCommand }));
  onLimit({ limit: "replay-copy", gigabytes: 0, ...replay });
}

/** Seconds from the switching on of archiving until PostgreSQL knows everything to be archived. */
async function drained(cluster: TestCluster, start: () => Promise<() => Promise<void>>): Promise<number> {
  let count = 0;
  const perSecond = await drain(cluster, async () => {
    count = readyCount(cluster);
    return await start();
  });
  return count / perSecond;
}

/** Each round into a repository of its own; the last into the one that is replayed from. */
async function measureDrain(kept: Prepared, store: Store, options: WalOptions): Promise<void> {
  const { cluster, runs, onRow } = options;
  let round = 0;
  const measured = await repeat(runs, async () => {
    round += 1;
    const into = round === runs ? kept : prepareTool(kept.tool, `round${round}`, store, options);
    const { init, env, archive, archiveBacklog = archive } = into.commands;
    if (into !== kept && init !== undefined) await timed(init, env);
    const held = store.bytes();
    let [amount, peak] = [0, 0];
    const seconds = await drained(cluster, async () => {
      amount = readyCount(cluster);
      await using started = new AsyncDisposableStack();
      const mark = `round${round}-${process.pid}`;
      const { resident } = into.commands;
      if (resident !== undefined) started.defer(startMarked(resident, { ...env, [MARK]: mark }));
      await cluster.configure({ archive_command: `${MARK}=${mark} ${archiveBacklog}` });
      const sampler = setInterval(() => (peak = Math.max(peak, markedBytes(mark))), 200);
      started.defer(() => clearInterval(sampler));
      const running = started.move();
      return async () => {
        await cluster.configure({ archive_command: "false" });
        await running.disposeAsync();
      };
    });
    return { seconds, amount, peak, stored: store.bytes() - held };
  });
  onRow({ work: "drain", tool: kept.tool.name, gigabytes: 0, ...measured });
}

/** One segment at a time into a repository of its own, without a server and without anything that is resident. */
async function measureCalls(tool: Tool, store: Store, options: WalOptions): Promise<void> {
  const { cluster, onRow } = options;
  const { archiveOne, init, env } = prepareTool(tool, "calls", store, options).commands;
  if (archiveOne === undefined) return;
  if (init !== undefined) await timed(init, env);
  // Only what is finished: beside it lie the segment that is written, and some for later.
  const waiting = readdirSync(join(cluster.dataDir, "pg_wal", "archive_status"))
    .flatMap((name) => /^([0-9A-F]{24})\.done$/.exec(name)?.[1] ?? [])
    .sort();
  let next = 0;
  const { peak, ...calls } = await repeat(Math.min(CALLS, waiting.length), () => {
    const name = waiting[next++] ?? "";
    return timed(archiveOne(join(cluster.dataDir, "pg_wal", name)), env);
  });
  const { seconds, fastest, slowest } = calls;
  onRow({ work: "archive-call", tool: tool.name, gigabytes: 0, amount: 1, seconds, fastest, slowest, peak });
}

/** From the start of the server to its promotion, through everything that was archived. */
async function measureReplay(
  { tool, commands, directory }: Prepared,
  copy: string,
  options: WalOptions,
): Promise<void> {
  const { cluster, runs, onRow } = options;
  const { restore, restoreCommand, env } = commands;
  if (restoreCommand === undefined || restore === undefined) return;
  const replayed = await repeat(runs, () =>
    tool.name === "soar"
      ? restoreLatest(cluster, { commands, directory })
      : recoverCopy(cluster, { copy, directory, restoreCommand, env }),
  );
  onRow({ work: "replay", tool: tool.name, gigabytes: 0, ...replayed });
}
