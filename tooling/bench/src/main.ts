import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/*
 * npm run bench [archive-drain|rpo|base-backup|restore|replay|synthetic-stream|verify|codecs]: figures as ratios in one run. Each bench is a program of
 * its own and prints its own table; all of them run one after the other when none is named.
 */
const BENCHES: Readonly<Record<string, string>> = {
  codecs: "../../../packages/seekable-tar/bench/codecs.ts",
  "archive-drain": "./archive-drain.ts",
  rpo: "./rpo.ts",
  "base-backup": "./base-backup.ts",
  restore: "./restore.ts",
  replay: "./replay.ts",
  "synthetic-stream": "./synthetic-stream.ts",
  verify: "./verify.ts",
};

function run(path: string): Promise<number> {
  const child = spawn(process.execPath, ["--conditions=soar-source", fileURLToPath(new URL(path, import.meta.url))], {
    stdio: "inherit",
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (status) => resolve(status ?? 1));
  });
}

const named = process.argv.slice(2).filter((word) => !word.startsWith("-"));
const unknown = named.find((name) => !(name in BENCHES));
if (unknown !== undefined) {
  process.stderr.write(`error: there is no bench '${unknown}'\nhint: There are: ${Object.keys(BENCHES).join(", ")}.\n`);
  process.exit(64);
}
let failures = 0;
for (const [name, path] of Object.entries(BENCHES)) {
  if (named.length > 0 && !named.includes(name)) continue;
  process.stdout.write(`\n${name}\n`);
  if ((await run(path)) !== 0) failures += 1;
}
process.exit(failures === 0 ? 0 : 1);
