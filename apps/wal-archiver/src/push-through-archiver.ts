import { basename, dirname, join, resolve } from "node:path";
import { formatLogLine, visibleParagraph } from "@soar/app-kit/lines";
import { askArchiver, findFileIdentity } from "@soar/archive/client";
import { DEFAULT_SPOOL_DIR } from "./default-spool.ts";

const DEFAULT_ENV_FILE = "/etc/soar/backup-env";

/**
 * Has the resident archiver archive a file, knowing nothing of the configuration but what is in the environment. Gives the
 * exit status, or undefined when the whole program is needed: another command line, no archiver, one of another
 * repository, or settings that only the whole program understands.
 */
export async function pushThroughArchiver(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<number | undefined> {
  const call = parseCall(argv, env);
  if (call === undefined || isSet(env["BACKUP_LOG_FORMAT"]) || isSet(env["BACKUP_LOG_LEVEL"])) return undefined;
  const answer = await askArchiver(join(env["BACKUP_SPOOL_DIR"] || DEFAULT_SPOOL_DIR, "socket"), {
    directory: dirname(resolve(call.path)),
    name: call.name,
    caller: {
      envFile: (await findFileIdentity(call.envFile))?.text ?? "-",
      bucket: env["BACKUP_BUCKET"] ?? "",
      endpoint: env["AWS_ENDPOINT_URL"] ?? "",
    },
  });
  if (answer === undefined || "declined" in answer) return undefined;
  if ("failed" in answer) {
    const { message, hint, exitStatus } = answer.failed;
    const lines = [
      `error: ${visibleParagraph(message)}`,
      ...(hint === undefined ? [] : [`hint: ${visibleParagraph(hint)}`]),
    ];
    process.stderr.write(`${lines.join("\n")}\n`);
    return exitStatus;
  }
  const { warning } = answer.done;
  if (warning !== undefined) {
    log("warn", warning);
    return 0;
  }
  if (isOn(env["BACKUP_LOG_ARCHIVE"] || (answer.done.logsArchive ? "on" : "off"))) {
    log("info", `${answer.done.answer} write-ahead log file "${call.name}"`);
  }
  return 0;
}

/** One line, whatever the archiver says: its words may be those of whoever can write to the bucket. */
function log(level: "info" | "warn", message: string): void {
  const target = { component: "wal-archiver", format: "text" } as const;
  process.stderr.write(`${formatLogLine(target, { time: new Date(), level, message })}\n`);
}

/** Whether a command line is what PostgreSQL calls, which no other command takes for itself. */
export function isPlainPush(argv: readonly string[]): boolean {
  const call = parseCall(argv, {});
  return call !== undefined && basename(call.path) === call.name;
}

interface Call {
  readonly envFile: string;
  readonly path: string;
  readonly name: string;
}

/** The command lines that the launcher knows too: `[--env-file FILE] PATH NAME`. */
function parseCall(argv: readonly string[], env: NodeJS.ProcessEnv): Call | undefined {
  const [first = "", ...rest] = argv;
  const [envFile, words] =
    first === "--env-file"
      ? [rest[0] ?? "", rest.slice(1)]
      : first.startsWith("--env-file=")
        ? [first.slice(11), rest]
        : [env["BACKUP_ENV_FILE"] || DEFAULT_ENV_FILE, argv];
  const [path, name] = words;
  if (words.length !== 2 || path === undefined || name === undefined || path.startsWith("-")) return undefined;
  return /^[0-9A-F]{8}[0-9A-Za-z.]+$/.test(name) ? { envFile, path, name } : undefined;
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "";
}

function isOn(value: string): boolean {
  return ["on", "true", "yes", "1"].includes(value.toLowerCase());
}
