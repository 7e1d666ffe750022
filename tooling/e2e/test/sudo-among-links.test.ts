// @module-tag needs-root
// @module-tag needs-debian
import { createHash } from "node:crypto";
import { chownSync, writeFileSync } from "node:fs";
import { packServerConfig } from "@soar/backup";
import { BACKUP_OBJECTS, backupKey, type BackupRecord, listBackupRecords, putBackupRecord } from "@soar/repository";
import { type ObjectStore, openStore } from "@soar/storage";
import { type S3TestServer, startS3Server } from "@soar-tooling/s3-server";
import { type ProgramResult, serverUser } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createDebianHost, DATA_DIRECTORY, type DebianHost } from "../src/debian-host.ts";
import { keepObjects } from "../src/keep-objects.ts";
import { digestOutside, type Kind, OUTPUT, plantEverywhere, putRight, ROOTS, SECRET, THEIRS } from "../src/planted.ts";

let host: DebianHost;
let s3: S3TestServer;
let store: ObjectStore;
let putBackObjects: () => Promise<void>;

beforeAll(async () => {
  host = await createDebianHost();
  s3 = await startS3Server({ bucket: "soar-backup" });
  const settings = {
    BACKUP_BUCKET: "s3://soar-backup/cluster1",
    BACKUP_LOG_DIR: "/var/log/soar",
    AWS_ENDPOINT_URL: s3.endpoint,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    AWS_DEFAULT_REGION: s3.region,
    PGPORT: String(host.port),
    PGUSER: "postgres",
  };
  const lines = Object.entries(settings).map(([name, value]) => `export ${name}="${value}"\n`);
  writeFileSync(host.path("/etc/soar/backup-env"), lines.join(""), { mode: 0o600 });
  chownSync(host.path("/etc/soar/backup-env"), serverUser().uid, serverUser().gid);
  await asRoot(
    `install -d -o postgres -g postgres -m 700 /srv/fast; mkdir -p ${ROOTS.directory}; chmod 711 /srv/root
    echo '${SECRET}' > ${ROOTS.file}; chmod 600 ${ROOTS.file}; echo '${SECRET}' > ${ROOTS.directory}/1259
    printf 'archive_mode = on\\narchive_command = \\047/usr/local/bin/soar-wal-archive %%p %%f\\047\\n' > /etc/postgresql/15/main/conf.d/soar.conf
    pg_ctlcluster 15 main restart`,
  );
  await host.psql("CREATE TABLESPACE fast LOCATION '/srv/fast'");
  await host.psql("CREATE TABLE rows TABLESPACE fast AS SELECT generate_series(1, 1000) AS n");
  for (const words of [["soar-base-backup"], ["soar-backup-verify"], ["soar-backup-verify", "drill"]]) {
    const { status, stderr } = await host.sudo(words);
    if (status !== 0) throw new Error(stderr);
  }
  await asRoot(`pg_ctlcluster 15 main stop; mkdir -m 700 /srv/kept; cp -a --parents ${THEIRS.join(" ")} /srv/kept`);
  store = openStore({ url: settings.BACKUP_BUCKET, endpoint: s3.endpoint, region: s3.region, credentials: s3 });
  putBackObjects = await keepObjects(store);
}, 240_000);
afterAll(async () => {
  await host[Symbol.asyncDispose]();
  await store.close();
  await s3.close();
});

async function asRoot(script: string): Promise<void> {
  const { status, stdout, stderr } = await host.sudo(["sh", "-c", script]);
  if (status !== 0) throw new Error(stdout + stderr);
}

/**
 * Cluster and bucket as they were when the cluster had been stopped. A test leaves a server that is killed with WAL that it had
 * not archived, and the next restore takes that from its disk: once the disk is gone, too, the bucket lacks it for good, in front
 * of the timeline that was begun behind it.
 */
beforeEach(async () => {
  await asRoot(
    `pg_ctlcluster 15 main stop -m immediate 2>/dev/null; rm -rf /srv/fast.* ${OUTPUT}
    for path in ${THEIRS.join(" ")}; do find $path -mindepth 1 -delete; cp -a /srv/kept$path/. $path/; done`,
  );
  await putBackObjects();
});

const IN_PLACE = ["soar-restore", "--latest", "--yes"];
const DELTA = [...IN_PLACE, "--delta", "--discard-old-data"];
const WITH_CONFIG = [...IN_PLACE, "--with-config"];
const DISCARD = ["soar-restore", "discard-old", "--yes", "--data-dir", DATA_DIRECTORY];
const FROM = ["--database", "postgres", "--latest", "--yes"];
const TABLE = ["soar-restore", "table", ...FROM, "--output", OUTPUT, "public.rows"];
const DATABASE = ["soar-restore", "database", ...FROM, "--target-database", "copy"];
const BACKUP = ["soar-base-backup", "take", "--method", "files"];
const DRILL = ["soar-backup-verify", "drill"];
const VERIFY = ["soar-backup-verify"];
const DOCTOR = ["soar-backup-verify", "doctor"];

/** Refusals that an operator can put right, one after the other. */
const MOST_REFUSALS = 12;

