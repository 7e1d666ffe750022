import type { ToolName } from "./document.ts";
import type { Place } from "./place.ts";

/** Programs with their arguments. What a tool cannot do is missing. */
export interface ToolCommands {
  readonly env: Readonly<Record<string, string>>;
  /** Once, before anything is stored. */
  readonly init?: readonly string[];
  /** `archive_command`; a server without one throws its WAL away. */
  readonly archive: string;
  /** The same for a backlog, where the tool has a faster way for it. */
  readonly archiveBacklog?: string;
  readonly full: readonly string[];
  readonly incremental?: readonly string[];
  readonly restore?: (target: string) => readonly string[];
  /** Over a copy of which some files are damaged. */
  readonly delta?: (target: string) => readonly string[];
  readonly verifyStored?: readonly string[];
  readonly verifyFull?: readonly string[];
  /** Archives one segment, without a server and without anything that is resident. */
  readonly archiveOne?: (path: string) => readonly string[];
  /** What archives in the background while a backlog is drained, if there is such a thing. */
  readonly resident?: readonly string[];
  readonly restoreCommand?: string;
}

export interface Tool {
  readonly name: ToolName;
  readonly version: string;
  /** Writes its settings for a place. */
  prepare(place: Place): ToolCommands;
}
