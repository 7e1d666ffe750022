import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { chooseBenches, type ChosenBench } from "./choose-benches.ts";

/*
 * npm run bench -- [NAME...] [OPTIONS of performance]: figures as ratios in one run, one bench after the other; all of them when
 * none is named. `npm run bench -- performance --peers` measures other tools beside, and writes what was measured as JSON.
 */
function run({ path, args }: ChosenBench): Promise<number> {
  const script = fileURLToPath(new URL(path, import.meta.url));
  const child = spawn(process.execPath, ["--conditions=soar-source", script, ...args], { stdio: "inherit" });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (status) => resolve(status ?? 1));
  });
}

function chosen(): ChosenBench[] {
  try {
    return chooseBenches(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    process.stderr.write(`error: ${error.message}\n`);
    process.exit(64);
  }
}

let failures = 0;
for (const bench of chosen()) {
  process.stdout.write(`\n${bench.name}\n`);
  if ((await run(bench)) !== 0) failures += 1;
}
process.exit(failures === 0 ? 0 : 1);
