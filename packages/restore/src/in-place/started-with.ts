import { join } from "node:path";
import { readTextIfPresent } from "@soar/durable-files";

/** Options of `postgres` that are another spelling of a setting (postgres(1)); of others nothing is known here. */
const SHORT: Readonly<Record<string, string>> = {
  B: "shared_buffers",
  N: "max_connections",
  h: "listen_addresses",
  k: "unix_socket_directories",
  p: "port",
};

/**
 * The settings on the command line by which the last server of a data directory was started, its data directory left out:
 * `postmaster.opts` keeps them when it has stopped. Undefined where there is no such file, as in one that was restored.
 */
export async function startedWith(dataDir: string): Promise<Record<string, string> | undefined> {
  const text = await readTextIfPresent(join(dataDir, "postmaster.opts"), { within: { base: dataDir } });
  return text === undefined ? undefined : parseStartOptions(text);
}

/** Each word stands in double quotes, and nothing in it is escaped (`CreateOptsFile`, postmaster.c). */
export function parseStartOptions(text: string): Record<string, string> {
  const words = Array.from(text.matchAll(/ "(.*?)"(?= "|\s*$)/gs), ([, word = ""]) => word);
  const settings: Record<string, string> = {};
  const take = (assignment: string): void => {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(assignment) ?? [];
    if (name !== undefined && value !== undefined) settings[name.replaceAll("-", "_")] = value;
  };
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? "";
    const [, letter = "", joined = ""] = /^-([A-Za-z])(.*)$/s.exec(word) ?? [];
    const hasValue = letter === "c" || letter === "D" || letter in SHORT;
    const value = joined === "" && hasValue ? (words[(at += 1)] ?? "") : joined;
    if (word.startsWith("--")) take(word.slice(2));
    else if (letter === "c") take(value);
    else if (letter === "i") settings["listen_addresses"] = "*";
    else if (letter === "l") settings["ssl"] = "on";
    else if (SHORT[letter] !== undefined) settings[SHORT[letter]] = value;
  }
  delete settings["data_directory"];
  return settings;
}
