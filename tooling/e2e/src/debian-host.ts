import { readFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, type ProgramResult, serverUser, type StartedProgram, startProgram } from "@soar-tooling/test-bench";
import { ROOT } from "./soar-world.ts";

/**
 * A Debian machine of a test's own, with PostgreSQL as its packages lay it out: `/etc/postgresql`, `/var/lib/postgresql` ... are where
 * they are for everybody, in a root directory and with processes that nobody else sees. Its programs are those of this machine,
 * which it cannot write to, and everything else is one file system in memory. It ends with the test process, however that ends.
 */
export interface DebianHost extends AsyncDisposable {
  /** Port of the cluster `15/main`. */
  readonly port: number;
  /** Where a path of the host is to be found from here. Links in it lead elsewhere from here. */
  path(path: string): string;
  /** As root, with the environment that `sudo` gives to what an administrator calls. */
  sudo(words: readonly string[], env?: Readonly<Record<string, string>>): Promise<ProgramResult>;
  /** As the server's user, in a shell of its own. */
  asPostgres(script: string): Promise<ProgramResult>;
  startAsPostgres(script: string): StartedProgram;
  /** What a query of the server's user gives, unaligned. */
  psql(sql: string): Promise<string>;
}

export const DATA_DIRECTORY = "/var/lib/postgresql/15/main";

/** As sudo sets it on Debian (`env_reset`, `secure_path`). */
const SUDO_ENV = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  LOGNAME: "root",
  USER: "root",
  SHELL: "/bin/bash",
  TERM: "dumb",
  MAIL: "/var/mail/root",
  SUDO_USER: "alice",
  SUDO_UID: "12345",
  SUDO_GID: "12345",
  SUDO_COMMAND: "/usr/local/bin/soar-restore",
};

const PROGRAMS = ["node", "soar-wal-archive", "soar-base-backup", "soar-backup-verify", "soar-restore"];

/** `$0` is the new root, `$1` this repository. Each program of the host's own is a link, as an administrator would make it. */
const BUILD = `
set -e
host=/mnt repo=$1
mount -t tmpfs -o size=1500m,mode=755 host $host
mkdir -p $host/usr $host/proc $host/dev $host/etc $host/root $host/home/alice $host/mnt $host$repo
mkdir -p $host/var/lib/dpkg $host/var/log $host/var/cache $host/var/spool/cron $host/run/lock $host/tmp $host/var/tmp $host/srv $host/opt
chmod 1777 $host/tmp $host/var/tmp
chmod 700 $host/root $host/home/alice
ln -s /run $host/var/run
for name in bin sbin lib lib32 lib64 libx32; do
  if [ -L /$name ]; then cp -d /$name $host/$name
  elif [ -d /$name ]; then mkdir $host/$name; mount --bind -o ro /$name $host/$name; mount -o remount,bind,ro $host/$name; fi
done
mount --rbind /usr $host/usr
mount -o remount,bind,ro $host/usr
mount -t tmpfs -o mode=755 local $host/usr/local
mkdir $host/usr/local/bin
for name in ${PROGRAMS.join(" ")}; do ln -s $repo/node_modules/.bin/$name $host/usr/local/bin/$name; done
mount --bind $repo $host$repo
mount -o remount,bind,ro $host$repo
cp -a /etc/. $host/etc
rm -rf $host/etc/postgresql $host/etc/soar
mount -t proc proc $host/proc
mount --rbind /dev $host/dev
mount -t tmpfs -o mode=1777 shm $host/dev/shm
install -d -o postgres -g postgres $host/etc/postgresql $host/var/lib/postgresql
install -d -o root -g postgres -m 1775 $host/var/log/postgresql
install -d -o postgres -g postgres -m 2775 $host/run/postgresql
install -d -o root -g root -m 755 $host/etc/soar
install -d -o postgres -g postgres $host/var/lib/soar $host/var/lib/soar/wal-archive $host/var/lib/soar/verify $host/var/lib/soar/drill $host/var/lib/soar/backup-temp $host/var/log/soar
chown 12345:12345 $host/home/alice
exec chroot $host /bin/bash -c 'echo up; sleep infinity & while :; do wait; done'
`;

/** The host with a cluster `15/main` that runs; see `requires("root", "mount", "debian")`. */
export async function createDebianHost(): Promise<DebianHost> {
  const holder = startProgram(
    [
      "setpriv",
      "--pdeathsig",
      "KILL",
      "unshare",
      "--mount",
      "--pid",
      "--fork",
      "--kill-child",
      "--propagation",
      "private",
      "sh",
      "-c",
      BUILD,
      "sh",
      ROOT,
    ],
    { cwd: "/", env: { PATH: SUDO_ENV.PATH, LC_ALL: "C" }, group: true },
  );
  try {
    await holder.says("up");
    const [inside] = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, "utf8").split(" ");
    return await withCluster(hostOf(holder, inside ?? ""));
  } catch (error) {
    holder.kill("SIGKILL");
    await holder.result;
    throw error;
  }
}

function hostOf(holder: StartedProgram, inside: string): Omit<DebianHost, "port" | "psql"> {
  const enter = ["nsenter", "--target", inside, "--mount", "--pid", "--root", "--wdns=/"];
  const { name } = serverUser();
  const asPostgres = (script: string): StartedProgram =>
    startProgram([...enter, "setpriv", `--reuid=${name}`, `--regid=${name}`, "--init-groups", "sh", "-c", script], {
      cwd: "/",
      env: { PATH: SUDO_ENV.PATH, HOME: "/var/lib/postgresql", LC_ALL: "C" },
      group: true,
    });
  return {
    path: (path) => join(`/proc/${inside}/root`, path),
    sudo: (words, env = {}) =>
      startProgram([...enter, "timeout", "--kill-after=1", "60", ...words], {
        cwd: "/",
        env: { ...SUDO_ENV, ...env },
        group: true,
      }).result,
    asPostgres: (script) => asPostgres(script).result,
    startAsPostgres: asPostgres,
    async [Symbol.asyncDispose]() {
      holder.kill("SIGKILL");
      await holder.result;
    },
  };
}

async function withCluster(host: Omit<DebianHost, "port" | "psql">): Promise<DebianHost> {
  const port = await freePort();
  const words = ["pg_createcluster", "--port", String(port), "--start", "15", "main", "--", "--wal-segsize=1"];
  const made = await host.sudo(words);
  if (made.status !== 0) throw new Error(`unable to make a cluster: ${made.stdout}${made.stderr}`);
  return {
    ...host,
    port,
    async psql(sql) {
      const { status, stdout, stderr } = await host.asPostgres(`psql -XAt -p ${port} -c "${sql}"`);
      if (status !== 0) throw new Error(stderr);
      return stdout.trim();
    },
  };
}
