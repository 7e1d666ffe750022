/** What the same env file tells the other programs on this machine: where they write, whom they ask, whom they tell. */
export interface ProgramSettings {
  readonly places: readonly WrittenPlace[];
  readonly archiver: ArchiverAccess;
  readonly drill: DrillQueries;
  readonly notices: NoticeSettings;
}

export interface WrittenPlace {
  /** A file for node_exporter, or a directory that is made if need be: of `backup.log`, or of what a program remembers. */
  readonly kind: "metrics" | "log" | "state";
  /** The variable that names it. */
  readonly variable: string;
  readonly path: string;
  /** The program that writes it, for sentences. */
  readonly writer: string;
}

/** The socket of the resident archiver, and a way to ask who answers there; undefined when nobody does. */
export interface ArchiverAccess {
  readonly socketPath: string;
  readonly askStatus: (socketPath: string) => Promise<unknown>;
}

export interface DrillQueries {
  /** File of queries. */
  readonly sqlFile: string | undefined;
  /** For the shell. */
  readonly command: string | undefined;
}

export interface NoticeSettings {
  readonly addresses: readonly string[];
  /** Takes a mail on its standard input. */
  readonly sendmail: string;
  /** A secret, but for its host. */
  readonly webhook: string | undefined;
  /**
   * Whether a proxy lies on the way to it, which then knows hosts that this machine does not. Throws `CONFIG_INVALID` for one that
   * cannot be used. Asked only for a webhook that is an address.
   */
  readonly isProxied: () => boolean;
  /** Undefined where none is to be sent. */
  readonly tests: readonly TestNotice[] | undefined;
}

/** A notice that says that it is a test, in one way. */
export interface TestNotice {
  /** `mail to dba@example.com`. */
  readonly way: string;
  /** Rejects with a `SoarError` when it did not leave this machine. */
  send(): Promise<void>;
}
