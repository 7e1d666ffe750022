import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { requireMajor } from "@soar/pg-tools/majors";
import { connectSql } from "@soar/pg-tools/replication";
import {
  createTestCluster,
  postgresMajors,
  requireInstallation,
  type TestCluster,
} from "@soar-tooling/postgres-clusters";
import { afterEach, expect, test } from "vitest";
import { leftOutAmong } from "../src/follow-includes.ts";
import { readServerConfig } from "../src/server-config.ts";

let cluster: TestCluster;
afterEach(() => cluster.remove());

function put(path: string, text: string | Buffer): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  for (const one of [dirname(path), path]) chownSync(one, cluster.owner.uid, cluster.owner.gid);
}

const append = (path: string, text: string): void => put(path, `${readFileSync(path, "utf8")}${text}`);

test.each(postgresMajors())(
  "PostgreSQL $major: lists that access rules name, and included files of which no line means anything, are kept; what cannot be is told",
  async (installation) => {
    cluster = await createTestCluster({ installation });
    const etc = cluster.tablespaceDir("etc");
    const inData = (name: string): string => join(cluster.dataDir, name);
    append(
      inData("pg_hba.conf"),
      `local @${etc}/dbs,all @"${etc}/some users",+none,"@me" peer\nlocal all @${etc}/secret,@beside reject\n`,
    );
    append(inData("pg_ident.conf"), `admins @${etc}/system postgres\n`);
    append(inData("postgresql.conf"), `include '${etc}/empty.conf'\ninclude_if_exists '${etc}/never.conf'\n`);
    const files = {
      [join(etc, "dbs")]: "soar\n",
      [join(etc, "some users")]: `alice, bob # @nobody\n@deeper/more\n@${etc}/gone\n`,
      [join(etc, "deeper", "more")]: "carol\n",
      [join(etc, "system")]: "root\n",
      [join(etc, "empty.conf")]: "# nothing\n",
      [inData("beside")]: "dora\n",
    };
    for (const [path, text] of Object.entries(files)) put(path, text);
    put(join(etc, "secret"), "eve\n");
    chownSync(join(etc, "secret"), 0, 0);
    chmodSync(join(etc, "secret"), 0o600);
    await using sql = await connectSql(cluster.connection);
    await sql.query("SELECT pg_reload_conf()");
    const { files: kept, leftOut } = await readServerConfig(sql);
    const texts = Object.fromEntries(kept.map(({ path, content }) => [path, content.toString("utf8")]));
    expect(texts).toMatchObject(files);
    expect(Object.keys(texts)).toHaveLength(
      Object.keys(files).length +
        1 +
        requireMajor(installation.major).accessFileSettings.length +
        (texts[inData("postgresql.auto.conf")] === undefined ? 0 : 1),
    );
    expect(leftOut).toHaveLength(2);
    expect(leftOut).toEqual(
      expect.arrayContaining([
        `'${etc}/gone', which '${etc}/some users' names, is in no backup: it is not there`,
        expect.stringMatching(/secret', which '.*\/pg_hba\.conf' names, is in no backup: .*[Pp]ermission denied/),
      ]),
    );
    expect(await sql.query("SELECT 1 AS one")).toEqual([{ one: 1 }]);
  },
);

test("a list that is too large, a chain that is too long and a name that nobody can ask for end no backup", async () => {
  cluster = await createTestCluster({ installation: requireInstallation() });
  const etc = cluster.tablespaceDir("etc");
  const hba = join(cluster.dataDir, "pg_hba.conf");
  put(join(etc, "large"), Buffer.alloc(16 * 1024 * 1024 + 1, "a\n"));
  put(join(etc, "round"), "@round @turn\n");
  put(join(etc, "turn"), "@round\n");
  for (let n = 0; n < 14; n += 1) put(join(etc, `chain-${n}`), `user${n}\n@chain-${n + 1}\n`);
  put(
    hba,
    Buffer.concat([
      readFileSync(hba),
      Buffer.from(
        `# local @${etc}/no @no peer\nlocal all @${etc}/chain-0,@${etc}/round,@${etc}/large,@caf\xe9 reject\n`,
        "latin1",
      ),
    ]),
  );
  await using sql = await connectSql(cluster.connection);
  const { files, leftOut } = await readServerConfig(sql);
  const names = files.flatMap(({ path }) => (/chain|round|turn/.test(path) ? [path] : []));
  expect(names).toHaveLength(12);
  expect(leftOut).toHaveLength(3);
  expect(leftOut).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/large', .* is in no backup: such files have more than 16777216 bytes$/),
      expect.stringMatching(
        /chain-10', which '.*chain-9' names, is in no backup: it is named by a chain of more than 10 files$/,
      ),
      expect.stringMatching(/ is in no backup: its name is no UTF-8$/),
    ]),
  );
});

test("of many lists that are not there the first are told, and how many more, and a backup that passes them on tells them, too", async () => {
  cluster = await createTestCluster({ installation: requireInstallation() });
  const names = Array.from({ length: 1500 }, (_, index) => `@gone${index}`);
  append(join(cluster.dataDir, "pg_hba.conf"), `local all ${names.join(",")} reject\n`);
  await using sql = await connectSql({ host: cluster.socketDir, port: cluster.port, user: "postgres" });
  const { leftOut } = await readServerConfig(sql);
  expect(leftOut).toHaveLength(21);
  expect(leftOut[0]).toMatch(/gone0', which '.*pg_hba\.conf' names, is in no backup: it is not there$/);
  expect(leftOut.at(-1)).toBe("1480 more files that the configuration names are in no backup");
  expect(leftOutAmong(["the server said something", ...leftOut])).toEqual(leftOut);
});
