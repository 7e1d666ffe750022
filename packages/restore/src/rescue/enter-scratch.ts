import { hasErrorCode } from "@soar/errors";
import { runSingleUser, startCluster, stopCluster } from "@soar/pg-tools/cluster";
import { findSuperuser, type ConnectionConfig, type SuperuserOptions } from "@soar/pg-tools/replication";
import { findProgramRole, randomRole } from "./program-role.ts";
import type { ScratchDirectory } from "./scratch-directory.ts";
import type { ScratchOptions } from "./scratch-types.ts";

export interface ScratchServer extends Pick<ScratchOptions, "owner" | "signal"> {
  readonly directory: Pick<ScratchDirectory, "dataDir" | "logFile">;
  readonly binDir: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly configFile: string;
}

/**
 * Enters a promoted scratch server as a superuser, who reads everything. Since the backup roles may have been renamed, dropped or
 * shut out, and the database may let nobody in (`ALLOW_CONNECTIONS false`): then the server, which is ours and is thrown away, gets a
 * superuser more, which owns nothing and so is in no dump, and the database is opened. Rejects as `findSuperuser`.
 */
export async function enterScratch(
  place: ConnectionConfig,
  entrances: SuperuserOptions,
  scratch: ScratchServer,
): Promise<ConnectionConfig> {
  const { signal } = scratch;
  const find = async (roles: SuperuserOptions["roles"]): Promise<ConnectionConfig> =>
    await findSuperuser(place, { ...entrances, roles, signal });
  let found: ConnectionConfig;
  try {
    found = await find(entrances.roles);
  } catch (error) {
    if (!hasErrorCode(error, ...SHUT)) throw error;
    const role = await openScratch(entrances.databases, scratch);
    // Of a database that is hollow or gone the server's first words say more.
    if (role === undefined) throw error;
    found = await find([role]);
  }
  return await findProgramRole(found, signal);
}

/** No role may log in, or the database takes no connections. */
const SHUT = ["SERVER_DENIED", "SERVER_UNSUITABLE"] as const;

/** The name of the new superuser; undefined where no database can be entered. */
async function openScratch(
  databases: SuperuserOptions["databases"],
  { directory: { dataDir, logFile }, ...server }: ScratchServer,
): Promise<string | undefined> {
  const role = randomRole();
  await stopCluster({ dataDir, mode: "fast", signal: server.signal });
  const isOpened = await openFirst(databases, { ...server, dataDir, role });
  await startCluster({ ...server, dataDir, logFile, until: "accepting" });
  return isOpened ? role : undefined;
}

type Opening = Omit<ScratchServer, "directory"> & { readonly dataDir: string; readonly role: string };

/** Each that the backup knows may be gone or hollow. */
async function openFirst(databases: SuperuserOptions["databases"], { role, ...server }: Opening): Promise<boolean> {
  const statements = [
    `CREATE ROLE ${role} SUPERUSER LOGIN`,
    "UPDATE pg_database SET datallowconn = true WHERE datname = current_database()",
  ];
  for (const database of databases) {
    if (database === undefined) continue;
    try {
      await runSingleUser({ ...server, database, statements });
      return true;
    } catch (error) {
      if (!hasErrorCode(error, "PROGRAM_FAILED")) throw error;
    }
  }
  return false;
}
