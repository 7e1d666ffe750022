import { connectSql } from "@soar/pg-tools/replication";
import type { CheckResult, DrillServer } from "./drill-server.ts";

/** What the running server itself says: it archives nothing and nobody reaches it over the network. */
export async function checkFence({ scratch }: DrillServer): Promise<CheckResult> {
  await using connection = await connectSql(scratch.server);
  const [row] = await connection.query<{ mode: string; listens: string; sockets: string }>(
    "SELECT current_setting('archive_mode') AS mode, current_setting('listen_addresses') AS listens, current_setting('unix_socket_directories') AS sockets",
  );
  const isFenced = row?.mode === "off" && row.listens === "" && row.sockets === scratch.directory.socketDir;
  return isFenced
    ? { outcome: "passed", detail: "the scratch server archives nothing and listens on its own socket only" }
    : {
        outcome: "failed",
        detail: `archive_mode is '${row?.mode}', listen_addresses '${row?.listens}', unix_socket_directories '${row?.sockets}'`,
      };
}
