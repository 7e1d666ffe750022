import type { AppDescription } from "@soar/app-kit";
import { formatDefault, formatMarkdownTable, formatValues, GENERATED } from "./markdown.ts";
import { optionsOf, type Setting } from "./settings.ts";

/** docs/configuration.md: every variable by group, then the flags that have none, by command. */
export function formatConfigurationPage(apps: readonly AppDescription[], settings: readonly Setting[]): string {
  const groups = [...new Set(settings.map(({ group }) => group))];
  return [
    "# Configuration",
    GENERATED,
    [
      "A setting is taken from the first of these that has it: the flag, the environment, the env file (`/etc/soar/backup-env`, or what",
      "`--env-file` or `BACKUP_ENV_FILE` names), the default. An empty variable counts as not set. `--print-config` shows every setting",
      "of a command with the place it comes from. [backup-env.example](backup-env.example) is a file to begin with.",
    ].join("\n"),
    [
      'The env file holds comments and lines of the form `export NAME="value"`, quoted as in a shell; bash reads it with `source` and gets',
      "the same values. Nothing in it is ever expanded or executed: `$NAME`, `$(command)` and backticks outside single quotes, `~` and",
      "`{a,b}` outside any quotes, are refused with the number of the line. Nobody but its owner may have access to it (`chmod 600`), and",
      "the owner is the user that runs the command, or root; root also reads the file of `postgres`.",
    ].join("\n"),
    "Durations are written with a unit (`ms`, `s`, `min`, `h`, `d`), sizes too (`B`, `kB`, `MB`, `GB`, `TB` are powers of 1000, `KiB`, `MiB`, `GiB`, `TiB` of 1024).",
    ...groups.flatMap((group) => [
      `## ${group}`,
      formatGroup(
        apps,
        settings.filter((setting) => setting.group === group),
      ),
    ]),
    "## Flags without a variable",
    ...apps.flatMap((app) => formatFlags(app)),
    "",
  ]
    .join("\n\n")
    .trimEnd()
    .concat("\n");
}

function formatGroup(apps: readonly AppDescription[], settings: readonly Setting[]): string {
  const readers = (readBy: readonly string[]): string =>
    readBy.length === apps.length ? "all" : readBy.map((app) => app.replace(/^soar-/, "")).join(", ");
  const rows = settings.map(({ variable, name, row, readBy }) => [
    `\`${variable}\``,
    row.flag === false ? "" : `\`--${name}\``,
    formatValues(row),
    formatDefault(row),
    row.help,
    readers(readBy),
  ]);
  return formatMarkdownTable(["Variable", "Flag", "Values", "Default", "Meaning", "Read by"], rows);
}

function formatFlags(app: AppDescription): string[] {
  const flags = optionsOf([app]).filter(({ row }) => row.env === undefined);
  const byName = Map.groupBy(flags, ({ name, row }) => `${name}\n${row.help}`);
  const rows = [...byName.values()].flatMap((uses) => {
    const [first] = uses;
    if (first === undefined) return [];
    const isEverywhere = uses.length === app.commands.length;
    const commands = isEverywhere
      ? "all"
      : uses.map(({ command }) => (command === "" ? "(default)" : command)).join(", ");
    const { name, row } = first;
    const flag = row.type === "boolean" && row.default === true ? `--no-${name}` : `--${name}`;
    return [
      [
        `\`${flag}\``,
        commands,
        row.type === "boolean" ? "" : formatValues(row),
        row.type === "boolean" ? "" : formatDefault(row),
        row.help,
      ],
    ];
  });
  return [`### ${app.name}`, formatMarkdownTable(["Flag", "Commands", "Values", "Default", "Meaning"], rows)];
}
