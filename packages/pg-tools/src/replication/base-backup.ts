import { hasErrorCode, SoarError } from "@soar/errors";
import { parseLsn } from "../wal-names/lsn.ts";
import type { ResultSet } from "./backend-messages.ts";
import { baseBackupCommand, type BaseBackupOptions } from "./base-backup-command.ts";
import { readArchiveStream, type BackupTablespace, type BaseBackupEvent } from "./base-backup-stream.ts";
import { DamageCollector } from "./damaged-pages.ts";
import { MESSAGE } from "./frame-parser.ts";
import { namedRow } from "./replication-commands.ts";
import type { ReplicationConnection } from "./replication-connection.ts";
import { ResultReader } from "./result-reader.ts";
import { commandFailure, factOf, LOST_HINT, type ServerMessage } from "./server-failure.ts";
import { queryMessage } from "./sql-messages.ts";

/** "data_corrupted": how BASE_BACKUP ends, after it has sent everything, when checksums of pages were wrong. */
const DATA_CORRUPTED = "XX001";

/**
 * Takes a base backup over the replication protocol and yields it as it comes. A slow consumer slows the server down,
 * for as long as it likes: neither side buffers or gives up. Leaving the loop early, or aborting, cancels the backup
 * in the server and ends the connection.
 *
 * Rejects with `SERVER_UNSUITABLE` or `SERVER_DENIED` when the server does not even start, `BACKUP_INCOMPLETE` when it
 * ends before everything was sent, `ABORTED` when the signal was raised.
 */
export async function* baseBackup(
  connection: ReplicationConnection,
  options: BaseBackupOptions & { readonly signal?: AbortSignal | undefined },
): AsyncGenerator<BaseBackupEvent, void, undefined> {
  using _abort = connection.abortWith(options.signal);
  const damage = new DamageCollector();
  const results = new ResultReader(connection, (notice) => damage.add(notice.message));
  let stage: "starting" | "sending" | "finished" = "starting";
  try {
    connection.send(queryMessage(baseBackupCommand(options)));
    const start = await readStart(results, connection);
    stage = "sending";
    yield start;
    yield* readArchiveStream(results);
    yield await readEnd(results, damage, connection);
    stage = "finished";
  } catch (error) {
    throw stage === "sending" ? incomplete(connection, error) : error;
  } finally {
    if (stage !== "finished")
      connection.abandon(
        new SoarError(
          "ABORTED",
          `unable to go on with the base backup of '${connection.location}': its reader stopped`,
        ),
      );
  }
}

async function readStart(results: ResultReader, connection: ReplicationConnection): Promise<BaseBackupEvent> {
  const position = positionOf(await results.resultSet(startFailure(connection)));
  const tablespaces = await results.resultSet(startFailure(connection));
  await results.expect(MESSAGE.copyOutResponse, startFailure(connection));
  return {
    type: "start",
    startLsn: position.lsn,
    timeline: position.timeline,
    tablespaces: tablespaces.rows.map((row) => tablespaceOf(namedRow(tablespaces, row))),
  };
}

function startFailure(connection: ReplicationConnection): (failure: ServerMessage) => Error {
  return (failure) => commandFailure(`start a base backup of '${connection.location}'`, failure);
}

/** The stop position comes right after the copy stream; an error about damaged pages only behind it. */
async function readEnd(
  results: ResultReader,
  damage: DamageCollector,
  connection: ReplicationConnection,
): Promise<BaseBackupEvent> {
  const end = positionOf(await results.resultSet(incompleteFailure(connection)));
  const failure = await results.readyForQuery();
  if (failure !== undefined && failure.sqlState !== DATA_CORRUPTED) throw incompleteFailure(connection)(failure);
  return {
    type: "end",
    stopLsn: end.lsn,
    timeline: end.timeline,
    damaged: failure === undefined ? undefined : damage.report(failure.message),
    warnings: damage.warnings,
  };
}

function incompleteFailure(connection: ReplicationConnection): (failure: ServerMessage) => Error {
  return (failure) =>
    new SoarError(
      "BACKUP_INCOMPLETE",
      `unable to finish the base backup of '${connection.location}': ${factOf(failure)}`,
      { hint: failure.hint ?? LOST_HINT },
    );
}

/** Whatever ended the stream in the middle, the backup is not one. Aborts and bugs stay what they are. */
function incomplete(connection: ReplicationConnection, error: unknown): unknown {
  if (!hasErrorCode(error, "SERVER_FAILED")) return error;
  return new SoarError(
    "BACKUP_INCOMPLETE",
    `unable to finish the base backup of '${connection.location}': ${error.message}`,
    { hint: "Look into the server's log, then take the backup again.", cause: error },
  );
}

function positionOf(result: ResultSet): { readonly lsn: bigint; readonly timeline: number } {
  const [lsn, timeline] = result.rows[0] ?? [];
  if (lsn == null || timeline == null)
    throw new SoarError("SERVER_FAILED", "unable to read the position of a base backup: the server sent none");
  return { lsn: parseLsn(lsn), timeline: Number(timeline) };
}

function tablespaceOf(row: Record<string, string | null>): BackupTablespace {
  const { spcoid, spclocation, size } = row;
  // The size comes in kilobytes.
  return {
    oid: spcoid == null ? undefined : Number(spcoid),
    location: spclocation ?? undefined,
    estimatedBytes: size == null ? undefined : Number(size) * 1024,
  };
}
