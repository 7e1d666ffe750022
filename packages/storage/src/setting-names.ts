import type { NamedSetting, SettingNames } from "./store-config.ts";

/** What a hint calls a setting: as the caller's users know it, or by its field. */
export function settingNamer(names: SettingNames = {}): (setting: NamedSetting) => string {
  return (setting) => names[setting] ?? `the setting '${setting}'`;
}
