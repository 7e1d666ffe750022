import { chownSync, writeFileSync } from "node:fs";
import { serverUser } from "./programs/server-user.ts";

/** Writes an env file of the programs in the dialect of the specification. For the server's user alone: it holds credentials. */
export function writeEnvFile(path: string, settings: Readonly<Record<string, string>>): void {
  const lines = Object.entries(settings).map(
    ([name, value]) => `export ${name}="${value.replaceAll(/["\\$`]/g, "\\$&")}"\n`,
  );
  writeFileSync(path, lines.join(""), { mode: 0o600 });
  chownSync(path, serverUser().uid, serverUser().gid);
}
