import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";

/** A tar file to measure with: the one that is named on the command line, else one made of rows like the owner's. */
export function withSample(measure: (path: string) => Promise<void>): Promise<void> {
  const named = process.argv[2];
  if (named !== undefined) return measure(named);
  const directory = mkdtempSync(join(tmpdir(), "soar-bench-"));
  const path = join(directory, "sample.tar");
  makeSample(directory, path);
  return measure(path).finally(() => rmSync(directory, { recursive: true }));
}

/** Reads a file in pieces, always into the same memory: what is measured is not the reading. */
export function* readPieces(path: string, bytes = 64 * 1024): Generator<Buffer, void, undefined> {
  const buffer = Buffer.allocUnsafeSlow(bytes);
  const fd = openSync(path, "r");
  try {
    for (let count = readSync(fd, buffer); count > 0; count = readSync(fd, buffer)) yield buffer.subarray(0, count);
  } finally {
    closeSync(fd);
  }
}

export function describeMachine(): string {
  const model = cpus()[0]?.model.trim() ?? "unknown processor";
  return `${cpus().length} x ${model}, ${Math.round(totalmem() / 1e9)} GB, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}`;
}

export function megabytesPerSecond(bytes: number, milliseconds: number): string {
  return `${(bytes / 1000 / milliseconds).toFixed(0)} MB/s`;
}

export function percent(part: number, whole: number): string {
  return `${((part / whole) * 100).toFixed(2)} %`;
}

/** Prints rows as a table with aligned columns. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of [head, ...rows])
    console.log(
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join("  "),
    );
  console.log();
}

const PAGES_PER_FILE = 16_384;
const FILES = 3;

/** Heap pages of position reports, as much text as random identifiers, and small files like those of a catalogue. */
function makeSample(directory: string, path: string): void {
  for (let file = 0; file < FILES; file++)
    writeFileSync(
      join(directory, String(16_384 + file)),
      Buffer.concat(Array.from({ length: PAGES_PER_FILE }, (_, page) => makePage(file * PAGES_PER_FILE + page))),
    );
  for (let file = 0; file < 300; file++)
    writeFileSync(
      join(directory, String(1000 + file)),
      Buffer.concat(Array.from({ length: 1 + (file % 8) }, (_, page) => makePage(1e6 + ((file * 8 + page) % 40)))),
    );
  const made = spawnSync("tar", [
    "--format=ustar",
    "--sort=name",
    "--exclude=sample.tar",
    "-C",
    directory,
    "-cf",
    path,
    ".",
  ]);
  if (made.status !== 0) throw new Error(String(made.stderr));
}

function makePage(seed: number): Buffer {
  const page = Buffer.alloc(8192);
  for (let row = 0, at = 8192; row < 38; row++) {
    const random = createHash("sha512").update(`${seed}/${row}`).digest();
    const text = `FLR${random.toString("hex", 0, 3).toUpperCase()}>APRS,qAS,LFLE${random[3]}:/${100_000 + row}h45${random[4]}.${random[5]}N/005${random[6]}E'180/${random[7]}/A=00${1000 + (random[8] ?? 0) * 20} !W12! id06${random.toString("hex", 9, 12)} +${random[12]}fpm`;
    at -= 208;
    random.copy(page, at + 24, 16, 40);
    page.writeUInt32LE(seed, at);
    page.write(text, at + 56, 150, "latin1");
    page.writeUInt32LE((at << 1) | 0x10000, 24 + row * 4);
  }
  return page;
}
