import { optionsOf } from "./parse-flags.ts";
import type { App, Command, Example } from "./command.ts";
import { defaultText, type OptionRow, type OptionTable } from "./option-table.ts";
import { formatPositionals } from "./positionals.ts";
import { wrapText } from "../screen/table.ts";

/** Help fits a terminal of 80 columns, however wide the real one is: short lines are read faster under stress. */
const WIDTH = 80;
const LEFT = 26;

/** The text of `--help`: of the whole binary, or of one command. */
export function formatHelp(app: App, selected?: Command): string {
  const command = selected ?? app.commands.find(({ isDefault }) => isDefault === true);
  const sections = [
    [...usageLines(app, command), "", ...wrapText(command === undefined ? app.summary : command.summary, WIDTH)].join(
      "\n",
    ),
    ...(command?.description ?? "")
      .split(/\n\s*\n/)
      .filter((text) => text !== "")
      .map((text) => wrapText(text, WIDTH).join("\n")),
    positionalSection(command),
    command === undefined || command.isDefault === true ? commandSection(app) : "",
    ...(command === undefined ? [] : optionSections(optionsOf(command))),
    exampleSection(examplesOf(app, command)),
    exitSection(app),
  ];
  return sections.filter((section) => section !== "").join("\n\n");
}

function usageLines(app: App, command: Command | undefined): string[] {
  if (command === undefined) return [`Usage: ${app.name} COMMAND [options]`];
  // The name of a default command can be left out.
  const name = command.isDefault === true && command.name !== "" ? `[${command.name}]` : command.name;
  const form = [app.name, name, formatPositionals(command.positionals ?? {}), "[options]"]
    .filter((word) => word !== "")
    .join(" ");
  const others = app.commands.some((other) => other !== command) && command.isDefault === true;
  return [`Usage: ${form}`, ...(others ? [`       ${app.name} COMMAND [options]`] : [])];
}

function commandSection(app: App): string {
  const named = app.commands.filter(({ name }) => name !== "");
  if (named.length < 2 && app.commands.length < 2) return "";
  const lines = named.flatMap(({ name, summary, isDefault }) =>
    entry(name, isDefault === true ? `${summary} (the default)` : summary),
  );
  return ["Commands", ...lines, "", `  ${app.name} COMMAND --help shows the options of a command.`].join("\n");
}

function positionalSection(command: Command | undefined): string {
  const entries = Object.entries(command?.positionals ?? {});
  if (entries.length === 0) return "";
  return ["Arguments", ...entries.flatMap(([name, row]) => entry(formatPositionals({ [name]: row }), row.help))].join(
    "\n",
  );
}

function optionSections(table: OptionTable): string[] {
  const groups = new Map<string, string[]>();
  for (const [name, row] of Object.entries(table)) {
    const lines = entry(optionForm(name, row), `${row.help} ${factsOf(row)}`);
    groups.set(row.group ?? "Options", [...(groups.get(row.group ?? "Options") ?? []), ...lines]);
  }
  // The command's own options first, those that usually stand in the env file then, those that every command has last.
  const order = (group: string): number =>
    group === "Options" ? 0 : 2 + ["Storage", "PostgreSQL", "Notification", "General"].indexOf(group);
  return [...groups].sort(([a], [b]) => order(a) - order(b)).map(([group, lines]) => [group, ...lines].join("\n"));
}

/** `-j, --jobs N`; a variable stands for itself where there is no flag. */
function optionForm(name: string, row: OptionRow): string {
  if (row.flag === false) return row.env ?? name;
  const flag = `${row.short === undefined ? "" : `-${row.short}, `}--${row.type === "boolean" && row.default === true ? "no-" : ""}${name}`;
  return row.type === "boolean" ? flag : `${flag} ${placeholderOf(row)}`;
}

function placeholderOf(row: OptionRow): string {
  if (row.placeholder !== undefined) return row.placeholder;
  if (row.type === "choice") return row.choices.join("|").length <= 24 ? row.choices.join("|") : "WORD";
  const words = {
    string: "TEXT",
    url: "URL",
    boolean: "",
    integer: "N",
    duration: "DURATION",
    size: "SIZE",
    list: "A,B",
    time: "TIME",
  } as const;
  return words[row.type];
}

/** `[BACKUP_PARALLEL_JOBS; default 4]`. */
function factsOf(row: OptionRow): string {
  const choices =
    "choices" in row && row.choices !== undefined && !placeholderOf(row).includes("|")
      ? `one of ${row.choices.join(", ")}`
      : undefined;
  const variable = row.flag === false ? "as a variable only" : row.env;
  const byDefault = defaultText(row);
  const isPlainSwitch = row.type === "boolean" && row.env === undefined;
  const absent =
    row.required === true
      ? "required"
      : byDefault !== undefined && byDefault !== "" && !isPlainSwitch
        ? `default ${byDefault}`
        : row.unset === undefined
          ? undefined
          : `default: ${row.unset}`;
  const facts = [variable, choices, absent].filter((fact) => fact !== undefined);
  return facts.length === 0 ? "" : `[${facts.join("; ")}]`;
}

function entry(left: string, right: string): string[] {
  const lines = wrapText(right, WIDTH - LEFT);
  const indented = lines.map((line) => " ".repeat(LEFT) + line);
  const head = `  ${left}`;
  return head.length + 2 > LEFT ? [head, ...indented] : [head.padEnd(LEFT) + (lines[0] ?? ""), ...indented.slice(1)];
}

function examplesOf(app: App, command: Command | undefined): readonly Example[] {
  if (command !== undefined && command.isDefault !== true) return command.examples ?? [];
  return [
    ...(command?.examples ?? []),
    ...app.commands.filter((other) => other !== command).flatMap(({ examples = [] }) => examples.slice(0, 1)),
  ];
}

function exampleSection(examples: readonly Example[]): string {
  if (examples.length === 0) return "";
  return [
    "Examples",
    ...examples.flatMap(({ command, explanation }) => [
      `  ${command}`,
      ...wrapText(explanation, WIDTH - 6).map((line) => `      ${line}`),
    ]),
  ].join("\n");
}

function exitSection(app: App): string {
  const text =
    "0 done, 2 the operator said no, 4 stopped by a signal, 64 wrong usage, 70 a bug. Every other failure has a status of its own: see docs/errors.md.";
  return [
    "Exit status",
    ...wrapText(
      app.exitStatusFor === undefined ? text : `${text} Commands that PostgreSQL runs may differ; their help says so.`,
      WIDTH - 2,
    ).map((line) => `  ${line}`),
  ].join("\n");
}
