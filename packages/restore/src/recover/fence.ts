import { decodeName, encodeName } from "@soar/seekable-tar/members";
import { join } from "node:path";
import {
  namesIfPresent,
  type Owner,
  ownerOf,
  readIfPresent,
  readTextIfPresent,
  realPathIfPresent,
  removeFile,
  replaceFile,
} from "@soar/durable-files";
import { findMajor } from "@soar/pg-tools/majors";
import { formatConfigSetting, parseConfigSettings, removeRecoverySettings } from "@soar/pg-tools/recovery-config";
import { COPY_MARK } from "@soar/repository";
import { inDataDirectory } from "../data-directory.ts";
import { isFile } from "../is-file.ts";
import { JOB_SETTINGS } from "./quiet-settings.ts";

const FENCE_BEGIN = "# soar: a copy of another cluster; it acts on nobody.";
const FENCE_END = "# soar: soar-restore adopt removes this block.";
/**
 * What lets a copy act on nobody. Its WAL has the source's names; its subscriptions would use up the source's slots at the
 * publisher; workers of libraries would begin the source's jobs a second time; and its commits would wait for standbys that
 * are the source's.
 */
const FENCE_SETTINGS: Readonly<Record<string, string>> = {
  archive_mode: "off",
  archive_command: "",
  max_logical_replication_workers: "0",
  max_worker_processes: "0",
  synchronous_standby_names: "",
  ...JOB_SETTINGS,
};
/** Logical decoding would wait for slots of the source's standbys. Servers before do not start with it. */
const WITH_SLOTS_OF_STANDBYS = { ...FENCE_SETTINGS, synchronized_standby_slots: "" };
/** A crash must not take the fence away, nor leave half of the way out of it. */
const FENCE = { mode: 0o600, keepMode: true, sync: "directory" } as const;

/**
 * Promise 7: a cluster that was restored anywhere but in place acts on nobody until it is adopted, and above all cannot
 * archive into the repository that it came from: its own timeline could meet the source's next one there. Archiving is off
 * in its settings; and should somebody set it on again, the mark still stops the archiver.
 */
export async function fenceClone(dataDir: string, owner?: Owner): Promise<void> {
  const text = withoutFence(await readAutoConf(dataDir));
  const block = [
    FENCE_BEGIN,
    ...Object.entries(await fenceSettings(dataDir)).map(([name, value]) => formatConfigSetting(name, value)),
    FENCE_END,
    "",
  ].join("\n");
  // ALTER SYSTEM on the copy writes the file anew, without comments and with the last value of each name only.
  const own = parseConfigSettings(text)
    .filter(({ name }) => name in WITH_SLOTS_OF_STANDBYS)
    .map(({ name, value }) => formatConfigSetting(name, value));
  const mark = [
    "# A copy of another cluster. soar-restore adopt lets it act for itself, with these settings of its own:",
    ...own,
    "",
  ];
  const fence = { ...FENCE, within: inDataDirectory(dataDir, owner) };
  await replaceFile(join(dataDir, COPY_MARK), encodeName(mark.join("\n")), fence);
  await replaceFile(
    autoConf(dataDir),
    encodeName(text === "" || text.endsWith("\n") ? text + block : `${text}\n${block}`),
    fence,
  );
}

async function fenceSettings(dataDir: string): Promise<Readonly<Record<string, string>>> {
  const version = await readTextIfPresent(join(dataDir, "PG_VERSION"), { within: { base: dataDir } });
  return findMajor(Number(version))?.features.slotsOfStandbys === true ? WITH_SLOTS_OF_STANDBYS : FENCE_SETTINGS;
}

/** Whether the cluster in a directory is a copy that was not adopted. */
export async function isFenced(dataDir: string): Promise<boolean> {
  const text = await readAutoConf(dataDir);
  return hasFence(text) || (await readMark(dataDir)) !== undefined;
}

/** Takes the fence away: from its next start on the cluster acts as its settings say. Does nothing without a fence. */
export async function adoptClone(dataDir: string): Promise<void> {
  const text = await readAutoConf(dataDir);
  const rest = hasFence(text) ? withoutFence(text) : withOwnSettings(text, await readMark(dataDir));
  const fence = { ...FENCE, within: inDataDirectory(dataDir, await ownerOf(dataDir)) };
  if (rest !== text) await replaceFile(autoConf(dataDir), encodeName(rest), fence);
  // One that paused, and was let go on by hand, has settings still that keep its libraries from beginning jobs.
  if (!(await isFile(join(dataDir, "recovery.signal")))) await removeRecoverySettings(dataDir);
  await markHistories(dataDir);
  await removeFile(join(dataDir, COPY_MARK), fence);
}

/**
 * The copy began its timeline with archiving off, so that PostgreSQL never offers the history for archiving; without it
 * nobody could follow what it archives from now on.
 */
async function markHistories(dataDir: string): Promise<void> {
  const walDir = await realPathIfPresent(join(dataDir, "pg_wal"));
  if (walDir === undefined) return;
  const statusDir = join(walDir, "archive_status");
  const [names, states] = [(await namesIfPresent(walDir)) ?? [], new Set(await namesIfPresent(statusDir))];
  // pg_wal may be a link, but only to a directory of the same user.
  const within = { base: walDir, owner: await ownerOf(dataDir) };
  for (const name of names.filter(
    (one) => one.endsWith(".history") && !states.has(`${one}.done`) && !states.has(`${one}.ready`),
  )) {
    await replaceFile(join(statusDir, `${name}.ready`), "", { ...FENCE, within });
  }
}

/** Where ALTER SYSTEM has made settings like any others out of the fence. */
function withOwnSettings(text: string, mark: string | undefined): string {
  if (mark === undefined) return text;
  const fenced = new Set(
    parseConfigSettings(text)
      .filter(({ name, value }) => name in WITH_SLOTS_OF_STANDBYS && (FENCE_SETTINGS[name] ?? "") === value)
      .map(({ line }) => line),
  );
  const own = parseConfigSettings(mark).map(({ name, value }) => `${formatConfigSetting(name, value)}\n`);
  return fenced.size === 0
    ? text
    : text
        .split("\n")
        .filter((_, at) => !fenced.has(at + 1))
        .join("\n") + own.join("");
}

const FENCE_BLOCK = new RegExp(
  `^# soar: a copy of another cluster;[^\\n]*\\n(?:(?:${Object.keys(WITH_SLOTS_OF_STANDBYS).join("|").replaceAll(".", "\\.")}) = [^\\n]*\\n)*(?:# soar: [^\\n]*\\n)?`,
  "gm",
);

/** Also of a block that a version before wrote. */
function withoutFence(text: string): string {
  return text.replace(FENCE_BLOCK, "");
}

function hasFence(text: string): boolean {
  return withoutFence(text) !== text;
}

async function readMark(dataDir: string): Promise<string | undefined> {
  const mark = await readIfPresent(join(dataDir, COPY_MARK), { within: { base: dataDir } });
  return mark && decodeName(mark);
}

function autoConf(dataDir: string): string {
  return join(dataDir, "postgresql.auto.conf");
}

async function readAutoConf(dataDir: string): Promise<string> {
  return decodeName((await readIfPresent(autoConf(dataDir), { within: { base: dataDir } })) ?? Buffer.alloc(0));
}
