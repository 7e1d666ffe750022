import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import * as v from "valibot";
import { syntheticBackup, syntheticRestore, type SyntheticBackup, type SyntheticRestore } from "./document.ts";
import { OWNER_SIZES } from "./page/owner-sizes.ts";

export interface Synthetic {
  readonly backups: SyntheticBackup[];
  readonly restores: SyntheticRestore[];
}

/** Backups and restores of the owner's sizes, of which `gigabytes` each really flow; each in a process of its own, for its memory. */
export async function measureSynthetic(gigabytes: number): Promise<Synthetic> {
  const measured: Synthetic = { backups: [], restores: [] };
  if (gigabytes === 0) return measured;
  for (const owner of OWNER_SIZES) {
    const [ran, of] = [String(gigabytes), String(owner.gigabytes)];
    measured.backups.push(v.parse(syntheticBackup, await runJson("../synthetic-stream.ts", "--json", ran, of)));
    measured.restores.push(v.parse(syntheticRestore, await runJson("../synthetic-restore.ts", of, ran)));
  }
  return measured;
}

/** The last line that a bench prints, which is JSON. */
async function runJson(bench: string, ...args: string[]): Promise<unknown> {
  const path = fileURLToPath(new URL(bench, import.meta.url));
  const child = spawn(process.execPath, ["--conditions=soar-source", path, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text));
  const status = await new Promise<number | null>((resolve, reject) =>
    child.once("close", resolve).once("error", reject),
  );
  if (status !== 0) throw new Error(`${bench} ended with ${status ?? "a signal"}`);
  return JSON.parse(printed.trim().split("\n").at(-1) ?? "");
}
