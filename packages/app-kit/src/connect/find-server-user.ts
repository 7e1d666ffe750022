import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { SoarError } from "@soar/errors";

const run = promisify(execFile);

/** Ids of the server's user when this runs as root, which PostgreSQL refuses to run as; undefined for anybody else. */
export async function findServerUser(
  name: string,
): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const id = async (flag: string): Promise<number> => Number((await run("id", [flag, name])).stdout);
  try {
    return { uid: await id("-u"), gid: await id("-g") };
  } catch (cause) {
    throw new SoarError("CONFIG_INVALID", `there is no user '${name}' on this machine`, {
      cause,
      hint: "Name the user that runs PostgreSQL with --owner.",
    });
  }
}
