import { messageOf } from "@soar/errors";
import type { RecoveryWindow } from "@soar/repository/window";
import { parseTableName } from "../table-names.ts";
import { commandWords, formatCommand, type Choices, type Instant, type Subject } from "./choices.ts";
import { chooseInstant } from "./choose-instant.ts";
import { askForText, BACK, chooseFromList, draw, type ListRow } from "./screens.ts";
import type { Terminal } from "./terminal.ts";
import { windowRows, type Stretch } from "./window-rows.ts";

/** What the repository offers. */
export interface Offer {
  readonly location: string;
  readonly window: RecoveryWindow;
  /** When each backup was complete, by label. */
  readonly stoppedAt: ReadonlyMap<string, string>;
  /** Databases of the backups that hold data. */
  readonly databases: readonly string[];
  /** Where the data directory was. */
  readonly dataDirectory: string;
  readonly zone: string;
  /** Words of the command line that was given. */
  readonly argv: readonly string[];
}

type Answer<T> = Promise<T | typeof BACK>;

/** Asks everything that a restore has to be told. Resolves to `BACK` when the operator leaves by the first screen. */
export async function askForRestore(terminal: Terminal, offer: Offer): Answer<Choices> {
  for (;;) {
    const kind = await chooseKind(terminal, offer);
    if (kind === BACK) return BACK;
    const choices = await askFor(terminal, offer, kind);
    if (choices !== BACK) return choices;
  }
}

/** From the stretch on; `BACK` to what is to be restored. */
async function askFor(terminal: Terminal, offer: Offer, kind: Subject["kind"]): Answer<Choices> {
  for (;;) {
    const stretch = await chooseStretch(terminal, offer);
    if (stretch === BACK) return BACK;
    const choices = await askWithin(terminal, offer, { kind, stretch });
    if (choices !== BACK) return choices;
  }
}

/** From the instant on; `BACK` to the stretch. */
async function askWithin(
  terminal: Terminal,
  offer: Offer,
  { kind, stretch }: { readonly kind: Subject["kind"]; readonly stretch: Stretch },
): Answer<Choices> {
  for (;;) {
    const instant = await instantOf(terminal, offer, stretch);
    if (instant === BACK) return BACK;
    for (;;) {
      const subject = await askForSubject(terminal, offer, kind);
      // Without an instant to choose there is no screen of it to go back to.
      if (subject === BACK && instant.kind !== "time") return BACK;
      if (subject === BACK) break;
      const choices = { subject, instant, timeline: stretch.timeline };
      if (await review(terminal, offer, choices)) return choices;
    }
  }
}

async function chooseKind(terminal: Terminal, { location }: Offer): Answer<Subject["kind"]> {
  return await chooseFromList<Subject["kind"]>(terminal, {
    title: `What is to be restored from ${location}?`,
    rows: [
      { text: "the whole cluster, with all of its databases", value: "cluster" },
      { text: "one database, into the running server; nothing else is touched", value: "database" },
      { text: "tables, into a file or the running server; nothing else is touched", value: "tables" },
    ],
  });
}

async function chooseStretch(terminal: Terminal, { window, stoppedAt, zone }: Offer): Answer<Stretch> {
  return await chooseFromList(terminal, {
    title: "Restore to which time?",
    notes: [`Newest first. Times are in ${zone}.`],
    rows: windowRows(window, { stoppedAt, zone }),
  });
}

async function instantOf(terminal: Terminal, { zone }: Offer, stretch: Stretch): Answer<Instant> {
  if (stretch.kind !== "range") return stretch;
  const chosen = await chooseInstant(terminal, stretch, zone);
  return chosen === BACK ? BACK : { kind: "time", ...chosen };
}

async function askForSubject(terminal: Terminal, offer: Offer, kind: Subject["kind"]): Answer<Subject> {
  if (kind === "cluster") return await askForDirectory(terminal, offer);
  for (;;) {
    const source = await chooseDatabase(terminal, offer);
    if (source === BACK) return BACK;
    const subject = kind === "database" ? await askForTarget(terminal, source) : await askForTables(terminal, source);
    if (subject !== BACK) return subject;
  }
}

