import { formatTargetTime } from "@soar/pg-tools/recovery-config";
import { quoteForShell } from "@soar/programs";

/** What is to be restored. */
export type Subject =
  | { readonly kind: "cluster"; readonly dataDir: string | undefined }
  | { readonly kind: "database"; readonly source: string; readonly target: string }
  | {
      readonly kind: "tables";
      readonly database: string;
      readonly tables: readonly string[];
      readonly into: { readonly file: string } | { readonly database: string; readonly schema: string };
    };

/** To where. */
export type Instant =
  | { readonly kind: "latest" }
  | { readonly kind: "end-of-backup"; readonly label: string }
  | {
      readonly kind: "time";
      readonly micros: bigint;
      readonly inclusive: boolean;
      readonly backup: string | undefined;
    };

export interface Choices {
  readonly subject: Subject;
  readonly instant: Instant;
  /** Undefined for the newest. */
  readonly timeline: number | undefined;
}

/** The words of the command that does what was chosen. */
export function commandWords({ subject, instant, timeline }: Choices): string[] {
  return [
    ...subjectWords(subject),
    ...instantWords(instant),
    ...(timeline === undefined ? [] : ["--target-timeline", String(timeline)]),
  ];
}

function subjectWords(subject: Subject): string[] {
  switch (subject.kind) {
    case "cluster":
      return subject.dataDir === undefined ? [] : ["--data-dir", subject.dataDir];
    case "database":
      return ["--database", subject.source, "--target-database", subject.target, "--no-destructive"];
    case "tables":
      return [
        "table",
        ...subject.tables,
        "--database",
        subject.database,
        ...("file" in subject.into
          ? ["--output", subject.into.file]
          : ["--into", subject.into.database, "--as", subject.into.schema]),
      ];
  }
}

function instantWords(instant: Instant): string[] {
  switch (instant.kind) {
    case "latest":
      return ["--latest"];
    case "end-of-backup":
      return ["--immediate", "--base-backup", instant.label];
    case "time":
      // With its offset, so that the line means the same wherever it is typed.
      return [
        "--target-time",
        formatTargetTime(instant.micros),
        ...(instant.inclusive ? [] : ["--exclusive"]),
        ...(instant.backup === undefined ? [] : ["--base-backup", instant.backup]),
      ];
  }
}

/** A command line as a shell reads it. */
export function formatCommand(words: readonly string[]): string {
  return ["soar-restore", ...words.map(quoteForShell)].join(" ");
}
