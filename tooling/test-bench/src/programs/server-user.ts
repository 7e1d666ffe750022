import { spawnSync } from "node:child_process";

/** Who owns the data directories and runs the servers. `undefined` ids mean "whoever runs the tests". */
export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

let known: ServerUser | undefined;

/**
 * PostgreSQL refuses to run as root. Under root the servers run as `postgres`, or, where no package created that user,
 * as the system user `soar-test`, which is created. Under anybody else they run as that user.
 */
export function serverUser(): ServerUser {
  known ??= findServerUser();
  return known;
}

function findServerUser(): ServerUser {
  const uid = process.getuid?.() ?? 0;
  const gid = process.getgid?.() ?? 0;
  if (uid !== 0) return { name: idOf("-un") ?? String(uid), uid, gid };
  return lookUp("postgres") ?? lookUp("soar-test") ?? createServerUser();
}

function createServerUser(): ServerUser {
  const created = spawnSync("useradd", ["--system", "--no-create-home", "--shell", "/bin/sh", "soar-test"], {
    encoding: "utf8",
  });
  // Two test processes may create it at the same time: whoever comes second is told so, and finds it.
  const user = lookUp("soar-test");
  if (user === undefined)
    throw new Error(`unable to create the user 'soar-test': ${created.stderr || created.error?.message}`);
  return user;
}

function lookUp(name: string): ServerUser | undefined {
  const [uid, gid] = [idOf("-u", name), idOf("-g", name)];
  return uid === undefined || gid === undefined ? undefined : { name, uid: Number(uid), gid: Number(gid) };
}

function idOf(flag: string, ...names: string[]): string | undefined {
  const { status, stdout } = spawnSync("id", [flag, ...names], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}