/** Runs a program as root until it has done its work, and removes what it refuses. It changes and tells nothing of root's, whatever it does. */
async function runAmong(planted: Set<string>, words: readonly string[], before: string[]): Promise<ProgramResult> {
  for (let refusals = 0; ; refusals += 1) {
    const result = await host.sudo(words);
    const said = `${words.join(" ")}\n${result.stdout}${result.stderr}`;
    expect(digestOutside(host), said).toEqual(before);
    expect(said).not.toContain(SECRET);
    // Nobody waits for the other end of a pipe: the host ends what takes a minute.
    expect(result.status, said).not.toBe(null);
    const refusal = /^error: .*$/ms.exec(result.stderr)?.[0] ?? "";
    const named = [...planted].filter((place) => refusal.includes(place));
    const place = named.toSorted((a, b) => b.length - a.length)[0];
    if (result.status === 0 || place === undefined || refusals === MOST_REFUSALS) return result;
    putRight(host, place);
    planted.delete(place);
  }
}

describe("sudo, where the server's user has put something in every directory of its own, changes nothing else:", () => {
  test.each<[Kind, readonly (readonly string[])[]]>([
    ["a link to a file", [IN_PLACE, WITH_CONFIG, DISCARD]],
    ["a link to a directory", [DELTA, TABLE, DRILL]],
    ["a link to nothing", [WITH_CONFIG, BACKUP, VERIFY]],
    ["another name of a file", [DELTA, DATABASE]],
    ["a pipe", [["soar-restore", "plan", "--latest"], IN_PLACE, DOCTOR]],
  ])("%s", { timeout: 240_000 }, async (kind, commands) => {
    const planted = plantEverywhere(host, kind);
    const before = digestOutside(host);
    for (const words of commands) {
      const { status, stderr } = await runAmong(planted, words, before);
      expect([0, 5, 6], `${words.join(" ")}\n${stderr}`).toContain(status);
    }
    expect(await host.psql("SELECT count(*) FROM rows")).toBe("1000");
  });
});

/** One after the other, so that each is right again for a moment, and a run comes as far as to where it writes there. */
const EXCHANGED: readonly (readonly [string, readonly string[], readonly (readonly string[])[]])[] = [
  [
    "directories of the cluster",
    ["base/1", "base/5", "pg_xact"].map((name) => `${DATA_DIRECTORY}/${name}`),
    [DELTA, IN_PLACE],
  ],
  [
    "its own places",
    ["/var/lib/soar/backup-temp", "/var/lib/soar/drill", "/etc/postgresql/15/main/conf.d"],
    [TABLE, DRILL, WITH_CONFIG],
  ],
  [
    "the data directory, and what lies beside it",
    [DATA_DIRECTORY, `${DATA_DIRECTORY}/soar-restore`, "/srv/fast/PG_15_202209061"],
    [IN_PLACE, DISCARD, DELTA],
  ],
];

test.each(EXCHANGED)(
  "sudo changes nothing else while the server's user exchanges %s for links",
  { timeout: 240_000 },
  async (_, places, commands) => {
    const before = digestOutside(host);
    const swaps = places.map((place) => `swap '${place}'`).join("; ");
    const attacker = host.startAsPostgres(
      `swap() { mv "$1" "$1.x" && ln -s ${ROOTS.directory} "$1" && rm "$1"; mv "$1.x" "$1"; }; while :; do ${swaps}; done 2>/dev/null`,
    );
    try {
      for (const words of commands) {
        const { status, stdout, stderr } = await host.sudo(words);
        const said = `${words.join(" ")}\n${stdout}${stderr}`;
        expect(digestOutside(host), said).toEqual(before);
        expect(said).not.toContain(SECRET);
        expect(status, said).not.toBe(null);
      }
    } finally {
      attacker.kill("SIGKILL");
      await attacker.result;
    }
  },
);

describe("sudo is led nowhere", () => {
  test("by a repository whose saved configuration names files of the system's", { timeout: 120_000 }, async () => {
    const record = (await listBackupRecords(store)).at(-1);
    if (record === undefined) throw new Error("there is no backup");
    const config = "/etc/cron.d/planted";
    const conf = `include '${config}'\ninclude '/etc/postgresql/15/main/../../../planted.conf'\ninclude '${ROOTS.file}'\n`;
    const files = [
      ["/etc/postgresql/15/main/postgresql.conf", conf],
      [config, "* * * * * root id"],
      ["/etc/postgresql/15/main/../../../planted.conf", "planted"],
      [ROOTS.file, "planted"],
    ].map(([path = "", text = ""]) => ({ path, content: Buffer.from(text) }));
    const before = digestOutside(host);
    await replaceConfig(record, packServerConfig(files, new Date()));
    const { status, stderr } = await host.sudo(WITH_CONFIG);
    expect(digestOutside(host), stderr).toEqual(before);
    expect(status, stderr).toBe(21);
    expect(stderr).toContain("belongs to user 0");
  });
});

async function replaceConfig(record: BackupRecord, bytes: Buffer): Promise<void> {
  const key = backupKey(record.label, BACKUP_OBJECTS.serverConfig);
  await store.remove([key, backupKey(record.label, BACKUP_OBJECTS.record)]);
  await store.put(key, bytes);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const objects = record.objects.map((one) =>
    one.name === BACKUP_OBJECTS.serverConfig ? { name: one.name, size: bytes.length, sha256 } : one,
  );
  await putBackupRecord(store, { ...record, objects });
}
