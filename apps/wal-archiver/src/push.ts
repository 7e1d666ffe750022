import { dirname, resolve } from "node:path";
import { defineCommand, endWithin, openConfiguredStore, type Config, type Log } from "@soar/app-kit";
import { archiveWalFile } from "@soar/archive";
import { describeGivenUp } from "@soar/archive/gap";
import { askArchiver, type PushAnswer } from "@soar/archive/client";
import { ERROR_CODES, SoarError, type ErrorCode } from "@soar/errors";
import { doBesides, type StoredOwn } from "./do-besides.ts";
import { archiveOptions } from "./options.ts";
import { recordPush, type PushRecorder } from "./record-push.ts";
import { findServerDirectory } from "./server-directory.ts";
import { socketPath } from "./socket-path.ts";

/** `archive_command`: exit status 0 only when the bucket holds exactly these bytes. */
export const push = defineCommand({
  name: "push",
  isDefault: true,
  summary: "Archive one WAL file; this is PostgreSQL's archive_command.",
  description:
    "Set archive_command = '/usr/local/bin/soar-wal-archive %p %f'.\n\nThe same file twice is success, another file under a name that is taken is refused; nothing is ever overwritten. PostgreSQL keeps a file until this command has ended with status 0. When the resident archiver runs (soar-wal-archive daemon), it does the work; else this command does.",
  positionals: {
    path: { help: "The file, relative to the data directory (%p)." },
    name: { help: "Its name in the archive (%f)." },
  },
  options: archiveOptions,
  examples: [
    {
      command: "soar-wal-archive pg_wal/000000010000000000000001 000000010000000000000001",
      explanation: "by hand, as the server's user, in the data directory",
    },
  ],
  // It runs under the server every few seconds: its log is the server's.
  logFile: "none",
  isBelieved: true,
  async run({ config, positionals: { path, name }, log, signal, app, envFile }) {
    const repository = { bucket: config.bucket, endpoint: config.endpoint ?? "" };
    const request = { directory: dirname(resolve(path)), name, repository };
    const answer = await askArchiver(socketPath(config), request, {
      signal,
      onDoubt: (doubt) => log.warn(`the resident archiver is not asked: ${doubt}`),
    });
    const { outcome, warning } =
      answer === undefined
        ? await archiveHere(config, { path, name, log, signal, toolVersion: `${app.name} ${app.version}`, envFile })
        : requireDone(answer);
    // One line at most: it stands in the server's log for every file.
    const line = [
      ...(config.logArchive && outcome !== "given up" ? [`${outcome} write-ahead log file "${name}"`] : []),
      ...(warning === undefined ? [] : [warning]),
    ].join("; ");
    if (warning !== undefined) log.warn(line);
    else if (line !== "") log.info(line);
  },
});

interface Archived {
  readonly outcome: string;
  /** What has to stand in the server's log. */
  readonly warning: string | undefined;
}

interface Call {
  readonly path: string;
  readonly name: string;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly toolVersion: string;
  readonly envFile: string | undefined;
}

/** What waits for an upload to be given back takes this long after the deadline at most. */
const GRACE_MS = 2_000;

async function archiveHere(config: Config<typeof archiveOptions>, call: Call): Promise<Archived> {
  const recorder = recordPush(config, call.path);
  const signal = AbortSignal.any([call.signal, AbortSignal.timeout(config.archiveTimeoutMs)]);
  const own = await endWithin(archiveOwn(config, recorder, { ...call, signal }), {
    signal,
    graceMs: GRACE_MS,
    suspect: `the file system of '${call.path}'`,
  });
  // The deadline was the file's, which is answered for: whatever becomes of the rest, the call ends with success, and soon.
  const doubts = await doBesides(own, { ...call, config, recorder });
  const { done } = own;
  const words = [...(done.outcome === "given up" ? [describeGivenUp(call.name, done.gap)] : []), ...doubts];
  return { outcome: done.outcome, warning: words.join("; ") || undefined };
}

/** Stores the file of this call; counts it where that fails. */
async function archiveOwn(
  config: Config<typeof archiveOptions>,
  recorder: PushRecorder,
  { path, name, log, signal, toolVersion, envFile }: Call,
): Promise<StoredOwn> {
  const startedAt = performance.now();
  // Without the log: attempts that failed before one succeeded are not worth a line in the server's log for every segment.
  const store = await openConfiguredStore(config, {
    envFile,
    onEvent: (event) => recorder.countRequest(event),
    overrides: { retry: { deadlineMs: config.archiveTimeoutMs } },
  });
  try {
    const done = await archiveWalFile(store, path, name, {
      codec: config.walCompression,
      level: config.walCompressionLevel,
      toolVersion,
      now: new Date(),
      spoolDir: config.spool,
      dataDir: await findServerDirectory(process.env),
      signal,
    });
    return { store, done, durationMs: performance.now() - startedAt };
  } catch (error) {
    const warning = await recorder.finish([{ type: "failed", name, error, attempts: 1, retryInMs: 0 }], store);
    if (warning !== undefined) log.warn(warning);
    await store.close();
    throw error;
  }
}

function requireDone(answer: PushAnswer): Archived {
  if ("done" in answer) return { outcome: answer.done.answer, warning: answer.done.warning };
  if ("declined" in answer) throw new Error(`the archiver declined: ${answer.declined}`);
  const { code, message, hint } = answer.failed;
  if (code in ERROR_CODES) throw new SoarError(code as ErrorCode, message, { hint });
  throw new Error(message);
}
