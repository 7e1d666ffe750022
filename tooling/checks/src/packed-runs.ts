import { execFile } from "node:child_process";
import { delimiter, dirname, join } from "node:path";
import type { Finding } from "./check.ts";
import type { InstalledPackage, PackedInstallation } from "./packed-installation.ts";

/** An import that waits for something would hang, a program too; none needs a tenth of this. */
const IMPORT_TIMEOUT_MS = 20_000;

/** Prints nothing but this when the import did nothing but import. */
const SILENT = "imported\n";

// Node's own node:util touches stdout and stderr when it is imported, so they are touched before the count.
const IMPORT_SCRIPT = `
  void [process.stdout, process.stderr];
  const before = process.getActiveResourcesInfo().length;
  const listeners = process.eventNames().length;
  await import(process.argv[1]);
  await new Promise((resolve) => setImmediate(resolve));
  const open = process.getActiveResourcesInfo().slice(before);
  if (open.length > 0) console.log("it leaves open: " + open.join(", "));
  if (process.eventNames().length > listeners) console.log("it listens to events of the process");
  console.log("imported");
  process.exit();
`;

interface Run {
  readonly status: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** `sideEffects: false` is proved: importing any entry prints nothing, leaves nothing open. */
export async function checkImports({ folder, packages }: PackedInstallation): Promise<Finding[]> {
  const entries = packages
    .filter(({ group }) => group === "packages")
    .flatMap((library) => importEntries(library).map((entry) => ({ library, entry })));
  const findings: Finding[] = [];
  for (const { library, entry } of entries) {
    const { status, stdout, stderr } = await runNode(folder, ["--input-type=module", "--eval", IMPORT_SCRIPT, entry]);
    if (status === 0 && stdout === SILENT && stderr === "") continue;
    const said = [stdout.replace(SILENT, ""), stderr].join("").trim().split("\n").slice(0, 12).join("\n    ");
    findings.push({ path: library.source, message: `importing '${entry}' ended with ${status}: ${said}` });
  }
  return findings;
}

/** What a user can import, apart from package.json. */
export function importEntries({ name, manifest }: InstalledPackage): string[] {
  const entries = Object.keys(manifest.exports ?? {}).filter((entry) => entry !== "./package.json");
  return entries.map((entry) => `${name}${entry.slice(1)}`);
}

/** The released program is executed before it is published: one that cannot start has been released by others. */
export async function checkPrograms({ folder, packages }: PackedInstallation): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const app of packages.filter(({ group }) => group === "apps")) {
    for (const bin of Object.values(app.manifest.bin ?? {})) {
      const program = join(app.folder, bin);
      // A launcher may be a shell script that finds Node itself.
      const command = bin.endsWith(".js") ? [process.execPath, program] : [program];
      const version = await runProgram(folder, [...command, "--version"]);
      const help = await runProgram(folder, [...command, "--help"]);
      const add = (message: string, run: Run) =>
        void findings.push({
          path: app.source,
          message: `${message}: status ${run.status}, ${(run.stderr || run.stdout).trim().slice(0, 500)}`,
        });
      if (version.status !== 0 || !version.stdout.includes(app.manifest.version ?? "?"))
        add("--version does not print the version", version);
      if (help.status !== 0 || !/usage/i.test(help.stdout)) add("--help does not print the usage", help);
    }
  }
  return findings;
}

function runNode(cwd: string, args: readonly string[]): Promise<Run> {
  return runProgram(cwd, [process.execPath, ...args]);
}

function runProgram(cwd: string, [program = "", ...args]: readonly string[]): Promise<Run> {
  const env = { PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ""}`, HOME: cwd };
  return new Promise((resolve) => {
    execFile(program, args, { cwd, env, timeout: IMPORT_TIMEOUT_MS }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : (error.code ?? error.signal ?? "an error"), stdout, stderr });
    });
  });
}
