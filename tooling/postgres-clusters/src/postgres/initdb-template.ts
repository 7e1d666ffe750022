import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { serverUser } from "@soar-tooling/test-bench";
import type { PostgresInstallation } from "./installations.ts";

const TEMPLATES = fileURLToPath(new URL("../../../../.soar/initdb/", import.meta.url));

/** A copy of what `initdb` makes takes a twentieth of its time, but not where most of it is one large segment. */
const LARGEST_SEGMENT_MIB = 16;

/** Where the data directory is kept that these arguments make; undefined where it is not to be copied. */
export function templatePath(installation: PostgresInstallation, args: readonly string[]): string | undefined {
  const segsize = Number(args.find((arg) => arg.startsWith("--wal-segsize="))?.split("=")[1] ?? 16);
  // A password, and a place for pg_wal: they are of one cluster.
  if (segsize > LARGEST_SEGMENT_MIB || args.some((arg) => arg.includes("/"))) return undefined;
  const origin = installation.embedded ? "embedded" : "installed";
  return join(TEMPLATES, [installation.version, origin, serverUser().uid, ...args].join(" "));
}

/** Keeps a data directory that `initdb` has just made. Of several that are kept at once one stays. */
export function keepTemplate(dataDir: string, template: string): void {
  mkdirSync(TEMPLATES, { recursive: true });
  const own = mkdtempSync(`${TEMPLATES}.new-`);
  try {
    copyDirectory(dataDir, join(own, "data"));
    if (!existsSync(template)) renameSync(join(own, "data"), template);
  } catch (error) {
    if (!existsSync(template)) throw error;
  } finally {
    rmSync(own, { recursive: true });
  }
}

/** Makes a data directory from a template: another cluster, with a system identifier of its own. */
export function copyTemplate(template: string, dataDir: string): void {
  copyDirectory(template, dataDir);
  const identifier = newSystemIdentifier();
  const control = join(dataDir, "global", "pg_control");
  writeFileSync(control, withIdentifier(readFileSync(control), identifier));
  const walDir = join(dataDir, "pg_wal");
  // Those behind the current one wait to be used again, and hold what once was written.
  for (const name of readdirSync(walDir).filter((one) => /^[0-9A-F]{24}$/.test(one)))
    writeIdentifier(join(walDir, name), identifier);
}

/** Into XLogLongPageHeaderData, of the first page of a segment (src/include/access/xlog_internal.h). */
function writeIdentifier(segment: string, identifier: bigint): void {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(identifier);
  const file = openSync(segment, "r+");
  writeSync(file, bytes, 0, 8, 24);
  closeSync(file);
}

/** Files get the time of now, as initdb's have. */
function copyDirectory(from: string, to: string): void {
  const { status, stderr } = spawnSync("cp", ["-a", "--no-preserve=timestamps", from, to], { encoding: "utf8" });
  if (status !== 0) throw new Error(`unable to copy '${from}': ${stderr}`);
}

/** The second of its making, as initdb's begins with, and what no other one has. */
function newSystemIdentifier(): bigint {
  return (BigInt(Math.floor(Date.now() / 1000)) << 32n) | BigInt(randomBytes(4).readUInt32LE());
}

/** ControlFileData begins with the identifier, and its checksum is of all that lies before that (src/include/catalog/pg_control.h). */
function withIdentifier(control: Buffer, identifier: bigint): Buffer {
  const at = checksumPosition(control);
  const changed = Buffer.from(control);
  changed.writeBigUInt64LE(identifier, 0);
  changed.writeUInt32LE(crc32c(changed.subarray(0, at)), at);
  return changed;
}

/** It differs from major to major: where the checksum of all before it is. */
function checksumPosition(control: Buffer): number {
  for (let at = 100; at < 512; at += 4) if (control.readUInt32LE(at) === crc32c(control.subarray(0, at))) return at;
  throw new Error("unable to find the checksum of pg_control");
}

function crc32c(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}
