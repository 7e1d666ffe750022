import { createHash } from "node:crypto";
import { chownSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createTestCluster, requireInstallation } from "@soar-tooling/postgres-clusters";
import { createS3TestClient, type FaultRule } from "@soar-tooling/s3-server";
import { serverUser } from "@soar-tooling/test-bench";
import { claimLabel } from "@soar/repository/markers";
import { openStore } from "@soar/storage";
import { runDoctor, type DoctorOptions, type Examination } from "@soar/verify";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { saying } from "../src/doctor-findings.ts";
import { archiveCommand, createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

// The causes that the specification's troubleshooting names, under its headings. Those that doctor.test.ts shows already:
// credentials, network, a server that does not accept connections, WAL that is missing, backups that are old, uploads that never ended. What
// systemd says is in doctor-schedule.test.ts of the app, disks and programs in examine-machine.test.ts of the library.

const installation = requireInstallation();
let world: SoarWorld;

beforeAll(async () => {
  world = await createSoarWorld({ installation, fsync: true, initdbArgs: ["--wal-segsize=1", "--data-checksums"] });
  for (const label of ["2025-01-05", "2025-01-12"]) {
    const backup = await world.run("soar-base-backup", ["--label", label, "--no-expire"]);
    if (backup.status !== 0) throw new Error(backup.stderr);
    await archiveAll(world.cluster);
  }
});
afterAll(() => world[Symbol.asyncDispose]());
afterEach(() => world.s3.clearFaults());

async function examine(more: Partial<DoctorOptions> = {}): Promise<Examination[]> {
  const { s3, cluster, settings, directory } = world;
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
    envFile: world.envFile,
    spoolDir: settings["BACKUP_SPOOL_DIR"] ?? "",
    tempDir: directory,
    programs: undefined,
    searchPath: "",
    binDir: installation.binDir,
    roundTripMs: undefined,
    now: new Date(),
    signal: undefined,
    ...more,
  };
  return await Array.fromAsync(runDoctor(options));
}

/** The one finding of a kind. */
async function find(kind: string, more: Partial<DoctorOptions> = {}): Promise<Examination | undefined> {
  const seen = (await examine(more)).filter((one) => one.kind === kind);
  expect(seen.length, kind).toBeLessThanOrEqual(1);
  return seen[0];
}

/** Of the bucket, by its owner. */
async function ownerPuts(query: string, body: string): Promise<void> {
  const client = createS3TestClient({ ...world.s3, bucket: world.s3.bucket });
  const { status, text } = await client.send({
    method: "PUT",
    query: { [query]: "" },
    body,
    headers: { "content-md5": createHash("md5").update(body).digest("base64") },
  });
  client.close();
  expect(status, text).toBeLessThan(300);
}

test("none of them is found where nothing is wrong", async () => {
  expect((await examine()).filter(({ severity }) => severity === "error")).toEqual([]);
});

describe("Archive Command Failing", () => {
  test("insufficient permissions: the key may not put", async () => {
    const { s3 } = world;
    const readOnly = { accessKeyId: "READONLY", secretAccessKey: "secret", deny: ["s3:PutObject"] };
    s3.addCredential(readOnly);
    const store = {
      url: `s3://${s3.bucket}/cluster1`,
      endpoint: s3.endpoint,
      region: s3.region,
      credentials: readOnly,
      retry: false,
    } as const;
    expect(await find("store-denied", { store })).toMatchObject(
      saying("error", /s3:PutObject|denied|refused/i, /policy|PutObject|permission/i),
    );
  });

  test("disk full on destination: the provider's quota", async () => {
    const full: FaultRule = {
      operation: "PutObject",
      times: "always",
      fault: {
        type: "error",
        status: 403,
        code: "QuotaExceeded",
        message: "Your request was denied due to quota exceeded.",
      },
    };
    world.s3.inject(full);
    expect(await find("store-quota")).toMatchObject(saying("error", /quota/i, /Raise the limit/));
  });

  test("pg_wal grows: more waits than a healthy archiver leaves", async () => {
    const [held, command] = [join(world.directory, "held"), archiveCommand(world.envFile)];
    writeFileSync(held, "");
    await world.cluster.configure({ archive_command: `while [ -e ${held} ]; do sleep 0.1; done; ${command}` });
    for (let n = 0; n < 22; n += 1) {
      await world.cluster.query("SELECT pg_logical_emit_message(true, 'a', 'b')");
      await world.cluster.query("SELECT pg_switch_wal()");
    }
    expect(await find("archiving-behind")).toMatchObject(
      saying("warning", /\d\d files wait/, /soar-wal-archive daemon/),
    );
    rmSync(held);
    await world.cluster.configure({ archive_command: command });
    await archiveAll(world.cluster);
  });
});

