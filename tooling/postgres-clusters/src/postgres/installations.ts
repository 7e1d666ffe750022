import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { onlyMajor } from "@soar-tooling/test-bench";
import { unpackedBinDirs } from "../unpacked/unpacked-installations.ts";
import { embeddedBinDirs } from "./embedded-installation.ts";

/** A PostgreSQL server that can be run on this machine. */
export interface PostgresInstallation {
  readonly major: number;
  /** For example `15.20`. */
  readonly version: string;
  readonly binDir: string;
  /** From npm: has only `initdb`, `pg_ctl` and `postgres`, no client programs and no contrib modules. */
  readonly embedded: boolean;
  /** Names of the programs in `binDir`. */
  readonly programs: ReadonlySet<string>;
}

/** The majors that are tested, which are those that are supported; BASE_BACKUP has its present form since the first. */
export const TESTED_MAJORS = [15, 16, 17, 18, 19] as const;

let known: readonly PostgresInstallation[] | undefined;

/**
 * Every usable PostgreSQL of a supported major, oldest first: installed ones (Debian and RPM directories, `pg_config`
 * on PATH), those that `npm run postgres-19` has unpacked, and those from npm. Where a major exists in several forms, they come in
 * this order.
 */
export function postgresInstallations(): readonly PostgresInstallation[] {
  known ??= [...systemInstallations(), ...unpackedInstallations(), ...embeddedInstallations()]
    .filter(({ major }) => major === (onlyMajor() ?? major))
    .sort((a, b) => a.major - b.major || Number(a.embedded) - Number(b.embedded));
  return known;
}

/** One installation per major, for tests that run once on each. An installed one is preferred: it has all programs. */
export function postgresMajors(): readonly PostgresInstallation[] {
  return postgresInstallations().filter(
    (one, index, all) => all.findIndex(({ major }) => major === one.major) === index,
  );
}

/** The oldest installation that has these programs. Throws when there is none. */
export function requireInstallation(...programs: readonly string[]): PostgresInstallation {
  const found = postgresInstallations().find((one) => programs.every((program) => one.programs.has(program)));
  if (found === undefined)
    throw new Error(`unable to find a PostgreSQL installation with ${programs.join(", ") || "a server"}`);
  return found;
}

function systemInstallations(): PostgresInstallation[] {
  const debian = list("/usr/lib/postgresql").map((version) => `/usr/lib/postgresql/${version}/bin`);
  const rpm = list("/usr")
    .filter((name) => name.startsWith("pgsql-"))
    .map((name) => `/usr/${name}/bin`);
  const dirs = new Set([...debian, ...rpm, ...pgConfigBinDir()]);
  return [...dirs].map((dir) => describe(dir, { embedded: false })).filter((one) => one !== undefined);
}

function unpackedInstallations(): PostgresInstallation[] {
  return unpackedBinDirs()
    .map((dir) => describe(dir, { embedded: false }))
    .filter((one) => one !== undefined);
}

function embeddedInstallations(): PostgresInstallation[] {
  return embeddedBinDirs()
    .map((dir) => describe(dir, { embedded: true }))
    .filter((one) => one !== undefined);
}

function pgConfigBinDir(): string[] {
  const { status, stdout } = spawnSync("pg_config", ["--bindir"], { encoding: "utf8" });
  return status === 0 ? [stdout.trim()] : [];
}

function describe(binDir: string, { embedded }: { embedded: boolean }): PostgresInstallation | undefined {
  // A client-only package leaves a directory with psql and pg_dump behind.
  if (!existsSync(join(binDir, "postgres")) || !existsSync(join(binDir, "initdb"))) return undefined;
  const { stdout } = spawnSync(join(binDir, "postgres"), ["--version"], { encoding: "utf8" });
  const version = /\b(\d+)(?:\.\d+|[a-z]+\d*)/.exec(stdout);
  if (version === null) throw new Error(`unable to read the version of '${binDir}/postgres': ${stdout}`);
  const major = Number(version[1]);
  return TESTED_MAJORS.some((tested) => tested === major)
    ? { major, version: version[0], binDir, embedded, programs: new Set(readdirSync(binDir)) }
    : undefined;
}

function list(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}
