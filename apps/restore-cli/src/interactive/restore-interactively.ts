import {
  openConfiguredStore,
  type CommandContext,
  type Config,
  type Log,
  type OptionTable,
  type storageOptions,
  type timezoneOptions,
} from "@soar/app-kit";
import { SoarError } from "@soar/errors";
import { listBackupRecords, requireRepositoryRecord } from "@soar/repository";
import { readRecoveryWindow } from "@soar/repository/window";
import { askForRestore, type Offer } from "./ask-restore.ts";
import { commandWords, formatCommand, type Choices } from "./choices.ts";
import { isBareCommandLine } from "./bare-command-line.ts";
import { BACK } from "./screens.ts";
import { openTerminal } from "./terminal.ts";
import { windowRows } from "./window-rows.ts";
import { machineZone } from "./zoned-time.ts";

type AnyContext = CommandContext<OptionTable, Readonly<Record<string, { readonly help: string }>>>;
type Context = Pick<AnyContext, "log" | "signal" | "confirm" | "argv" | "runCommand" | "envFile"> & {
  readonly config: Config<typeof storageOptions & typeof timezoneOptions>;
};

/**
 * `soar-restore` with nothing said, on a terminal: asks what to restore and to where, prints the command that does it, and
 * runs that. False when something was said, or when nobody can be asked.
 */
export async function restoreInteractively({
  config,
  log,
  signal,
  confirm,
  argv,
  runCommand,
  envFile,
}: Context): Promise<boolean> {
  if (!isBareCommandLine(argv) || !process.stdin.isTTY || !process.stderr.isTTY) return false;
  const offer = await readOffer(config, { log, signal, argv, envFile });
  const choices = await ask(offer, signal);
  const words = [...argv, ...commandWords(choices)];
  log.info(`this runs: ${formatCommand(words)}`);
  if (choices.subject.kind !== "cluster") {
    // A restore of the cluster shows its plan and asks by itself; a rescue destroys nothing, and does not.
    await runCommand([...words, "--dry-run"]);
    await confirm({ plan: "", question: "Do this", yes: false });
  }
  await runCommand(words);
  return true;
}

async function ask(offer: Offer, signal: AbortSignal): Promise<Choices> {
  using terminal = openTerminal(process.stdin, process.stderr, signal);
  const choices = await askForRestore(terminal, offer);
  if (choices !== BACK) return choices;
  throw new SoarError("OPERATOR_DECLINED", "nothing was chosen to be restored", { hint: "Nothing was changed." });
}

interface ReadOptions {
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly argv: readonly string[];
  readonly envFile: string | undefined;
}

async function readOffer(config: Context["config"], { log, signal, argv, envFile }: ReadOptions): Promise<Offer> {
  const store = await openConfiguredStore(config, { log, envFile });
  try {
    const { walSegmentSize } = await requireRepositoryRecord(store, { signal });
    const window = await readRecoveryWindow(store, walSegmentSize, { signal });
    const records = await listBackupRecords(store, { signal });
    const zone = config.timezone ?? machineZone();
    const stoppedAt = new Map(records.map((record) => [record.label, record.stoppedAt]));
    const newest = records.toSorted((a, b) => a.stoppedAt.localeCompare(b.stoppedAt)).at(-1);
    if (newest === undefined || !windowRows(window, { stoppedAt, zone }).some(({ value }) => value !== undefined)) {
      throw new SoarError("BACKUP_MISSING", `there is nothing in '${store.location}' that can be restored`, {
        hint: "soar-base-backup list shows what there is and what is missing.",
      });
    }
    const names = newest.databases.map(({ name }) => name).filter((name) => !name.startsWith("template"));
    // Where nobody keeps data, so that it stands last.
    const databases = [...names.filter((name) => name !== "postgres"), ...names.filter((name) => name === "postgres")];
    return {
      location: store.location,
      window,
      stoppedAt,
      databases,
      dataDirectory: newest.source.dataDirectory,
      zone,
      argv,
    };
  } finally {
    await store.close();
  }
}
