import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { sampleRecord } from "@soar-tooling/sample-repository";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bringConfig } from "./bring-config.ts";
import { legalFiles } from "./legal-files.ts";

let copy: string;
beforeEach(() => {
  copy = mkdtempSync(join(tmpdir(), "soar-bring-"));
});
afterEach(() => rmSync(copy, { recursive: true }));

const DATA = "/srv/source";
const ETC = "/etc/soar-test/15/main";

/** Brings these files, by their paths on the source, and resolves to what was written. */
async function bring(
  files: Readonly<Record<string, string>>,
  { etc = DATA, isWhole = false, replacesLinks = false, leftOut = [] as string[] } = {},
): Promise<string[]> {
  const record = sampleRecord({});
  const backup = {
    ...record,
    leftOut,
    source: { ...record.source, dataDirectory: DATA },
    settings: {
      config_file: `${etc}/postgresql.conf`,
      hba_file: `${etc}/pg_hba.conf`,
      ident_file: `${etc}/pg_ident.conf`,
    },
  };
  const saved = legalFiles(
    new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text, "latin1")])),
    backup,
  );
  return await bringConfig(saved, backup, { dataDir: copy, owner: undefined, isWhole, replacesLinks });
}

const inCopy = (path: string): string => readFileSync(join(copy, path), "latin1");
const put = (path: string, text: string): void => {
  mkdirSync(dirname(join(copy, path)), { recursive: true });
  writeFileSync(join(copy, path), text);
};

test("a configuration that lay outside of the data directory comes with everything that it includes, from wherever", async () => {
  const conf = [
    "port = 5433 # caf\xe9",
    "include 'beside.conf'",
    "include_dir = conf.d",
    "include_if_exists '../common/shared.conf'",
    "include '/opt/absolute'",
    "include_dir '/opt/conf.d'",
    "include_dir 'empty.d'",
    "include_dir '/opt/soar-test-empty.d'",
    "include_dir '../nothing.d'",
    "external_pid_file = '/run/15.pid'",
    "",
  ].join("\n");
  await bring(
    {
      [`${ETC}/postgresql.conf`]: conf,
      [`${ETC}/pg_hba.conf`]: 'include "more_hba.conf"\n',
      [`${ETC}/more_hba.conf`]: "local all all peer\n",
      [`${ETC}/beside.conf`]: "include 'postgresql.auto.conf'\n",
      [`${ETC}/postgresql.auto.conf`]: "work_mem = 1MB\n",
      [`${ETC}/conf.d/1.conf`]: "",
      "/etc/soar-test/15/common/shared.conf": "include 'other'\n",
      "/etc/soar-test/15/common/other": "work_mem = 2MB\n",
      "/opt/absolute": "",
      "/opt/conf.d/2.conf": "",
    },
    { etc: ETC, isWhole: true },
  );
  const kept = join(copy, "soar-configuration");
  expect(inCopy("postgresql.conf")).toBe(
    [
      "port = 5433 # caf\xe9",
      "include 'beside.conf'",
      "include_dir = conf.d",
      `include_if_exists '${kept}/etc/soar-test/15/common/shared.conf'`,
      `include '${kept}/opt/absolute'`,
      `include_dir '${kept}/opt/conf.d'`,
      "include_dir 'empty.d'",
      `include_dir '${kept}/opt/soar-test-empty.d'`,
      "#include_dir '../nothing.d'",
      "#external_pid_file = '/run/15.pid'",
      "# soar: where this copy differs from the server that was backed up",
      `data_directory = '${copy}'`,
      `hba_file = '${copy}/pg_hba.conf'`,
      "",
    ].join("\n"),
  );
  expect(inCopy("pg_hba.conf")).toBe('include "more_hba.conf"\n');
  expect(inCopy("more_hba.conf")).toBe("local all all peer\n");
  expect(inCopy("conf.d/1.conf")).toBe("");
  // Not in the place of what ALTER SYSTEM writes.
  expect(inCopy("beside.conf")).toBe(`include '${kept}${ETC}/postgresql.auto.conf'\n`);
  expect(inCopy("soar-configuration/etc/soar-test/15/common/shared.conf")).toBe("include 'other'\n");
  for (const directory of ["empty.d", "soar-configuration/opt/soar-test-empty.d"])
    expect(statSync(join(copy, directory)).isDirectory()).toBe(true);
});

