// @module-tag needs-postgres-clients
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { freePort } from "@soar-tooling/test-bench";
import { openStore, readObject } from "@soar/storage";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { archiveAll, databaseTime, passCheckpoint } from "../src/archiving.ts";
import { codeBlocks, documentedCommands, splitWords, type CodeBlock } from "../src/documentation.ts";
import { listenForNotifications } from "../src/notifications.ts";
import { createSoarWorld, ROOT, runProgram, type Binary, type SoarWorld } from "../src/soar-world.ts";

let world: SoarWorld;
/** A copy of the repository in a directory. */
let directory: string;
let instant: string;
let label: string;
/** The instants, labels and places that the documentation uses, and those that exist here. */
let substitutions: [RegExp, () => string][];

beforeAll(async () => {
  world = await createSoarWorld({
    installation: requireInstallation("pg_ctl", "pg_dump"),
    databases: ["soar"],
    fsync: true,
  });
  const { cluster, s3 } = world;
  await cluster.query("CREATE TABLE t AS SELECT 1 AS a");
  await cluster.query("CREATE TABLE devices (id int PRIMARY KEY)", [], "soar");
  await world.run("soar-base-backup", []);
  await passCheckpoint(cluster);
  await cluster.query("INSERT INTO t VALUES (2)");
  instant = await databaseTime(cluster);
  await cluster.query("INSERT INTO t VALUES (3)");
  await archiveAll(cluster);
  label = new Date().toISOString().slice(0, 10);
  directory = join(world.directory, "copy-of-bucket");
  mkdirSync(directory);
  const from = openStore({
    url: `s3://${s3.bucket}/cluster1`,
    endpoint: s3.endpoint,
    region: s3.region,
    credentials: s3,
  });
  const to = openStore({ url: `file://${directory}` });
  for await (const { key } of from.list("")) await to.put(key, await readObject(from, key));
  await Promise.all([from.close(), to.close()]);
  substitutions = [
    [/^2025-01-0\d$/, () => label],
    [/^2025-01-\d\d \d\d:\d\d:\d\d$/, () => instant],
    [/^\/srv\/copy$/, () => join(world.directory, "copy")],
    [/^\/etc\/soar\/drill\.sql$/, () => join(world.directory, "drill.sql")],
    [/^\/usr\/local\/bin\/test-application$/, () => "true"],
  ];
});

afterAll(async () => await world[Symbol.asyncDispose]());

const readmes = ["packages", "apps"]
  .flatMap((folder) => readdirSync(join(ROOT, folder)).map((name) => join(ROOT, folder, name, "README.md")))
  .filter((path) => existsSync(path));

describe("the commands of", () => {
  const apps = [
    join(ROOT, "README.md"),
    join(ROOT, "docs/runbook.md"),
    ...readmes.filter((path) => path.includes("/apps/")),
  ];
  test.each(apps.map((path) => [relative(ROOT, path), path]))(
    "%s run as they are written",
    { timeout: 180_000 },
    async (_, path) => {
      const commands = documentedCommands(path);
      for (const command of commands) await runOnce(command);
      expect(commands.length).toBeGreaterThan(0);
    },
  );
});

const ran = new Set<string>();

/** Several files say the same words, which are as right in one as in the other. */
async function runOnce(command: string): Promise<void> {
  if (ran.has(command)) return;
  await runDocumented(command);
  ran.add(command);
}

