export interface ProgramOwner {
  readonly uid: number;
  readonly gid: number;
}

export interface ProgramOptions {
  /** The whole environment. A program that is named without a path is looked for in its PATH. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Who runs it, when this is root; without any other group. */
  readonly owner?: ProgramOwner | undefined;
  /** `/` unless said otherwise: our own directory may be one that the owner cannot enter. */
  readonly cwd?: string | undefined;
  /** Ends the program, and whatever it started. */
  readonly signal?: AbortSignal | undefined;
  /** How long it may take to end when it was asked to, before it is ended by force; 10 seconds unless said otherwise. */
  readonly forceAfterMs?: number | undefined;
  /**
   * Whether its work goes on by itself: a mail on its way, a server that it starts. Then what it leaves running stays, and it
   * is not ended when this process ends. Otherwise it and all that it started are gone when its run is over.
   */
  readonly mayOutlive?: boolean | undefined;
}