test("what was brought once is the copy's own: what an operator edits between two runs stays, and only what is absent comes again", async () => {
  const files = {
    [`${ETC}/postgresql.conf`]: "port = 5433\ninclude_dir = conf.d\ninclude '/opt/absolute'\n",
    [`${ETC}/pg_hba.conf`]: "local all all peer\n",
    [`${ETC}/pg_ident.conf`]: "a b c\n",
    [`${ETC}/conf.d/1.conf`]: "",
    "/opt/absolute": "",
  };
  await bring(files, { etc: ETC, isWhole: true });
  const edited = `${inCopy("postgresql.conf").replace(/^hba_file.*$/m, "hba_file = '/opt/soar-test-rules'")}port = 5499\n`;
  put("postgresql.conf", edited);
  put("pg_hba.conf", "local all all trust\n");
  put("conf.d/1.conf", "work_mem = 1MB\n");
  put("soar-configuration/opt/absolute", "work_mem = 2MB\n");
  rmSync(join(copy, "pg_ident.conf"));
  expect(await bring(files, { etc: ETC })).toEqual(["pg_ident.conf"]);
  expect(inCopy("postgresql.conf")).toBe(edited);
  expect(inCopy("pg_hba.conf")).toBe("local all all trust\n");
  expect(inCopy("conf.d/1.conf")).toBe("work_mem = 1MB\n");
  expect(inCopy("soar-configuration/opt/absolute")).toBe("work_mem = 2MB\n");
});

test("what came with the data stays, and includes what is brought beside it; twice changes nothing", async () => {
  const conf = "include 'own.conf'\ninclude '/srv/source/nested/x.conf'\ninclude '/opt/absolute'\nport = 1 # caf\xe9\n";
  const files = {
    [`${DATA}/postgresql.conf`]: conf,
    [`${DATA}/own.conf`]: "# of the backup\n",
    [`${DATA}/pg_hba.conf`]: "local all all peer\n",
    [`${DATA}/nested/x.conf`]: "include_dir 'd'\n",
    "/opt/absolute": "work_mem = 1MB\n",
  };
  put("postgresql.conf", "");
  writeFileSync(join(copy, "postgresql.conf"), conf, "latin1");
  put("own.conf", "# of the data\n");
  expect((await bring(files)).toSorted()).toEqual(["nested/x.conf", "pg_hba.conf", "soar-configuration/opt/absolute"]);
  const text = inCopy("postgresql.conf");
  expect(text).toBe(
    `include 'own.conf'\ninclude '${copy}/nested/x.conf'\ninclude '${copy}/soar-configuration/opt/absolute'\nport = 1 # caf\xe9\n`,
  );
  expect(inCopy("own.conf")).toBe("# of the data\n");
  expect(existsSync(join(copy, "nested/d"))).toBe(true);
  await bring(files);
  expect(inCopy("postgresql.conf")).toBe(text);
});

test("links that lead to something are the administrator's; those that lead nowhere make room for what was saved", async () => {
  const files = {
    [`${DATA}/postgresql.conf`]: "include_dir 'there'\ninclude_dir 'gone'\n",
    [`${DATA}/there/1.conf`]: "port = 1\n",
    [`${DATA}/gone/2.conf`]: "work_mem = 2MB\n",
  };
  put("postgresql.conf", "include_dir 'there'\ninclude_dir 'gone'\n");
  put("elsewhere/1.conf", "port = 2\n");
  symlinkSync(join(copy, "elsewhere"), join(copy, "there"));
  symlinkSync(join(copy, "nowhere"), join(copy, "gone"));
  expect(await bring(files, { leftOut: ["there", "gone"] })).toEqual(["gone/2.conf"]);
  expect(inCopy("there/1.conf")).toBe("port = 2\n");
  expect(inCopy("gone/2.conf")).toBe("work_mem = 2MB\n");
  expect(await bring(files, { leftOut: ["there", "gone"], replacesLinks: true })).toEqual(["there/1.conf"]);
  expect(inCopy("there/1.conf")).toBe("port = 1\n");
  expect(inCopy("elsewhere/1.conf")).toBe("port = 2\n");
});

