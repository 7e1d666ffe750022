import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore, type ObjectStore } from "@soar/storage";
import { fillSampleRepository } from "@soar-tooling/sample-repository";
import { startRestore } from "./run-restore.ts";

/** Node itself and the program take about 110 MiB. */
export const LARGEST_BYTES = 400 * 1e6;

/** A repository that somebody else can write to. */
export interface HostileWorld extends AsyncDisposable {
  readonly root: string;
  readonly url: string;
  readonly store: ObjectStore;
}

export async function openHostileWorld(): Promise<HostileWorld> {
  const root = mkdtempSync(join(tmpdir(), "soar-hostile-cli-"));
  const url = `file://${join(root, "bucket")}`;
  mkdirSync(join(root, "bucket"));
  const store = openStore({ url });
  await fillSampleRepository(store);
  return {
    root,
    url,
    store,
    async [Symbol.asyncDispose]() {
      await store.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

export interface Measured {
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** The most memory that the program had at once, in bytes. */
  readonly peak: number;
}

/** Runs the program on the repository. */
export async function runMeasured({ root, url }: HostileWorld, args: readonly string[]): Promise<Measured> {
  const program = startRestore([...args, "--bucket", url], { cwd: root });
  let peak = 0;
  const watch = setInterval(() => (peak = Math.max(peak, peakOf(program.pid))), 20);
  const { status, stdout, stderr } = await program.result;
  clearInterval(watch);
  return { status: status ?? undefined, stdout, stderr, peak };
}

/** The most memory that the process has had at once, in bytes; 0 when it is gone. */
function peakOf(pid: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