async function runDocumented(command: string): Promise<void> {
  const [binary, ...words] = splitWords(command);
  const args = words.map((word) => substitutions.find(([pattern]) => pattern.test(word))?.[1]() ?? word);
  if (
    binary === "soar-restore" &&
    (args.includes("--target-database") || ["table", "database"].includes(args[0] ?? ""))
  )
    return await runRescue(command, args);
  if (args[0] === "drill") return await runDrill(command, args);
  const isRestore = binary === "soar-restore" && !["plan", "list", "status", "discard-old"].includes(args[0] ?? "");
  const elsewhere = args.includes("--data-dir") ? [] : ["--data-dir", join(world.directory, "copy")];
  const port = ["--port", String(await freePort())];
  const restoreArgs = [
    ...args.filter((word, at) => word !== "--port" && args[at - 1] !== "--port"),
    ...elsewhere,
    ...port,
    "--yes",
  ];
  const planArgs = args[0] === "plan" && !args.includes("--data-dir") ? [...args, ...elsewhere] : args;
  const archiverArgs =
    binary === "soar-wal-archive" && args[0] === "status"
      ? [...args, "--data-dir", world.cluster.dataDir, "--spool", join(world.directory, "spool")]
      : planArgs;
  await using somebody = await listenForNotifications(world.directory);
  const isNotice = args.includes("--send-test-notice");
  const result = await world.run(binary as Binary, isRestore ? restoreArgs : archiverArgs, {
    settings: { BACKUP_TEMP_DIR: join(world.directory, "temp"), ...(isNotice ? somebody.settings : {}) },
  });
  expect(result, `${command}\n${result.stderr}`).toMatchObject({ status: 0 });
  if (isNotice) expect([somebody.posts().length, somebody.mail()]).toEqual([1, expect.stringContaining("dba@")]);
  if (isRestore) await removeCopy();
}

/** Into the running server itself, which the scratch cluster must leave alone. */
async function runRescue(command: string, args: readonly string[]): Promise<void> {
  const result = await world.run("soar-restore", args, {
    settings: { PGDATABASE: "soar", BACKUP_TEMP_DIR: join(world.directory, "temp") },
  });
  expect(result, `${command}\n${result.stderr}`).toMatchObject({ status: 0 });
}

/** Reports and scratch clusters go where they do not stay; what is kept is removed. */
async function runDrill(command: string, args: readonly string[]): Promise<void> {
  writeFileSync(join(world.directory, "drill.sql"), "-- same as production\nSELECT count(*) FROM devices;\n");
  const tempDir = join(world.directory, "temp");
  const result = await world.run("soar-backup-verify", [...args, "--json"], {
    settings: { PGDATABASE: "soar", BACKUP_TEMP_DIR: tempDir, BACKUP_DRILL_STATE_DIR: join(world.directory, "state") },
  });
  expect(result, `${command}\n${result.stderr}`).toMatchObject({ status: 0 });
  const { kept } = JSON.parse(result.stdout) as { kept?: { dataDir: string } };
  if (kept !== undefined) await stopServer(kept.dataDir);
  await rm(tempDir, { recursive: true });
}

/** Stops the restored copy and removes it, so that the next documented command finds an empty place. */
async function removeCopy(): Promise<void> {
  const copy = join(world.directory, "copy");
  await stopServer(copy);
  await rm(copy, { recursive: true });
}

async function stopServer(dataDir: string): Promise<void> {
  const stopped = await runProgram([join(world.cluster.binDir, "pg_ctl"), "-D", dataDir, "stop", "-m", "immediate"], {
    settings: {},
    directory: world.directory,
    asServerUser: true,
  });
  expect(stopped, stopped.stderr).toMatchObject({ status: 0 });
}

describe("the examples of", () => {
  // Whole programs: fragments have no imports, and a suite for vitest is run by the package's own tests.
  const isProgram = ({ text }: CodeBlock) => text.startsWith("import") && !text.includes("/testing");
  const examples = readmes.flatMap((path) =>
    codeBlocks(path, "ts")
      .filter(isProgram)
      .map((block) => [`${relative(ROOT, path)}:${block.line}`, path, block.text] as const),
  );
  test.each(examples)("%s run as they are written", async (_, path, text) => {
    // Inside of the package, so that its name and its dependencies are found as for a user.
    const file = join(path, "..", `.example-${process.pid}.ts`);
    writeFileSync(file, text.replaceAll("file:///var/backups/cluster1", `file://${directory}`));
    try {
      const result = await runProgram([process.execPath, "--conditions=soar-source", file], {
        settings: { BACKUP_BUCKET: `file://${directory}` },
        directory: world.directory,
      });
      expect(result, result.stderr).toMatchObject({ status: 0 });
      expect(result.stdout).not.toBe("");
    } finally {
      rmSync(file);
    }
  });
});