test("access rules that lay elsewhere, and are not on this host, are named in the postgresql.conf that came with the data", async () => {
  const record = sampleRecord({});
  const backup = {
    ...record,
    source: { ...record.source, dataDirectory: DATA },
    settings: { config_file: `${DATA}/postgresql.conf`, hba_file: "/opt/soar-test/rules" },
  };
  put("postgresql.conf", "hba_file = '/opt/soar-test/rules'\n");
  const saved = new Map([["/opt/soar-test/rules", Buffer.from("local all all peer\n")]]);
  await bringConfig(saved, backup, { dataDir: copy, owner: undefined, isWhole: false, replacesLinks: false });
  expect(inCopy("rules")).toBe("local all all peer\n");
  expect(inCopy("postgresql.conf")).toMatch(new RegExp(`\nhba_file = '${copy}/rules'\n$`));
  put("rules", "local all all trust\n");
  expect(
    await bringConfig(saved, backup, { dataDir: copy, owner: undefined, isWhole: false, replacesLinks: false }),
  ).toEqual([]);
  expect(inCopy("rules")).toBe("local all all trust\n");
});

test("lists that access rules name come with them, from wherever, and are found there, also by each other", async () => {
  const files = {
    [`${ETC}/postgresql.conf`]: "",
    [`${ETC}/pg_hba.conf`]:
      'local @/opt/soar-test-dbs,all @users,"@me" md5\nlocal all @"/opt/my users" peer # @/opt/no\ninclude more\n',
    [`${ETC}/pg_ident.conf`]: "admins @../soar-test-system postgres\n",
    [`${ETC}/users`]: "alice, bob\n@/opt/soar-test-more\n",
    [`${ETC}/more`]: "local all @users md5\n",
    "/opt/soar-test-dbs": "soar\n",
    "/opt/my users": "carol caf\xe9\n",
    "/opt/soar-test-more": "@soar-test-dbs\n",
    "/etc/soar-test/15/soar-test-system": "root\n",
    "/opt/no": "",
    "/opt/soar-test-stranger": "not named",
  };
  await bring(files, { etc: ETC, isWhole: true });
  const kept = join(copy, "soar-configuration");
  expect(inCopy("pg_hba.conf")).toBe(
    `local @"${kept}/opt/soar-test-dbs",all @users,"@me" md5\nlocal all @"${kept}/opt/my users" peer # @/opt/no\ninclude more\n`,
  );
  expect(inCopy("pg_ident.conf")).toBe(`admins @"${kept}/etc/soar-test/15/soar-test-system" postgres\n`);
  expect(inCopy("users")).toBe(`alice, bob\n@"${kept}/opt/soar-test-more"\n`);
  expect(inCopy("soar-configuration/opt/soar-test-more")).toBe("@soar-test-dbs\n");
  expect(inCopy("soar-configuration/opt/my users")).toBe("carol caf\xe9\n");
  expect(existsSync(join(kept, "opt/no"))).toBe(false);
  expect(existsSync(join(kept, "opt/soar-test-stranger"))).toBe(false);
});

test("rules that came with the data find the lists that lay elsewhere; twice changes nothing", async () => {
  const hba = "local all @/opt/soar-test-users,@beside md5\ninclude /opt/soar-test-rules\n";
  const files = {
    [`${DATA}/postgresql.conf`]: "",
    [`${DATA}/pg_hba.conf`]: hba,
    [`${DATA}/beside`]: "bob\n",
    "/opt/soar-test-users": "alice\n",
    "/opt/soar-test-rules": "local all all reject\n",
  };
  put("postgresql.conf", "");
  put("pg_hba.conf", hba);
  put("beside", "bob\n");
  const kept = join(copy, "soar-configuration/opt");
  for (const written of [["soar-configuration/opt/soar-test-users", "soar-configuration/opt/soar-test-rules"], []]) {
    expect((await bring(files)).sort()).toEqual(written.sort());
    expect(inCopy("pg_hba.conf")).toBe(
      `local all @"${kept}/soar-test-users",@beside md5\ninclude "${kept}/soar-test-rules"\n`,
    );
  }
  expect(inCopy("soar-configuration/opt/soar-test-users")).toBe("alice\n");
});
