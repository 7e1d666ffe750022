import { join } from "node:path";
import { ownedDirectory, type Place } from "../place.ts";
import { shell } from "../timed.ts";
import type { Tool, ToolCommands } from "../tool.ts";

/** PostgreSQL's own program into a local file: it knows no store, so that nothing is uploaded. */
export function pgBasebackup(version: string): Tool {
  return { name: "pg_basebackup", version, prepare };
}

function prepare({ cluster, directory, jobs, codec }: Place): ToolCommands {
  const file = join(ownedDirectory(join(directory, "local")), "base.tar");
  const { binDir, socketDir, port } = cluster;
  const [pack, unpack] = codec === "zstd" ? [`zstd -q -3 -T${jobs} -c`, "zstd -q -dc"] : ["gzip -6 -c", "gzip -dc"];
  const archived = ownedDirectory(join(directory, "wal"));
  return {
    env: {},
    archive: `cp %p ${archived}/%f`,
    restoreCommand: `cp ${archived}/%f "%p"`,
    full: shell(
      `${binDir}/pg_basebackup -h ${socketDir} -p ${port} -U postgres -D - -Ft -X none -c fast | ${pack} > ${file}`,
    ),
    restore: (target) => shell(`mkdir -p ${target}; ${unpack} ${file} | tar x -C ${target}; sync -f ${target}`),
    archiveOne: (path) => ["cp", path, `${archived}/`],
  };
}
