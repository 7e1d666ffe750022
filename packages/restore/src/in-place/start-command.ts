import { join } from "node:path";
import { isRoot, statIfPresent } from "@soar/durable-files";
import { quoteForShell, runProgram } from "@soar/programs";
import type { ConfigChoice } from "../server-config/config-choice.ts";
import { controlCommand, type ServerControl } from "../server-control/server-control.ts";

interface CommandOptions {
  readonly dataDir: string;
  readonly binDir: string;
  /** What the server is to be started with, where no service knows it. */
  readonly config: ConfigChoice | undefined;
}

const PATIENCE_MS = 30_000;

/** The command line by which a person starts a server as it was, to be given to a shell by whoever runs this. */
export async function startCommand(control: ServerControl, options: CommandOptions): Promise<string> {
  const { dataDir, binDir, config } = options;
  if (control.kind !== "pg_ctl") return controlCommand(control, "start", dataDir).join(" ");
  const settings = {
    ...(config?.configFile === undefined ? {} : { config_file: config.configFile }),
    ...config?.settings,
  };
  // pg_ctl gives them to a shell of its own.
  const given = Object.entries(settings).map(([name, value]) => `-c ${quoteForShell(`${name}=${value}`)}`);
  const words = [
    ...(await asOwner(dataDir)),
    join(binDir, "pg_ctl"),
    "-D",
    dataDir,
    ...(given.length === 0 ? [] : ["-o", given.join(" ")]),
    "start",
  ];
  return words.map(quoteForShell).join(" ");
}

/** Root is refused by pg_ctl. In a container the owner may be a number without a name. */
async function asOwner(dataDir: string): Promise<string[]> {
  const found = await statIfPresent(dataDir);
  if (!isRoot() || found === undefined) return [];
  const { uid, gid } = found;
  const account = await runProgram("id", ["-un", String(uid)], {
    env: { PATH: "/usr/bin:/bin" },
    timeoutMs: PATIENCE_MS,
  });
  return account.status === 0
    ? ["runuser", "-u", account.stdout.trim(), "--"]
    : ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--"];
}
