import { hasErrorCode, SoarError } from "@soar/errors";
import { parseLsn } from "@soar/pg-tools";
import { majorOfVersionNumber } from "@soar/pg-tools/majors";
import {
  type ConnectionConfig,
  connectSomewhere,
  type ServerFacts,
  type SqlConnection,
} from "@soar/pg-tools/replication";
import { FilesBackup, type OpenCluster } from "./files-backup.ts";
import { holdDataDirectory, readLocalTablespaces, requireSameCluster, whyNotLocal } from "./local-cluster.ts";
import type { BackupRequest, BackupSource } from "../source/backup-source.ts";

/**
 * The files of a server on this machine, read by several readers between `pg_backup_start` and `pg_backup_stop`: faster than one
 * walsender, with every tablespace. For a user who may read the data directory; rejects with `SERVER_UNSUITABLE` elsewhere.
 */
export function filesSource(server: ConnectionConfig): BackupSource {
  let facts: ServerFacts | undefined;
  return {
    method: "files",
    async check(found) {
      await using sql = await connectSomewhere(server);
      const reason = await whyNotLocal(sql, found);
      if (reason !== undefined)
        throw new SoarError("SERVER_UNSUITABLE", `unable to read the files of this server: ${reason}`, {
          hint: "Run on the server's machine as the user that it runs as, or set BACKUP_METHOD=replication (--method replication).",
        });
      facts = found;
    },
    async begin(request) {
      if (facts === undefined) throw new Error("check comes before begin");
      const { signal } = request;
      const sql = await connectSomewhere(server, { signal });
      // What was begun ends in the server with its session.
      const cluster = await openCluster(sql, facts, request).catch(async (error: unknown) => {
        await sql.close();
        throw error;
      });
      const backup = new FilesBackup(cluster, request);
      try {
        return await backup.begin();
      } catch (error) {
        await backup.close();
        throw error;
      }
    },
  };
}

async function openCluster(sql: SqlConnection, facts: ServerFacts, request: BackupRequest): Promise<OpenCluster> {
  const { label, checkpoint, signal } = request;
  const [start] = await sql.query<{ lsn: string }>(
    "SELECT pg_backup_start($1, $2)::text AS lsn",
    [label, checkpoint === "fast"],
    { signal },
  );
  if (start === undefined)
    throw new SoarError("SERVER_FAILED", "unable to begin a base backup: the server said nothing");
  const held = await holdDataDirectory(sql, facts.dataDirectory ?? "");
  try {
    const control = await requireSameCluster(sql, held, { signal });
    return {
      sql,
      dataDirectory: held,
      major: majorOfVersionNumber(facts.versionNumber),
      control,
      tablespaces: await readLocalTablespaces(held),
      startLsn: parseLsn(start.lsn),
      startTimeline: control.timeline,
    };
  } catch (error) {
    await held[Symbol.asyncDispose]();
    throw error;
  }
}

/** Reads the files where they are at hand, and otherwise says why not and reads through `otherwise`. */
export function filesSourceOr(
  server: ConnectionConfig,
  otherwise: BackupSource,
  onOtherwise: (reason: string) => void,
): BackupSource {
  const files = filesSource(server);
  let chosen = files;
  let known: ServerFacts | undefined;
  const goOver = async (error: unknown): Promise<void> => {
    if (!hasErrorCode(error, "SERVER_UNSUITABLE") || known === undefined) throw error;
    await otherwise.check(known);
    chosen = otherwise;
    onOtherwise(error.message);
  };
  return {
    get method() {
      return chosen.method;
    },
    async check(facts) {
      known = facts;
      await files.check(facts).catch(goOver);
    },
    async begin(request) {
      if (chosen === files) {
        try {
          return await files.begin(request);
        } catch (error) {
          await goOver(error);
        }
      }
      return await otherwise.begin(request);
    },
  };
}
