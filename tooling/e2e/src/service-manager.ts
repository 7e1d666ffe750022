import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestCluster } from "@soar-tooling/postgres-clusters";
import { serverUser } from "@soar-tooling/test-bench";
import { ROOT, type SoarWorld } from "./soar-world.ts";

/** A `systemctl` for machines without systemd, where it starts and stops one server and notes everything that it is told. */
export interface ServiceManager {
  /** The cluster's server, as RPM packages call it and set its data directory. */
  readonly unit: string;
  /** For the environment of a program that is to find it. */
  readonly path: string;
  /** Everything that was asked of it, in order, without the questions. */
  calls(): string[];
  /** Lets it fail for a unit, or for one verb of a unit (`stop cron.service`); for none with an empty name. */
  breakUnit(unit: string): void;
  /** Lets it wait before it does anything to the server, until `release` is called. */
  hold(): { release(): void };
}

export function installServiceManager(world: SoarWorld, cluster: TestCluster): ServiceManager {
  const directory = join(world.directory, "system");
  const [program, log, broken, held] = [
    join(directory, "systemctl"),
    join(directory, "calls"),
    join(directory, "broken"),
    join(directory, "held"),
  ];
  const asOwner =
    process.getuid?.() === 0 ? `setpriv --reuid=${serverUser().uid} --regid=${serverUser().gid} --clear-groups ` : "";
  const pgCtl = `${asOwner}${join(cluster.binDir, "pg_ctl")} -D ${cluster.dataDir} -l ${join(cluster.socketDir, "service.log")} -w`;
  const unit = `postgresql-${cluster.installation.major}.service`;
  const script = [
    "#!/bin/sh",
    `case "$*" in`,
    "is-system-running) echo running; exit 0;;",
    `"show *.service --property=Id,MainPID") printf 'Id=cron.service\\nMainPID=1\\n\\nId=${unit}\\nMainPID=%s\\n' "$(head -n 1 ${cluster.dataDir}/postmaster.pid 2>/dev/null || echo 0)"; exit 0;;`,
    `"show ${unit} "*) printf 'LoadState=loaded\\nEnvironment=PGDATA=${cluster.dataDir}/\\n'; exit 0;;`,
    "show*) echo LoadState=not-found; exit 0;;",
    "esac",
    `echo "$*" >> ${log}`,
    `verb=$1; shift`,
    `for unit; do`,
    `  if grep -qx -e "$unit" -e "$verb $unit" ${broken}; then echo "Job for $unit failed." >&2; exit 1; fi`,
    `  [ "$unit" = ${unit} ] || continue`,
    `  while [ -e ${held} ]; do sleep 0.05; done`,
    `  case $verb in stop) ${pgCtl} -m fast stop >/dev/null 2>&1 </dev/null; true;; start) ${pgCtl} start >/dev/null 2>&1 </dev/null;; esac || exit 1`,
    "done",
    "exit 0",
    "",
  ].join("\n");
  mkdirSync(directory);
  writeFileSync(program, script);
  chmodSync(program, 0o755);
  for (const file of [log, broken]) writeFileSync(file, "");
  return {
    unit,
    path: `${directory}:${join(ROOT, "node_modules/.bin")}:${process.env["PATH"] ?? ""}`,
    calls: () =>
      readFileSync(log, "utf8")
        .trim()
        .split("\n")
        .filter((line) => line !== ""),
    hold() {
      writeFileSync(held, "");
      return { release: () => rmSync(held) };
    },
    breakUnit: (name) => writeFileSync(broken, `${name}\n`),
  };
}
