import { SoarError } from "@soar/errors";
import { complaintOf, type ProgramOwner, runProgram } from "@soar/programs";

/** The system may ask a directory service that does not answer. */
const PATIENCE_MS = 30_000;

/** Ids of the server's user when this runs as root, which PostgreSQL refuses to run as; undefined for anybody else. */
export async function findServerUser(name: string): Promise<ProgramOwner | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  return { uid: await askForId("-u", name), gid: await askForId("-g", name) };
}

async function askForId(flag: "-u" | "-g", name: string): Promise<number> {
  const result = await runProgram("id", [flag, name], { env: process.env, timeoutMs: PATIENCE_MS });
  if (result.status === 0) return Number(result.stdout);
  throw new SoarError("CONFIG_INVALID", `there is no user '${name}' on this machine: ${complaintOf(result)}`, {
    hint: "Name the user that runs PostgreSQL with --owner.",
  });
}
