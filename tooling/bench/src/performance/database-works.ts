import { randomBytes } from "node:crypto";
import { closeSync, openSync, readdirSync, rmSync, statSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { TestCluster } from "@soar-tooling/postgres-clusters";
import { DATABASE } from "../aviation-cluster.ts";
import type { ProgramRun } from "../measured.ts";
import type { Row, Work } from "./document.ts";
import { archiveNowhere, clusterBytes, openStoreServer, ownedDirectory, type Place, type Store } from "./place.ts";
import type { Tool, ToolCommands } from "./tool.ts";
import { repeat, timed } from "./timed.ts";

export interface DatabaseOptions {
  readonly cluster: TestCluster;
  readonly gigabytes: number;
  readonly runs: number;
  readonly jobs: number;
  readonly codec: "zstd" | "gzip";
  /** Of the server's user, emptied by the caller. */
  readonly directory: string;
  /** Where clusters are restored to. */
  readonly target: string;
  readonly onRow: (row: Row) => void;
}

/** Everything that a tool can do with the cluster, one after the other: what a later work needs, an earlier one leaves. */
export async function measureDatabase(tool: Tool, options: DatabaseOptions): Promise<void> {
  const { cluster, gigabytes, codec, runs } = options;
  await using store = await openStoreServer(gigabytes * 1000 * (runs + 1));
  const directory = ownedDirectory(join(options.directory, `${tool.name}-${codec}`));
  const place: Place = { ...options, ...store, directory, prefix: tool.name };
  const commands = tool.prepare(place);
  if (commands.init !== undefined) await timed(commands.init, commands.env);
  await cluster.configure({ archive_command: commands.archive });
  try {
    const work = new DatabaseWork({ tool, commands, store, options });
    await work.measure(codec === "zstd" ? "full-zstd" : "full-gzip", () => work.run(commands.full));
    if (codec === "gzip") return;
    await work.restores();
    await work.verifications();
    await work.incrementals();
  } finally {
    await archiveNowhere(cluster);
    rmSync(directory, { recursive: true, force: true });
  }
}

class DatabaseWork {
  readonly tool: Tool;
  readonly commands: ToolCommands;
  readonly store: Store;
  readonly options: DatabaseOptions;

  constructor(parts: Pick<DatabaseWork, "tool" | "commands" | "store" | "options">) {
    this.tool = parts.tool;
    this.commands = parts.commands;
    this.store = parts.store;
    this.options = parts.options;
  }

  async run(words: readonly string[]): Promise<ProgramRun> {
    return await timed(words, this.commands.env);
  }

  /** The runs of one work; what they store and ask of the store is that of the one in the middle. */
  async measure(work: Work, once: () => Promise<ProgramRun>, before?: () => Promise<void>): Promise<void> {
    const { gigabytes, cluster, onRow, runs } = this.options;
    const { s3 } = this.store;
    const measured = await repeat(runs, async () => {
      await before?.();
      const [held, counts] = [this.store.bytes(), await s3.counts()];
      const { seconds, peak } = await once();
      const after = await s3.counts();
      const made = (of: (name: string) => boolean): number =>
        Object.entries(after).reduce((sum, [name, now]) => sum + (of(name) ? now - (counts[name] ?? 0) : 0), 0);
      const stored = this.store.bytes() - held;
      return { seconds, peak, stored, requests: made(() => true), parts: made((name) => name === "UploadPart") };
    });
    onRow({ work, tool: this.tool.name, gigabytes, amount: clusterBytes(cluster), ...measured });
  }

  async restores(): Promise<void> {
    const { restore, delta } = this.commands;
    const { target } = this.options;
    if (restore === undefined) return;
    const dataDir = join(target, "restored");
    const empty = async (): Promise<void> => {
      rmSync(dataDir, { recursive: true, force: true });
      if (this.tool.name !== "soar") ownedDirectory(dataDir);
      await Promise.resolve();
    };
    await this.measure("restore", () => this.run(restore(dataDir)), empty);
    if (delta !== undefined)
      await this.measure(
        "delta",
        () => this.run(delta(dataDir)),
        async () => await Promise.resolve(damageCopy(dataDir)),
      );
    rmSync(dataDir, { recursive: true, force: true });
  }

  async verifications(): Promise<void> {
    const { verifyStored, verifyFull } = this.commands;
    if (verifyStored !== undefined) await this.measure("verify-stored", () => this.run(verifyStored));
    if (verifyFull !== undefined) await this.measure("verify-full", () => this.run(verifyFull));
  }

  async incrementals(): Promise<void> {
    const { incremental } = this.commands;
    const { cluster } = this.options;
    if (incremental === undefined) return;
    await this.measure(
      "incremental",
      () => this.run(incremental),
      () => changeRows(cluster),
    );
  }
}

/** About 2 % of the rows, as they change in a day: a stretch of one partition, and single rows of small tables. */
async function changeRows(cluster: TestCluster): Promise<void> {
  await cluster.query(
    `UPDATE devices SET updated_at = now() WHERE random() < 0.05;
     UPDATE fixes SET is_active = NOT is_active WHERE received_at BETWEEN
       (SELECT max(received_at) - interval '12 hours' FROM fixes) AND (SELECT max(received_at) FROM fixes);`,
    [],
    DATABASE,
  );
  await cluster.query("CHECKPOINT");
}

const PAGE = 8192;

/** One page each of eight files is damaged, another file missing, another cut. Leaves nothing that says that a restore was finished. */
function damageCopy(dataDir: string): void {
  for (const name of ["soar-restore", "recovery.signal", "soar-copy"])
    rmSync(join(dataDir, name), { recursive: true, force: true });
  const files = readdirSync(join(dataDir, "base"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /^\d+(?:\.\d+)?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => statSync(path).size > 4 * 1024 ** 2)
    .sort();
  for (const path of files.slice(0, 8)) {
    const file = openSync(path, "r+");
    writeSync(file, randomBytes(PAGE), 0, PAGE, 5 * PAGE);
    closeSync(file);
  }
  if (files[8] !== undefined) rmSync(files[8]);
  if (files[9] !== undefined) truncateSync(files[9], PAGE);
}
