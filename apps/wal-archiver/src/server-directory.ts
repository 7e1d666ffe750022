import { readFile, readlink, stat } from "node:fs/promises";
import { join } from "node:path";

/**
 * The data directory that a file of `archive_command` comes from, wherever a command of the operator's has put the file and gone to:
 * that of the server which runs this process. Where none does, because somebody gave the command by hand, it is the working
 * directory, and PGDATA only where that is none: the server's environment may name any cluster.
 */
export async function findServerDirectory(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const own = await directoryOfAncestor(process.ppid);
  if (own !== undefined) return own;
  const here = process.cwd();
  return (await isThere(join(here, "global", "pg_control"))) ? here : env["PGDATA"];
}

/** A postmaster works in its data directory, and `postmaster.pid` there has its process id in the first line. */
async function directoryOfAncestor(parent: number): Promise<string | undefined> {
  for (let pid = parent; pid > 0; pid = await parentOf(pid)) {
    const directory = await orUndefined(readlink(`/proc/${pid}/cwd`));
    const text = directory && (await orUndefined(readFile(join(directory, "postmaster.pid"), "utf8")));
    if (text?.split("\n", 1)[0]?.trim() === String(pid)) return directory;
  }
  return undefined;
}

/** 0 for the first process, and for one that has ended. */
async function parentOf(pid: number): Promise<number> {
  const status = await orUndefined(readFile(`/proc/${pid}/status`, "utf8"));
  return Number(/^PPid:\s*(\d+)$/m.exec(status ?? "")?.[1] ?? 0);
}

async function isThere(path: string): Promise<boolean> {
  return (await orUndefined(stat(path))) !== undefined;
}

/** What is not there, or not for this user to see, says nothing. */
async function orUndefined<T>(looked: Promise<T>): Promise<T | undefined> {
  return await looked.catch(() => undefined);
}
