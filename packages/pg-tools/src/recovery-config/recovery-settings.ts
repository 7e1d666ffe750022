import { formatLsn } from "../wal-names/lsn.ts";
import type { RecoveryTarget } from "../wal-records/find-recovery-stop.ts";
import { type ConfigSetting, formatConfigSetting, parseConfigSettings } from "./config-file.ts";

/** Settings by name. Booleans become `on` and `off`. */
export type RecoverySettings = Readonly<Record<string, string | number | boolean>>;

/**
 * Settings that decide where recovery ends, at their defaults. A block names all of them: what is left over from an
 * earlier recovery anywhere in the configuration would otherwise join in, or be a second target, which is an error.
 */
const TARGET_DEFAULTS: RecoverySettings = {
  recovery_target: "",
  recovery_target_name: "",
  recovery_target_time: "",
  recovery_target_xid: "",
  recovery_target_lsn: "",
  recovery_target_inclusive: true,
  recovery_target_timeline: "latest",
  recovery_target_action: "pause",
};

export const BLOCK_BEGIN = "# soar: recovery settings, removed after recovery";
export const BLOCK_END = "# soar: end of recovery settings";

/** The settings that make PostgreSQL stop at this target. */
export function recoveryTargetSettings(target: RecoveryTarget | { readonly type: "immediate" }): RecoverySettings {
  switch (target.type) {
    case "time":
      return {
        recovery_target_time: formatTargetTime(target.time),
        recovery_target_inclusive: target.inclusive ?? true,
      };
    case "xid":
      return { recovery_target_xid: target.xid, recovery_target_inclusive: target.inclusive ?? true };
    case "lsn":
      return { recovery_target_lsn: formatLsn(target.lsn), recovery_target_inclusive: target.inclusive ?? true };
    case "name":
      return { recovery_target_name: target.name };
    case "immediate":
      return { recovery_target: "immediate" };
  }
}

/**
 * `2025-01-10 14:30:00.000001+00`: microseconds since 1970 UTC as PostgreSQL reads them alike in every time zone, exact to
 * the microsecond that commit times have. Whole seconds are written without decimals.
 */
export function formatTargetTime(microseconds: bigint): string {
  const fraction = ((microseconds % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const wholeSeconds = new Date(Number((microseconds - fraction) / 1000n)).toISOString().slice(0, 19).replace("T", " ");
  return `${wholeSeconds}${fraction === 0n ? "" : `.${String(fraction).padStart(6, "0")}`}+00`;
}

/** Puts a block with these settings at the end of a configuration, in place of an earlier block. Throws CONFIG_INVALID. */
export function withRecoverySettings(text: string, settings: RecoverySettings): string {
  const rest = withoutRecoverySettings(text);
  const lines = inOrder(settings).map(([name, value]) => formatConfigSetting(name, valueText(value)));
  return [...(rest === "" ? [] : [rest.replace(/\n?$/, "")]), BLOCK_BEGIN, ...lines, BLOCK_END, ""].join("\n");
}

/**
 * Empty targets come first: the server applies settings one by one, and takes even an empty one *behind* the real target
 * for a second target ("multiple recovery targets specified").
 */
function inOrder(settings: RecoverySettings): readonly (readonly [string, string | number | boolean])[] {
  const all = [...Object.entries(TARGET_DEFAULTS).filter(([name]) => !(name in settings)), ...Object.entries(settings)];
  return [...all.filter(([, value]) => value === ""), ...all.filter(([, value]) => value !== "")];
}

/** Removes the block, leaving everything else as it was. A block whose end was lost reaches to the end of the file. */
export function withoutRecoverySettings(text: string): string {
  const lines = text.split("\n");
  const begin = lines.indexOf(BLOCK_BEGIN);
  if (begin < 0) return text;
  const end = lines.indexOf(BLOCK_END, begin);
  const rest = [...lines.slice(0, begin), ...(end < 0 ? [""] : lines.slice(end + 1))];
  return withoutRecoverySettings(rest.join("\n"));
}

/**
 * Recovery targets that stand outside of the block and would take part in the next recovery: left over by another tool,
 * or by ours after ALTER SYSTEM has rewritten the file without its comments.
 */
export function findLeftoverTargets(text: string): readonly ConfigSetting[] {
  const effective = new Map(
    parseConfigSettings(withoutRecoverySettings(text)).map((setting) => [setting.name, setting]),
  );
  return [...effective.values()].filter(({ name, value }) =>
    Object.entries(TARGET_DEFAULTS).some(([target, usual]) => target === name && valueText(usual) !== value),
  );
}

function valueText(value: string | number | boolean): string {
  return typeof value === "boolean" ? (value ? "on" : "off") : String(value);
}
