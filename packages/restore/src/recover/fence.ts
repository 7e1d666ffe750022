import { chown, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { formatConfigSetting, parseConfigSettings, type ConfigSetting } from "@soar/pg-tools/recovery-config";
import { COPY_MARK } from "@soar/repository";
import { syncDirectory } from "../status/restore-record.ts";
import { replaceDurably, writeDurably } from "../write-durably.ts";

const FENCE_BEGIN = "# soar: a copy of another cluster; it must not archive into that cluster's repository.";
const FENCE_END = "# soar: soar-restore adopt removes this block.";

/**
 * Promise 7: a cluster that was restored anywhere but in place cannot archive into the repository that it came from. Its
 * WAL has the source's names, and its own timeline could meet the source's next one there. Archiving is off in its
 * settings; and should somebody set it on again, the mark still stops the archiver.
 */
export async function fenceClone(dataDir: string): Promise<void> {
  const text = withoutFence(await readAutoConf(dataDir));
  const block = [
    FENCE_BEGIN,
    formatConfigSetting("archive_mode", "off"),
    formatConfigSetting("archive_command", ""),
    FENCE_END,
    "",
  ].join("\n");
  // ALTER SYSTEM on the copy writes the file anew, without comments and with the last value of each name only.
  const own = parseConfigSettings(text)
    .filter(isArchiveSetting)
    .map(({ name, value }) => formatConfigSetting(name, value));
  await writeDurably(join(dataDir, COPY_MARK), [
    Buffer.from(
      [
        "# A copy of another cluster. soar-restore adopt lets it archive, with these settings of its own:",
        ...own,
        "",
      ].join("\n"),
    ),
  ]);
  await replaceDurably(autoConf(dataDir), text === "" || text.endsWith("\n") ? text + block : `${text}\n${block}`);
}

/** Whether the cluster in a directory is a copy that was not adopted. */
export async function isFenced(dataDir: string): Promise<boolean> {
  const text = await readAutoConf(dataDir);
  return text.includes(FENCE_BEGIN) || (await readMark(dataDir)) !== undefined;
}

/** Takes the fence away: after its next start the cluster archives as its settings say. Does nothing without a fence. */
export async function adoptClone(dataDir: string): Promise<void> {
  const text = await readAutoConf(dataDir);
  const rest = text.includes(FENCE_BEGIN) ? withoutFence(text) : withOwnSettings(text, await readMark(dataDir));
  if (rest !== text) await replaceDurably(autoConf(dataDir), rest);
  await markHistories(dataDir);
  await rm(join(dataDir, COPY_MARK), { force: true });
  await syncDirectory(dataDir);
}

/**
 * The copy began its timeline with archiving off, so that PostgreSQL never offers the history for archiving; without it
 * nobody could follow what it archives from now on.
 */
async function markHistories(dataDir: string): Promise<void> {
  const statusDir = join(dataDir, "pg_wal", "archive_status");
  const [names, states] = [await namesIn(join(dataDir, "pg_wal")), new Set(await namesIn(statusDir))];
  for (const name of names.filter(
    (one) => one.endsWith(".history") && !states.has(`${one}.done`) && !states.has(`${one}.ready`),
  )) {
    const mark = join(statusDir, `${name}.ready`);
    await writeDurably(mark, []);
    const { uid, gid } = await stat(statusDir);
    if (process.getuid?.() === 0) await chown(mark, uid, gid);
  }
}

async function namesIn(directory: string): Promise<string[]> {
  return await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
}

/** Where ALTER SYSTEM has made settings like any others out of the fence. */
function withOwnSettings(text: string, mark: string | undefined): string {
  if (mark === undefined) return text;
  const fenced = new Set(
    parseConfigSettings(text)
      .filter((setting) => isArchiveSetting(setting) && ["off", ""].includes(setting.value))
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

function isArchiveSetting({ name }: ConfigSetting): boolean {
  return name === "archive_mode" || name === "archive_command";
}

/** Also of a block that a version before wrote. */
function withoutFence(text: string): string {
  return text.replace(
    /^# soar: a copy of another cluster;[^\n]*\n(?:archive_(?:mode|command) = [^\n]*\n)*(?:# soar: [^\n]*\n)?/gm,
    "",
  );
}

async function readMark(dataDir: string): Promise<string | undefined> {
  return await readFile(join(dataDir, COPY_MARK), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
}

function autoConf(dataDir: string): string {
  return join(dataDir, "postgresql.auto.conf");
}

async function readAutoConf(dataDir: string): Promise<string> {
  return await readFile(autoConf(dataDir), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
}
