import { dirname, join, resolve } from "node:path";
import type { ProgramResult } from "@soar/programs";
import { runAsUser, type UserOptions } from "./as-user.ts";
import type { Notes } from "./examination.ts";
import type { WrittenPlace } from "./program-settings.ts";

/**
 * Writes 4 KiB into the directory $1, or into the one that it would be made in, and removes them. $2 is the file that lies there,
 * or will; $3 what it is. Ends with 3 for a directory that is not there and that nobody will make.
 */
const TRY = `
umask 077
probe=
trap 'rm -f "$probe"' EXIT
trap 'exit 1' HUP INT TERM
say() { echo "$1"; exit "\${2:-1}"; }
directory=$1
until [ -d "$directory" ]; do
  if [ -e "$directory" ] || [ -L "$directory" ]; then say "'$directory' is no directory"; fi
  directory=$(dirname "$directory")
done
if [ -d "$2" ]; then say "'$2' is a directory"; fi
if [ "$3" = log ] && { [ -e "$2" ] || [ -L "$2" ]; }; then
  if [ -L "$2" ] || [ ! -f "$2" ]; then say "'$2' is no ordinary file"; fi
  if [ ! -w "$2" ]; then say "'$2' may not be written"; fi
fi
if [ "$3" = metrics ] && [ "$directory" != "$1" ]; then say "there is no directory '$1'" 3; fi
if ! said=$(mktemp "$directory/.soar-doctor-XXXXXX" 2>&1); then
  if [ "$directory" != "$1" ]; then say "there is no directory '$1', and it cannot be made in '$directory'" 3; fi
  say "\${said##*: }"
fi
probe=$said
said=$(head -c 4096 /dev/zero 2>&1 >"$probe")
[ "$(wc -c <"$probe")" -eq 4096 ] || say "\${said##*: }"
`;
const MISSING = 3;

/** Whether the programs can write what they were told to: by doing so, as the user who runs them. */
export async function examineWrittenPlaces(
  places: readonly WrittenPlace[],
  notes: Notes,
  options: UserOptions,
): Promise<void> {
  for (const place of places) judge(place, await tryToWrite(place, options), notes);
}

async function tryToWrite({ kind, path }: WrittenPlace, options: UserOptions): Promise<ProgramResult> {
  const absolute = resolve(path);
  const [directory, file] =
    kind === "metrics"
      ? [dirname(absolute), absolute]
      : [absolute, join(absolute, kind === "log" ? "backup.log" : "-")];
  return await runAsUser(TRY, [directory, file, kind], options);
}

function judge({ kind, variable, path, writer }: WrittenPlace, result: ProgramResult, notes: Notes): void {
  if (result.status === 0) return notes.ok(`${kind}-written`, `'${path}' (${variable}) can be written`);
  const reason = result.status === undefined ? result.ending : result.stdout.trim();
  const what = `'${path}' (${variable}) cannot be written by the user who runs ${writer}: ${reason}`;
  const directory = kind === "metrics" ? dirname(path) : path;
  const advice = {
    metrics: `Nothing raises an alarm from numbers that stand still. Make the directory writable, for example by a group of both: chgrp postgres '${directory}' && chmod g+rwx '${directory}'; or name another file.`,
    log: "A run that cannot open its log fails before it does anything: give the directory and backup.log to the server's user, or name another one.",
    state: `${writer} needs it. Make it: install -d -m 700 -o postgres -g postgres '${path}'; or name another one.`,
  }[kind];
  if (result.status !== MISSING) notes[kind === "log" ? "error" : "warning"](`${kind}-unwritable`, what, advice);
  // The units make those of the packages themselves when they first run.
  else notes[kind === "state" ? "notice" : "warning"](`${kind}-missing`, what, advice);
}
