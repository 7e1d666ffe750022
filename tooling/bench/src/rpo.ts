import { startS3ServerProcess, type S3ServerProcess } from "@soar-tooling/s3-server";
import { loseMachine, type Loss } from "./rpo/lose-machine.ts";
import { createTemplate, type Template } from "./rpo/template.ts";

/*
 * How old is what is lost with the machine? kill -9 of server and archiver, and loss of the disk, under steady single-row
 * commits; in default and in synchronous mode, with 0 and 50 ms latency to the store. The newest recoverable commit is read
 * from the bucket as a restore reads it; the first run of each setting proves that by a restore. Segments of 1 and 16 MiB in turn.
 *
 *   node --conditions=soar-source tooling/bench/src/rpo.ts [runs] [default|synchronous] [latency ms]
 */
const [runs = "50", onlyMode, onlyLatency] = process.argv.slice(2);
const LIMIT_MS = { default: 1_500, synchronous: 0 } as const;
type Mode = keyof typeof LIMIT_MS;
const MODES: readonly Mode[] = ["default", "synchronous"];

/** Evenly over the interval of the tail, so that every moment of it is met, and repeatable. */
const writeMsOf = (run: number): number => 2_000 + ((run * 618) % 1_000);

async function measure(
  templates: readonly Template[],
  s3: S3ServerProcess,
  { mode, latencyMs }: { mode: Mode; latencyMs: number },
): Promise<boolean> {
  await s3.change({ latencyMs });
  const losses: Loss[] = [];
  for (let run = 0; run < Number(runs); run += 1) {
    const template = templates[run % templates.length];
    if (template !== undefined)
      losses.push(
        await loseMachine({
          template,
          s3,
          run: `${mode}-${latencyMs}-${run}`,
          synchronous: mode === "synchronous",
          writeMs: writeMsOf(run),
          provesByRestore: run === 0,
        }),
      );
  }
  const ages = losses.map(({ lostMs }) => lostMs).sort((a, b) => a - b);
  const at = (part: number): string =>
    (ages[Math.min(ages.length - 1, Math.floor(part * ages.length))] ?? Number.NaN).toFixed(0);
  const proofs = losses.filter(({ restoredNewest }) => restoredNewest !== undefined);
  const isProved = proofs.every(({ newest, restoredNewest }) => newest === restoredNewest);
  const commits = losses.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  console.log(
    `${mode}, ${latencyMs} ms: lost with the machine: min ${at(0)}, median ${at(0.5)}, 90 % ${at(0.9)}, max ${at(1)} ms (limit ${LIMIT_MS[mode]}); ${losses.reduce((sum, { lostCommits }) => sum + lostCommits, 0)} of ${commits} commits in ${losses.length} runs; a restore ${isProved ? "gives the same" : "GIVES SOMETHING ELSE"} in ${proofs.length}`,
  );
  return isProved && Number(ages.at(-1)) <= LIMIT_MS[mode];
}

const s3 = await startS3ServerProcess();
const templates = [await createTemplate(1), await createTemplate(16)];
try {
  for (const mode of MODES) {
    for (const latencyMs of [0, 50]) {
      if (
        (onlyMode !== undefined && onlyMode !== mode) ||
        (onlyLatency !== undefined && Number(onlyLatency) !== latencyMs)
      )
        continue;
      if (!(await measure(templates, s3, { mode, latencyMs }))) process.exitCode = 1;
    }
  }
} finally {
  for (const { cluster } of templates) await cluster.remove();
  await s3.close();
}