describe("Restore Failing", () => {
  test("corrupted backup: an object that is not what was stored", async () => {
    const { s3 } = world;
    const key = "cluster1/base/2025-01-05/backup.tar.gz";
    const store = openStore({ url: `s3://${s3.bucket}`, endpoint: s3.endpoint, region: s3.region, credentials: s3 });
    await store.remove([key]);
    const advice = /soar-backup-verify; soar-base-backup\. Until then an older backup/;
    expect(await find("backup-damaged")).toMatchObject(
      saying("error", /^backup 2025-01-05: 'backup\.tar\.gz' is missing$/, advice),
    );
    await store.put(key, Buffer.from("short"));
    expect(await find("backup-damaged")).toMatchObject(
      saying("error", /'backup\.tar\.gz' has 5 bytes, \d+ were stored/, advice),
    );
    await store.close();
  });

  test("incorrect recovery settings: a target that an earlier recovery left", async () => {
    await using other = await createTestCluster({
      installation,
      settings: { recovery_target_time: "2025-01-10 14:25:00+00" },
    });
    expect(await find("recovery-target-left", { server: other.connection })).toMatchObject(
      saying(
        "warning",
        /recovery_target_time; the next recovery would stop there/,
        /ALTER SYSTEM RESET recovery_target_time;/,
      ),
    );
  });
});

describe("High Cloud Storage Costs", () => {
  test("what nothing needs is kept: backups and WAL that did not expire, and backups that failed", async () => {
    const { s3 } = world;
    const store = openStore({
      url: `s3://${s3.bucket}/cluster1`,
      endpoint: s3.endpoint,
      region: s3.region,
      credentials: s3,
    });
    // Nothing is proved to be older than the newest object, so it is the window that has to be short.
    const policy = { windowDays: 0, minimumBackups: 1 };
    const due = /soar-base-backup expire --dry-run/;
    expect(await find("expiry-due", { policy })).toMatchObject(
      saying("warning", /^1 backups and [1-9]\d* WAL files are kept and billed/, due),
    );
    await claimLabel(store, {
      format: 1,
      label: "2025-01-19",
      host: "gone",
      processId: 1,
      startedAt: "2025-01-19T02:00:00.000Z",
      deadline: "2025-01-21T02:00:00.000Z",
      references: [],
    });
    expect(await find("expiry-due", { policy })).toMatchObject(saying("warning", /^2 backups and/, due));
    await store.close();
  });

  test("versions of removed objects are kept for ever, until a rule removes them", async () => {
    await ownerPuts("versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>");
    expect(await find("noncurrent-versions")).toMatchObject(
      saying("warning", /no rule ever removes them/, /NoncurrentVersionExpiration/),
    );
    await ownerPuts(
      "lifecycle",
      "<LifecycleConfiguration><Rule><ID>old-versions</ID><Filter><Prefix></Prefix></Filter><Status>Enabled</Status><NoncurrentVersionExpiration><NoncurrentDays>7</NoncurrentDays></NoncurrentVersionExpiration></Rule></LifecycleConfiguration>",
    );
    expect(await find("noncurrent-versions")).toBeUndefined();
  });
});

test("a key that may not list uploads is told so, and hides nothing else", async () => {
  const { s3 } = world;
  const narrow = { accessKeyId: "NARROW", secretAccessKey: "secret", deny: ["s3:ListBucketMultipartUploads"] };
  s3.addCredential(narrow);
  const store = {
    url: `s3://${s3.bucket}/cluster1`,
    endpoint: s3.endpoint,
    region: s3.region,
    credentials: narrow,
    retry: false,
  } as const;
  const seen = await examine({ store });
  expect(seen.filter(({ severity }) => severity === "error").map(({ kind }) => kind)).not.toContain("store-denied");
  expect(seen.find(({ kind }) => kind === "uploads-unseen")).toMatchObject(
    saying("notice", /cannot be told/, /s3:ListBucketMultipartUploads/),
  );
});

test("Cannot Connect During Restore: the server is in recovery, and how far", async () => {
  await using other = await createTestCluster({ installation });
  await other.stop();
  const signal = join(other.dataDir, "standby.signal");
  writeFileSync(signal, "", { mode: 0o600 });
  chownSync(signal, serverUser().uid, serverUser().gid);
  await other.start();
  expect(await find("in-recovery", { server: other.connection })).toMatchObject(
    saying("notice", /in recovery, replayed to [0-9A-F]+\/[0-9A-F]+/, /soar-restore status/),
  );
});
