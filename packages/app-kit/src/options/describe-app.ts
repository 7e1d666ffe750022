import type { App, Example, PositionalTable } from "./command.ts";
import type { OptionTable } from "./option-table.ts";
import { optionsOf } from "./parse-flags.ts";

/** What a binary says about itself to `--describe`: everything that the generated documentation is made of. */
export interface AppDescription {
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly CommandDescription[];
}

export interface CommandDescription {
  /** Empty for a default command that is never named. */
  readonly name: string;
  readonly isDefault: boolean;
  readonly summary: string;
  readonly positionals: PositionalTable;
  /** With the options that every command has. */
  readonly options: OptionTable;
  readonly examples: readonly Example[];
}

export function describeApp(app: App): AppDescription {
  return {
    name: app.name,
    summary: app.summary,
    commands: app.commands.map((command) => ({
      name: command.name,
      isDefault: command.isDefault === true,
      summary: command.summary,
      positionals: command.positionals ?? {},
      options: optionsOf(command),
      examples: command.examples ?? [],
    })),
  };
}
