import { SoarError } from "@soar/errors";
import {
  baseBackup,
  connectReplication,
  type BaseBackupEvent,
  type ConnectionConfig,
} from "@soar/pg-tools/replication";
import {
  estimatedTotal,
  type ArchiveStream,
  type BackupRequest,
  type BackupSource,
  type FinishedBackup,
  type RunningBackup,
} from "./backup-source.ts";

type EventOf<T extends BaseBackupEvent["type"]> = Extract<BaseBackupEvent, { type: T }>;

/** BASE_BACKUP over the replication protocol: local or from another host, with all tablespaces, page checksums verified by the server. */
export function replicationSource(server: ConnectionConfig): BackupSource<ArchiveStream> {
  return {
    method: "replication",
    check: () => Promise.resolve(),
    async begin(request) {
      const { label, checkpoint, rateLimitBytes, signal } = request;
      const limit = rateLimitBytes === undefined ? {} : { maxRateKilobytes: Math.floor(rateLimitBytes / 1024) };
      const connection = await connectReplication(server, { signal });
      const events = new EventReader(baseBackup(connection, { label, checkpoint, ...limit, signal }));
      const close = async (): Promise<void> => {
        // Cancels the backup in the server unless it has ended.
        await events.close();
        await connection[Symbol.asyncDispose]();
      };
      try {
        return runningBackup(events, await events.require("start"), { request, close });
      } catch (error) {
        await close();
        throw error;
      }
    },
  };
}

function runningBackup(
  events: EventReader,
  { startLsn, timeline, tablespaces }: EventOf<"start">,
  { request, close }: { readonly request: BackupRequest; readonly close: () => Promise<void> },
): RunningBackup<ArchiveStream> {
  const total = estimatedTotal(tablespaces);
  events.onProgress = (done) => request.onProgress(done, total);
  return {
    startLsn,
    startTimeline: timeline,
    tablespaces,
    archives: () => readArchives(events),
    finish: () => readEnd(events, tablespaces),
    [Symbol.asyncDispose]: close,
  };
}

async function* readArchives(events: EventReader): AsyncGenerator<ArchiveStream, void, undefined> {
  for (let event = await events.take("archive"); event !== undefined; event = await events.take("archive")) {
    yield { oid: event.oid, location: event.location, data: readData(events) };
  }
}

async function* readData(events: EventReader): AsyncGenerator<Buffer, void, undefined> {
  for (let event = await events.take("data"); event !== undefined; event = await events.take("data")) yield event.chunk;
  await events.require("archive-end");
}

async function readEnd(events: EventReader, tablespaces: RunningBackup["tablespaces"]): Promise<FinishedBackup> {
  const chunks: Buffer[] = [];
  for (let event = await events.take("manifest"); event !== undefined; event = await events.take("manifest"))
    chunks.push(event.chunk);
  const { stopLsn, timeline, damaged, warnings } = await events.require("end");
  return {
    manifest: Buffer.concat(chunks),
    stopLsn,
    timeline,
    warnings,
    damaged: damaged && {
      ...damaged,
      files: damaged.files.map((file) => ({ ...file, path: pathInCluster(file.path, tablespaces) })),
    },
  };
}

/** As the data directory leads there: a restore may put the tablespace somewhere else. */
function pathInCluster(path: string, tablespaces: RunningBackup["tablespaces"]): string {
  const within = tablespaces.find(({ location }) => location !== undefined && path.startsWith(`${location}/`));
  return within?.oid === undefined ? path : `pg_tblspc/${within.oid}${path.slice(within.location?.length)}`;
}

/** The events in their order, one at a time, with one looked at ahead. */
class EventReader {
  readonly #events: AsyncGenerator<BaseBackupEvent, void, undefined>;
  #ahead: BaseBackupEvent | undefined;
  onProgress: (done: number) => void = () => {};

  constructor(events: AsyncGenerator<BaseBackupEvent, void, undefined>) {
    this.#events = events;
  }

  /** The next event if it is of this type; otherwise it stays the next one. */
  async take<T extends BaseBackupEvent["type"]>(type: T): Promise<EventOf<T> | undefined> {
    this.#ahead ??= await this.#read();
    if (this.#ahead?.type !== type) return undefined;
    const event = this.#ahead as EventOf<T>;
    this.#ahead = undefined;
    return event;
  }

  async require<T extends BaseBackupEvent["type"]>(type: T): Promise<EventOf<T>> {
    const event = await this.take(type);
    if (event !== undefined) return event;
    throw new SoarError(
      "BACKUP_INCOMPLETE",
      `unable to read the base backup: '${type}' was expected, the server sent ${this.#ahead?.type ?? "nothing more"}`,
      {
        hint: "Take the backup again; if it repeats, report the server's version.",
      },
    );
  }

  async close(): Promise<void> {
    await this.#events.return();
  }

  /** Progress may come between any two others and concerns nobody but the display. */
  async #read(): Promise<BaseBackupEvent | undefined> {
    for (;;) {
      const { value } = await this.#events.next();
      if (value?.type !== "progress") return value ?? undefined;
      this.onProgress(value.done);
    }
  }
}
