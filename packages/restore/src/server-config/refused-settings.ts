import { join } from "node:path";
import type { Owner } from "@soar/durable-files";
import { CAPTURE_SETTINGS } from "@soar/pg-tools/cluster";
import { runProgram } from "@soar/programs";

/** A value that a server of this host does not take: a time zone or a locale that is not here, a way to compress that it was built without. */
export interface RefusedSetting {
  /** As the server has it. */
  readonly name: string;
  readonly value: string;
}

/** A setting with another value than the source had, because this host lacks that. */
export interface ChangedSetting extends RefusedSetting {
  /** What it is now. */
  readonly now: string;
}

export interface AskOptions {
  readonly binDir: string;
  /** Holds postgresql.conf, unless `configFile` says where it lies. Nothing in it is changed, and no server is started. */
  readonly directory: string;
  readonly configFile?: string | undefined;
  /** Who asks, where this is root: the files may be anybody's links. */
  readonly owner?: Owner | undefined;
  /** `own`: what the configuration says of the log is asked for, too, and not set aside. */
  readonly logging?: "own" | undefined;
  readonly signal?: AbortSignal | undefined;
}

const PATIENCE_MS = 60_000;

/** Words are quoted, numbers and booleans are not (`call_int_check_hook` in guc.c). */
const REFUSED = /LOG: +invalid value for parameter "([^"]+)": (?:"(.*)"|([-+.\w]+))$/gm;

/**
 * The values of a configuration that keep a server from starting on this host, whatever is said on its command line: it reads
 * its files first. Only the last one of each name counts (`ProcessConfigFileInternal`).
 */
export async function findRefused(options: AskOptions): Promise<RefusedSetting[]> {
  const { stderr } = await ask(options, "port");
  return Array.from(stderr.matchAll(REFUSED), ([, name = "", word, plain = ""]) => ({
    name,
    value: word ?? plain,
  }));
}

/** What a setting comes to on this host; undefined where the server refuses its configuration. */
export async function askSetting(options: AskOptions, name: string): Promise<string | undefined> {
  const { status, stdout } = await ask(options, name);
  return status === 0 ? stdout.trim() : undefined;
}

async function ask({ binDir, directory, configFile, owner, logging, signal }: AskOptions, name: string) {
  // Root may ask this, in the first place only (main.c). What a configuration says of the log must not hide what is asked for.
  // A file may name another directory, whose postgresql.auto.conf would be read then.
  const settings = {
    ...(logging === "own" ? {} : CAPTURE_SETTINGS),
    data_directory: directory,
    ...(configFile === undefined ? {} : { config_file: configFile }),
  };
  const words = Object.entries(settings).flatMap(([setting, value]) => ["-c", `${setting}=${value}`]);
  return await runProgram(join(binDir, "postgres"), ["-C", name, "-D", directory, ...words], {
    env: ENVIRONMENT,
    owner,
    signal,
    // A value may be the name of a pipe.
    timeoutMs: PATIENCE_MS,
  });
}

/** Where what `--describe-config` knows is not what a server takes: it raises this one at its start by the limit of the host. */
const RAISED: Readonly<Record<string, string>> = { max_stack_depth: "2MB" };

/** What each of these settings is where nothing is said of it; for those of locales the one that every host has. */
export async function defaultsOf(names: readonly string[], binDir: string): Promise<ReadonlyMap<string, string>> {
  const { stdout } = await runProgram(join(binDir, "postgres"), ["--describe-config"], {
    env: ENVIRONMENT,
    maxCharacters: 1024 * 1024,
  });
  const known = new Map<string, string>();
  for (const line of stdout.split("\n")) {
    const [name = "", , , , value = ""] = line.split("\t");
    if (names.includes(name)) known.set(name, RAISED[name] ?? (name.startsWith("lc_") ? "C" : value));
  }
  return known;
}

const ENVIRONMENT = { LC_ALL: "C", PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };
