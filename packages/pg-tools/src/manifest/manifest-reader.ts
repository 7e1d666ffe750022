import { createHash } from "node:crypto";
import type { BackupManifest, ManifestFile, ManifestHead, ManifestWalRange } from "./backup-manifest.ts";
import { invalidLine, invalidManifest, parseFileLine, parseWalRangeLine } from "./manifest-lines.ts";

/** Reads a manifest that arrives in pieces; a manifest of a million files is read in the memory of one line. */
export interface ManifestReader {
  /** Throws FORMAT_INVALID. */
  push(bytes: Uint8Array): void;
  /** Throws FORMAT_INVALID when the manifest is cut off or its own checksum is wrong: only now the files are to be believed. */
  finish(): ManifestHead;
}

type State = "version" | "identifier-or-files" | "files" | "wal-ranges-start" | "wal-ranges" | "checksum" | "done";

const NEWLINE = 0x0a;
/** In bytes. A path of 4 KiB, each byte of which is escaped, is shorter. */
export const LONGEST_MANIFEST_LINE = 64 * 1024;
/** One for each timeline that was replayed during the backup. */
const MOST_WAL_RANGES = 1000;

/** Reads a whole manifest and verifies its checksum over itself. Throws FORMAT_INVALID. */
export function parseBackupManifest(bytes: Uint8Array): BackupManifest {
  const files: ManifestFile[] = [];
  const reader = createManifestReader((file) => files.push(file));
  reader.push(bytes);
  return { ...reader.finish(), files };
}

/**
 * Begins to read a manifest; `onFile` gets every file in order. Relies on the lines in which PostgreSQL writes it (one
 * per file), which its checksum does too: it covers everything up to the last line.
 */
export function createManifestReader(onFile: (file: ManifestFile) => void): ManifestReader {
  const hash = createHash("sha256");
  const lines = new ManifestLines(onFile);
  let unfinished: Buffer = Buffer.alloc(0);
  return {
    push(bytes) {
      const data = Buffer.concat([unfinished, bytes]);
      let from = 0;
      for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, from)) {
        const isChecksum = lines.take(data.toString("utf8", from, end));
        // One update for many lines would be faster still, but the last line must stay outside.
        if (!isChecksum) hash.update(data.subarray(from, end + 1));
        from = end + 1;
      }
      unfinished = data.subarray(from);
      if (unfinished.length > LONGEST_MANIFEST_LINE)
        throw invalidManifest(`a line has more than ${LONGEST_MANIFEST_LINE} bytes`);
    },
    finish() {
      if (unfinished.length > 0) throw invalidManifest("it does not end with a line end");
      return lines.finish(hash.digest("hex"));
    },
  };
}

/** Follows the fixed order of a manifest's parts. */
class ManifestLines {
  readonly #onFile: (file: ManifestFile) => void;
  readonly #walRanges: ManifestWalRange[] = [];
  #state: State = "version";
  #version: 1 | 2 = 1;
  #systemIdentifier: bigint | undefined;
  #checksum = "";

  constructor(onFile: (file: ManifestFile) => void) {
    this.#onFile = onFile;
  }

  /** Takes one line without its end; returns whether it is the one with the checksum. */
  take(line: string): boolean {
    this.#state = this.#next(line);
    return this.#state === "done";
  }

  #next(line: string): State {
    switch (this.#state) {
      case "version":
        return this.#takeVersion(line);
      case "identifier-or-files":
        return this.#takeIdentifierOrFiles(line);
      case "files":
        if (line === "],") return "wal-ranges-start";
        this.#onFile(parseFileLine(line));
        return "files";
      case "wal-ranges-start":
        if (line !== '"WAL-Ranges": [') throw invalidLine(line);
        return "wal-ranges";
      case "wal-ranges":
        if (line === "],") return "checksum";
        this.#walRanges.push(parseWalRangeLine(line));
        if (this.#walRanges.length > MOST_WAL_RANGES)
          throw invalidManifest(`it names more than ${MOST_WAL_RANGES} ranges of WAL`);
        return "wal-ranges";
      case "checksum":
        return this.#takeChecksum(line);
      case "done":
        throw invalidLine(line);
    }
  }

  #takeVersion(line: string): State {
    const [, version] = /^\{ "PostgreSQL-Backup-Manifest-Version": (\d+),$/.exec(line) ?? [];
    if (version === undefined) throw invalidLine(line);
    if (version !== "1" && version !== "2") throw invalidManifest(`its version is ${version}, not 1 or 2`);
    this.#version = version === "1" ? 1 : 2;
    return "identifier-or-files";
  }

  #takeIdentifierOrFiles(line: string): State {
    if (line === '"Files": [' && (this.#version === 1 || this.#systemIdentifier !== undefined)) return "files";
    const [, identifier] = /^"System-Identifier": (\d{1,20}),$/.exec(line) ?? [];
    if (identifier === undefined || this.#version === 1) throw invalidLine(line);
    this.#systemIdentifier = BigInt(identifier);
    return "identifier-or-files";
  }

  #takeChecksum(line: string): State {
    const [, checksum] = /^"Manifest-Checksum": "([0-9a-fA-F]{64})"\}$/.exec(line) ?? [];
    if (checksum === undefined) throw invalidLine(line);
    this.#checksum = checksum.toLowerCase();
    return "done";
  }

  finish(computed: string): ManifestHead {
    if (this.#state !== "done") throw invalidManifest("it is cut off");
    if (computed !== this.#checksum) throw invalidManifest("its own checksum is wrong");
    return {
      version: this.#version,
      systemIdentifier: this.#systemIdentifier,
      walRanges: this.#walRanges,
      checksum: this.#checksum,
    };
  }
}
