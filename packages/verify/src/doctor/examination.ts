import { isSoarError } from "@soar/errors";

/** One thing that the doctor looked at. `kind` is stable: monitoring and tests compare it. */
export interface Examination {
  readonly area: Area;
  readonly kind: string;
  /**
   * `error`: backups or restores do not work, or soon will not. `warning`: they work, and somebody should act. `notice`:
   * good to know. `ok`: as it should be.
   */
  readonly severity: "ok" | "notice" | "warning" | "error";
  /** What was seen. */
  readonly what: string;
  /** What to do, as full sentences; undefined only where all is well. */
  readonly advice: string | undefined;
}

export type Area =
  | "server"
  | "archiving"
  | "storage"
  | "bucket"
  | "repository"
  | "machine"
  | "schedule"
  | "drill"
  | "notices"
  | "round trip";

/** Collects what one examiner saw. */
export interface Notes {
  ok(kind: string, what: string): void;
  notice(kind: string, what: string, advice: string): void;
  warning(kind: string, what: string, advice: string): void;
  error(kind: string, what: string, advice: string): void;
}

/**
 * Runs an examiner and gives its notes. A failure that an operator can act on ends this examiner only, and is told under
 * the name of its code (`store-denied`): what could not be looked at is not healthy for it.
 */
export async function examine(area: Area, examiner: (notes: Notes) => Promise<void> | void): Promise<Examination[]> {
  const seen: Examination[] = [];
  const add =
    (severity: Examination["severity"]) =>
    (kind: string, what: string, advice?: string): void =>
      void seen.push({ area, kind, severity, what, advice });
  try {
    await examiner({ ok: add("ok"), notice: add("notice"), warning: add("warning"), error: add("error") });
  } catch (error) {
    if (!isSoarError(error) || error.code === "ABORTED") throw error;
    add("error")(
      error.code.toLowerCase().replaceAll("_", "-"),
      error.message,
      `${error.hint ?? "Repair this."} The rest of this part was not looked at.`,
    );
  }
  return seen;
}
