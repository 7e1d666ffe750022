// @module-tag needs-postgres-clients
import { createHash } from "node:crypto";
import { chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { createTestCluster, requireInstallation } from "@soar-tooling/postgres-clusters";
import { createS3TestClient } from "@soar-tooling/s3-server";
import { freePort, type ProgramResult, requires, serverUser } from "@soar-tooling/test-bench";
import { runDoctor, type DoctorOptions, type Examination } from "@soar/verify";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { archiveCommand, createSoarWorld, type SoarWorld } from "../src/soar-world.ts";
import { waitUntil } from "../src/wait-until.ts";

let world: SoarWorld;
/** Directories of this set-up, and what every doctor in here is told. */
let settings: Record<string, string>;

beforeAll(async () => {
  world = await createSoarWorld({
    installation: requireInstallation("pg_ctl", "pg_dump"),
    fsync: true,
    initdbArgs: ["--wal-segsize=1", "--data-checksums"],
    settings: { archive_timeout: "60" },
  });
  settings = {
    BACKUP_TEMP_DIR: join(world.directory, "temp"),
    BACKUP_DRILL_STATE_DIR: join(world.directory, "drill"),
  };
  for (const directory of Object.values(settings)) {
    mkdirSync(directory);
    chownSync(directory, serverUser().uid, serverUser().gid);
  }
  const backup = await world.run("soar-base-backup", []);
  if (backup.status !== 0) throw new Error(backup.stderr);
});
afterAll(() => world[Symbol.asyncDispose]());

interface Diagnosed extends ProgramResult {
  readonly kinds: Readonly<Record<Examination["severity"], readonly string[]>>;
  readonly examinations: readonly Examination[];
}

async function diagnose(
  more: Readonly<Record<string, string>> = {},
  args: readonly string[] = ["--no-round-trip"],
): Promise<Diagnosed> {
  const result = await world.run("soar-backup-verify", ["doctor", "--json", ...args], {
    settings: { ...settings, ...more },
  });
  const examinations =
    result.stdout === "" ? [] : (JSON.parse(result.stdout) as { examinations: Examination[] }).examinations;
  const of = (severity: Examination["severity"]): string[] =>
    examinations.filter((one) => one.severity === severity).map(({ kind }) => kind);
  return {
    ...result,
    examinations,
    kinds: { ok: of("ok"), notice: of("notice"), warning: of("warning"), error: of("error") },
  };
}

/** One error, with what to do, and status 5. */
async function expectError(
  kind: string,
  { saying, advising }: { readonly saying: RegExp; readonly advising: RegExp },
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const found = await diagnose(more);
  const one = found.examinations.find((examination) => examination.kind === kind);
  expect(one, `${found.stdout}${found.stderr}`).toMatchObject({
    severity: "error",
    what: expect.stringMatching(saying) as string,
    advice: expect.stringMatching(advising) as string,
  });
  expect(found.status).toBe(5);
}

/** Of the bucket, by its owner. */
async function ownerSends(query: string, body: string): Promise<void> {
  const client = createS3TestClient({ ...world.s3, bucket: world.s3.bucket });
  const { status, text } = await client.send({
    method: body === "" ? "DELETE" : "PUT",
    query: { [query]: "" },
    ...(body === "" ? {} : { body, headers: { "content-md5": createHash("md5").update(body).digest("base64") } }),
  });
  client.close();
  expect(status, text).toBeLessThan(300);
}

/** As the command line of the provider sends such a document; names of lists become one element for each item. */
function asXml(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  return Object.entries(value)
    .map(([name, inner]: [string, unknown]) =>
      Array.isArray(inner)
        ? inner.map((item) => `<${name.slice(0, -1)}>${asXml(item)}</${name.slice(0, -1)}>`).join("")
        : `<${name}>${asXml(inner)}</${name}>`,
    )
    .join("");
}

test("a set-up that works: no errors, and a commit is seen to arrive in the bucket", async () => {
  const found = await diagnose({}, []);
  expect(found.kinds.error, found.stdout).toEqual([]);
  expect(found.status, found.stderr).toBe(0);
  expect(found.kinds.ok).toEqual(
    expect.arrayContaining([
      "server-version",
      "wal-level",
      "replication",
      "archive-command",
      "launcher",
      "env-file",
      "storage-objects",
      "conditional-put",
      "storage-parts",
      "storage-remove",
      "clock",
      "lifecycle",
      "key-limited",
      "repository-own",
      "backup-young",
      "window",
      "round-trip",
    ]),
  );
  // The test machine has no systemd, and a bucket without versions can be emptied by whoever has the key.
  expect(found.kinds.warning).toEqual(["versioning", "key-may-destroy"]);
  // Nothing of the probes is left.
  expect(
    [...world.s3.objects(world.s3.bucket).keys()]
      .filter((key) => key.includes("config/") && !key.includes("config/expired/"))
      .map((key) => key.split("/").at(-1)),
  ).toEqual(["backup-config.json"]);
});

test("at 80 columns it is readable, and --quiet leaves out what is well", async () => {
  const { stdout } = await world.run("soar-backup-verify", ["doctor", "--no-round-trip", "--quiet"], {
    settings: { ...settings, COLUMNS: "80" },
  });
  expect(stdout).toMatch(/^BUCKET$/m);
  expect(stdout).toMatch(/^WARN {3}versioning is off/m);
  expect(stdout).not.toMatch(/^ok /m);
  // Names and paths stay whole.
  for (const line of stdout.split("\n").filter((text) => text.length > 80)) expect(line.trim()).not.toContain(" ");
});

describe("each cause is named, with what to do:", () => {
  // A command that cannot be run ends PostgreSQL's archiver, which comes back some seconds later when something wakes the postmaster.
  afterEach(async () => {
    await world.cluster.configure({ synchronous_standby_names: "", archive_command: archiveCommand(world.envFile) });
    await waitUntil("nothing to wait for archiving", async () => {
      await world.cluster.query("SELECT pg_reload_conf()");
      const [row] = await world.cluster.query<{ count: number }>(
        "SELECT count(*)::int AS count FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'",
      );
      return row?.count === 0;
    });
  });

  test("a secret key that is wrong", () =>
    expectError(
      "store-denied",
      { saying: /secret key does not belong/, advising: /AWS_SECRET_ACCESS_KEY/ },
      { AWS_SECRET_ACCESS_KEY: "wrong" },
    ));

  test("an endpoint that cannot be reached", async () =>
    expectError(
      "store-unreachable",
      { saying: /nothing listens at/, advising: /Check host and port of the endpoint/ },
      { AWS_ENDPOINT_URL: `http://127.0.0.1:${await freePort()}` },
    ));

  test("a bucket that does not exist", () =>
    expectError(
      "bucket-missing",
      { saying: /there is no bucket 'elsewhere'/, advising: /create-bucket/ },
      { BACKUP_BUCKET: "s3://elsewhere/cluster1" },
    ));

  test("a server that does not run", async () =>
    expectError(
      "server-unreachable",
      { saying: /unable to connect/, advising: /that the server runs/ },
      { PGPORT: String(await freePort()) },
    ));

  test("a role that may not replicate", async () => {
    await world.cluster.query("CREATE ROLE watcher LOGIN IN ROLE pg_monitor");
    await expectError(
      "replication",
      { saying: /watcher/, advising: /ALTER ROLE watcher REPLICATION/ },
      { PGUSER: "watcher" },
    );
  });

  test("the specification's emergency measure, left in place", async () => {
    await world.cluster.configure({ archive_command: "/bin/true" });
    await expectError("archive-command-pretends", { saying: /is lost/, advising: /take a base backup at once/ });
  });

  test("an archive_command that fails", async () => {
    await world.cluster.configure({ archive_command: "false %p %f" });
    await world.cluster.query("SELECT pg_logical_emit_message(true, 'a', 'b')");
    await world.cluster.query("SELECT pg_switch_wal()");
    await expect
      .poll(
        async () =>
          (
            await world.cluster.query<{ failing: boolean }>(
              "SELECT last_failed_time > last_archived_time AS failing FROM pg_stat_archiver",
            )
          )[0]?.failing,
        { timeout: 20_000 },
      )
      .toBe(true);
    await expectError("archiving-failing", { saying: /archiving fails/, advising: /Never remove files from pg_wal/ });
  });

  test("a launcher that is not there", async () => {
    await world.cluster.configure({ archive_command: "/usr/local/lib/none/soar-wal-archive %p %f" });
    await expectError("launcher-broken", {
      saying: /does not exist/,
      advising: /npm install --global @soar\/wal-archiver/,
    });
  });

  test("an env file that the server's user may not read", requires("root"), async () => {
    chownSync(world.envFile, 0, 0);
    try {
      expect((await diagnose()).kinds.error).toEqual(["env-file-owner"]);
    } finally {
      chownSync(world.envFile, serverUser().uid, serverUser().gid);
    }
  });

  test("a setting that no PostgreSQL has", async () => {
    await world.cluster.configure({ log_archive_command: "on" });
    await expectError("configuration-invalid", { saying: /log_archive_command/, advising: /BACKUP_LOG_ARCHIVE=on/ });
    // The last line counts: the file without it is what every other test needs.
    await removeSetting("log_archive_command");
  });

  test("commits that wait for a standby that is gone; the doctor's own does not", async () => {
    await world.cluster.configure({ synchronous_standby_names: "soar" });
    await expect
      .poll(
        async () =>
          (await world.cluster.query<{ synchronous_standby_names: string }>("SHOW synchronous_standby_names"))[0]
            ?.synchronous_standby_names,
      )
      .toBe("soar");
    const found = await diagnose({}, ["--round-trip-timeout", "20s"]);
    expect(found.kinds.error).toEqual(["synchronous"]);
    expect(found.kinds.ok).toContain("round-trip");
  });

  test("a lifecycle rule that removes what a restore needs", async () => {
    await ownerSends(
      "lifecycle",
      "<LifecycleConfiguration><Rule><ID>delete-old-wal</ID><Filter><Prefix>cluster1/wal/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>30</Days></Expiration></Rule></LifecycleConfiguration>",
    );
    await expectError("lifecycle-removes-backups", {
      saying: /'delete-old-wal' removes objects under wal\//,
      advising: /Remove this rule/,
    });
    await ownerSends("lifecycle", "");
  });

  test("not the lifecycle rules that the lifecycle command prints, which the provider takes", async () => {
    const printed = await world.run("soar-backup-verify", ["lifecycle", "--retention-days", "45"]);
    expect(printed.status, printed.stderr).toBe(0);
    await ownerSends(
      "lifecycle",
      `<LifecycleConfiguration>${asXml(JSON.parse(printed.stdout))}</LifecycleConfiguration>`,
    );
    const found = await diagnose({ BACKUP_RETENTION_DAYS: "45" });
    expect(found.examinations.find(({ kind }) => kind === "lifecycle")).toMatchObject({
      severity: "ok",
      what: expect.stringContaining("2 lifecycle rules, none of them removes") as string,
    });
    expect([...found.kinds.notice, ...found.kinds.warning]).not.toContain("uploads-kept");
    await ownerSends("lifecycle", "");
  });

  test("a repository of another cluster", async () => {
    await using other = await createTestCluster({ installation: requireInstallation("pg_ctl"), fsync: true });
    await expectError(
      "repository-foreign",
      { saying: /belongs to another cluster/, advising: /prefix of its own/ },
      { PGHOST: other.connection.host, PGPORT: String(other.connection.port) },
    );
  });

  test("a segment that is missing, a backup that is old, an upload that never ended", async () => {
    const { cluster, s3 } = world;
    await archiveAll(cluster);
    const [gone] = [...s3.objects(s3.bucket).keys()].filter((key) => /wal\/[0-9A-F]{24}\.zst$/.test(key)).slice(-1);
    await cluster.query("SELECT pg_logical_emit_message(true, 'a', 'b')");
    await archiveAll(cluster);
    const client = createS3TestClient({ ...s3, bucket: s3.bucket });
    await client.send({ method: "DELETE", key: gone ?? "" });
    await client.send({ method: "POST", key: "cluster1/base/2020-01-05/backup.tar.gz", query: { uploads: "" } });
    client.close();
    const inNineDays = await libraryDoctor({ now: new Date(Date.now() + 9 * 86_400_000) });
    expect(inNineDays).toMatchObject({ "wal-hole": "error", "backup-old": "warning", "uploads-unfinished": "warning" });
    expect(await libraryDoctor({ now: new Date(Date.now() + 11 * 86_400_000) })).toMatchObject({
      "backup-old": "error",
    });
  });
});

/** Severity by kind. */
async function libraryDoctor(more: Pick<DoctorOptions, "now">): Promise<Record<string, string>> {
  const { s3, cluster } = world;
  const options: DoctorOptions = {
    store: {
      url: `s3://${s3.bucket}/cluster1`,
      endpoint: s3.endpoint,
      region: s3.region,
      credentials: s3,
      retry: false,
    },
    server: cluster.connection,
    policy: { windowDays: 30, minimumBackups: 4 },
    envFile: undefined,
    spoolDir: world.settings["BACKUP_SPOOL_DIR"] ?? "",
    tempDir: settings["BACKUP_TEMP_DIR"] ?? "",
    programs: undefined,
    searchPath: "",
    binDir: undefined,
    roundTripMs: undefined,
    signal: undefined,
    ...more,
  };
  const kinds: Record<string, string> = {};
  for await (const { kind, severity } of runDoctor(options)) kinds[kind] = severity;
  return kinds;
}

async function removeSetting(name: string): Promise<void> {
  const { readFile, writeFile } = await import("node:fs/promises");
  const path = join(world.cluster.dataDir, "postgresql.conf");
  const lines = (await readFile(path, "utf8")).split("\n");
  await writeFile(path, lines.filter((line) => !line.startsWith(name)).join("\n"));
  await world.cluster.query("SELECT pg_reload_conf()");
}
