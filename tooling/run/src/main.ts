import { buildWorkspace } from "./build-workspace.ts";
import { buildZlibSync } from "./build-zlib-sync.ts";
import { runScript } from "./run-script.ts";
import { testEverything } from "./test-everything.ts";

/** What `npm run` names can do; `bootstrap.mjs` passes the first argument on. */
const TASKS: Record<string, (args: readonly string[]) => Promise<number>> = {
  "postgres-19": (args) => runScript("tooling/postgres-clusters/src/unpacked/main.ts", args),
  test: testEverything,
  demo: (args) => afterBuild("tooling/demo/src/main.ts", args),
  bench: (args) => afterBuild("tooling/bench/src/main.ts", args),
  "zlib-sync": async () => {
    const { status, output } = await buildZlibSync();
    process.stderr.write(output);
    return status ?? 1;
  },
};

async function afterBuild(script: string, args: readonly string[]): Promise<number> {
  const built = await buildWorkspace();
  return built ? await runScript(script, args) : 1;
}

const [name = "", ...args] = process.argv.slice(2);
const task = TASKS[name];
if (task === undefined) {
  process.stderr.write(`error: '${name}' is no task\nhint: The tasks are ${Object.keys(TASKS).join(", ")}.\n`);
  process.exitCode = 64;
} else {
  process.exitCode = await task(args);
}