async function askForDirectory(terminal: Terminal, { dataDirectory }: Offer): Answer<Subject> {
  const text = await askForText(terminal, {
    title: "Into which data directory?",
    notes: [
      "The plan that follows tells what is there, and asks before anything is done.",
      `The server that was backed up had ${dataDirectory === "" ? "one that is not known" : dataDirectory}.`,
    ],
    label: "directory",
    initial: dataDirectory,
    check: (typed) => (typed.startsWith("/") ? undefined : "Type an absolute path, such as /srv/copy."),
  });
  return text === BACK ? BACK : { kind: "cluster", dataDir: text === dataDirectory ? undefined : text };
}

async function chooseDatabase(terminal: Terminal, { databases }: Offer): Answer<string> {
  return await chooseFromList(terminal, {
    title: "From which database?",
    rows: databases.map((name) => ({ text: name, value: name })),
  });
}

async function askForTarget(terminal: Terminal, source: string): Answer<Subject> {
  const target = await askForText(terminal, {
    title: `Into which database shall ${source} be restored?`,
    notes: ["It is created when it does not exist. One that is not empty is refused."],
    label: "database",
    initial: `${source}_restored`,
    check: (typed) => (typed === "" ? "Type the name of a database." : undefined),
  });
  return target === BACK ? BACK : { kind: "database", source, target };
}

async function askForTables(terminal: Terminal, database: string): Answer<Subject> {
  for (;;) {
    const typed = await askForText(terminal, {
      title: `Which tables of ${database}?`,
      notes: ["SCHEMA.TABLE, several with commas between them."],
      label: "tables",
      check: (text) => problemOf(() => parseTables(text)),
    });
    if (typed === BACK) return BACK;
    const into = await askForPlace(terminal, database);
    if (into !== BACK) return { kind: "tables", database, tables: parseTables(typed), into };
  }
}

async function askForPlace(terminal: Terminal, database: string): Answer<Extract<Subject, { kind: "tables" }>["into"]> {
  const rows: ListRow<"file" | "database">[] = [
    { text: "into a file with SQL, to look at and to load", value: "file" },
    { text: `into database ${database} of the running server, in a schema of their own`, value: "database" },
  ];
  const kind = await chooseFromList(terminal, { title: "Where shall the tables go?", rows });
  if (kind === BACK) return BACK;
  const required = (text: string): string | undefined => (text === "" ? "Type a name." : undefined);
  if (kind === "file") {
    const file = await askForText(terminal, {
      title: "Into which file?",
      notes: ["It must not exist. With the extension .dump it is an archive for pg_restore."],
      label: "file",
      initial: "restored.sql",
      check: required,
    });
    return file === BACK ? BACK : { file };
  }
  const schema = await askForText(terminal, {
    title: "In which schema?",
    notes: ["It is created when it does not exist."],
    label: "schema",
    initial: "restored",
    check: required,
  });
  return schema === BACK ? BACK : { database, schema };
}

/** The command that does all of it; nothing is done before this screen, and the plan is shown after it. */
async function review(terminal: Terminal, { argv }: Offer, choices: Choices): Promise<boolean> {
  const command = formatCommand([...argv, ...commandWords(choices)]);
  for (;;) {
    draw(terminal, [
      "This is the command:",
      "",
      ...folded(command, terminal.columns - 4),
      "",
      "Enter: look at its plan; it asks before anything is done",
      "Esc: back   Ctrl-C: stop, nothing is changed",
    ]);
    const { name } = await terminal.nextKey();
    if (name === "enter") return true;
    if (name === "escape") return false;
  }
}

/** A line in pieces that a terminal of this width shows whole. */
function folded(text: string, width: number): string[] {
  return text.match(new RegExp(`.{1,${width}}`, "gu")) ?? [];
}

function parseTables(text: string): string[] {
  const names = text.split(/\s*,\s*/).filter((name) => name !== "");
  if (names.length === 0) throw new Error("Type at least one name.");
  for (const name of names) parseTableName(name);
  return names;
}

function problemOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
