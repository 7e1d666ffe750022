import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

/** A process that has ended, and whose parent does not collect it. */
export interface Uncollected {
  readonly id: number;
  /** Ends the parent: then somebody else collects it. */
  readonly collect: () => void;
}

const POLL_MS = 5;

export async function startUncollected(): Promise<Uncollected> {
  // The shell becomes a sleep, which collects nobody.
  const parent = spawn("sh", ["-c", "sh -c 'echo $$' & exec sleep 600"], { stdio: ["ignore", "pipe", "ignore"] });
  const [said] = (await once(parent.stdout, "data")) as [Buffer];
  const id = Number(said.toString());
  while (!/\) Z /.test(await readFile(`/proc/${id}/stat`, "utf8"))) await delay(POLL_MS);
  return { id, collect: () => void parent.kill("SIGKILL") };
}
