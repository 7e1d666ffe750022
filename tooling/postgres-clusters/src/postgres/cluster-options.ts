import type { PostgresInstallation } from "./installations.ts";

/** Lines of postgresql.conf. */
export type Settings = Readonly<Record<string, string | number | boolean>>;

/** What a cluster of a test is like. */
export interface TestClusterOptions {
  readonly installation: PostgresInstallation;
  /** Lines of postgresql.conf, for example `{ wal_level: "logical" }`. They win over the defaults for tests. */
  readonly settings?: Settings;
  /** For example `["--wal-segsize=1", "--data-checksums"]`. */
  readonly initdbArgs?: readonly string[];
  /** Lines of pg_hba.conf, in front of the default ones; the first match counts. */
  readonly hba?: readonly string[];
  /** Databases to create beside `postgres`. */
  readonly databases?: readonly string[];
  /** Switches archiving on with this command. */
  readonly archiveCommand?: string;
  /** Password of the superuser, then demanded on TCP connections; the unix socket lets everybody in. */
  readonly password?: string;
  /** Off by default: data survives `kill()` without it, because only a crash of the machine loses what is not synced. */
  readonly fsync?: boolean;
  /** Added to the server's environment, which its archive_command inherits. */
  readonly env?: Readonly<Record<string, string>>;
  /** Start after creating; true unless said otherwise. */
  readonly start?: boolean;
}

export interface AdoptOptions extends Pick<TestClusterOptions, "installation" | "env" | "start" | "password"> {
  /** An existing data directory, for example a restored one. It is neither changed nor removed. */
  readonly dataDir: string;
}

/** Where a cluster lies, and its port. `base` holds all that is removed with it. */
export interface Place {
  readonly base: string;
  readonly dataDir: string;
  readonly socketDir: string;
  readonly port: number;
}
