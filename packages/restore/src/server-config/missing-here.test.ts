import { execFile } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { sampleRecord } from "@soar-tooling/sample-repository";
import { requires, serverUser } from "@soar-tooling/test-bench";
import { afterAll, expect, test } from "vitest";
import { findMissingHere } from "./missing-here.ts";

const root = mkdtempSync(join(tmpdir(), "soar-missing-"));
const source = join(root, "main");
const copy = join(root, "copy");
mkdirSync(join(root, "ssl"));
writeFileSync(join(root, "ssl/server.key"), "");
mkdirSync(source);
symlinkSync("../ssl", join(source, "certs"));
symlinkSync("../ssl/server.key", join(source, "server.key"));
symlinkSync("../ssl/gone.key", join(source, "gone.key"));
chmodSync(root, 0o755);
afterAll(() => rmSync(root, { recursive: true }));

/** `in place` and `as a copy`: what the plan warns of. */
test.each([
  // In the backup.
  ["server.crt", false, false],
  ["./server.crt", false, false],
  ["sub/../server.crt", false, false],
  ["certs.d/server.crt", false, false],
  // A link, and a file behind one.
  ["server.key", false, true],
  ["./server.key", false, true],
  [".//server.key", false, true],
  ["certs/server.key", false, true],
  ["gone.key", true, true],
  ["certs/gone.key", true, true],
  // Outside of the data directory.
  ["../ssl/server.key", false, false],
  ["../ssl/gone.key", true, true],
  ["../../nowhere/server.key", true, true],
  ["/nowhere/server.key", true, true],
  // By its place on the source: the copy's server would read it there.
  ["SOURCE/server.crt", false, true],
  ["SOURCE/server.key", false, false],
  ["SOURCE/certs/gone.key", true, true],
  ["COPY/server.crt", true, false],
])("the key '%s' is missing in place: %j, in a copy: %j", async (path, inPlace, inCopy) => {
  const name = path.replace("SOURCE", source).replace("COPY", copy);
  const record = sampleRecord({});
  const backup = {
    ...record,
    source: { ...record.source, dataDirectory: source },
    settings: { ssl: "on", ssl_key_file: name },
    leftOut: ["certs", "server.key", "gone.key"],
    databases: [],
  };
  const missing = async (dataDir: string) =>
    (
      await findMissingHere(backup, {
        dataDir,
        binDir: root,
        config: undefined,
        inPlace: dataDir === source,
        isThere: false,
        systemEnv: {},
      })
    ).map((sentence) => /ssl_key_file = '(.*)', which/.exec(sentence)?.[1]);
  expect(await missing(source)).toEqual(inPlace ? [name] : []);
  expect(await missing(copy)).toEqual(inCopy ? [name] : []);
});

const DIRECTORIES = [
  "logging_collector = on",
  `log_directory = '${root}/gone/log'`,
  `unix_socket_directories = '${root}, "${root}/gone/a, b", ${root}/gone/c , @abstract, sockets'`,
  "",
].join("\n");
const SOCKETS = [`unix_socket_directories = '${root}/gone/a, b'`, `unix_socket_directories = '${root}/gone/c'`];

/** What the warnings name, of a server whose configuration this was. */
async function namedMissing(
  text: string,
  { inPlace = false, isThere = false, dataDir = copy },
): Promise<(string | undefined)[]> {
  const record = sampleRecord({});
  const path = join(source, "postgresql.conf");
  const backup = {
    ...record,
    source: { ...record.source, dataDirectory: source },
    settings: { config_file: path, ssl: "on", ssl_key_file: "/nowhere/server.key" },
    databases: [],
  };
  const { binDir } = requireInstallation();
  const config = { saved: new Map([[path, Buffer.from(text)]]), configFile: undefined };
  const sentences = await findMissingHere(backup, { dataDir, binDir, inPlace, isThere, config, systemEnv: {} });
  return sentences.map((sentence) => /\w+ = '.*?'(?=, which is)/.exec(sentence)?.[0]);
}

test.each([
  [true, [`log_directory = '${root}/gone/log'`, ...SOCKETS]],
  // It gets a log directory of its own.
  [false, SOCKETS],
])(
  "directories that the server must have are named before anything is touched (in place: %j)",
  async (inPlace, expected) => {
    expect(await namedMissing(DIRECTORIES, { inPlace, dataDir: inPlace ? source : copy })).toEqual(expected);
  },
);

test("of a copy whose own configuration was changed since, the backup's record tells nothing", async () => {
  const dataDir = join(root, "restored");
  mkdirSync(dataDir);
  writeFileSync(join(dataDir, "postgresql.conf"), `ssl = off\nunix_socket_directories = '${root}'\n`);
  writeFileSync(join(dataDir, "postgresql.auto.conf"), "");
  if (process.getuid?.() === 0)
    for (const path of [dataDir, join(dataDir, "postgresql.conf"), join(dataDir, "postgresql.auto.conf")])
      chownSync(path, serverUser().uid, serverUser().gid);
  expect(await namedMissing(DIRECTORIES, { dataDir, isThere: true })).toEqual([]);
});

const HUGE_PAGES = "/sys/kernel/mm/hugepages";

test.each([
  [0, "this host does not have huge_pages = 'on'"],
  [100_000, "is not known before the data is there"],
])(
  "of a server that demands huge pages, on a host that has %i, the plan says no more than it knows",
  requires("mount", "root"),
  async (pages, expected) => {
    const folder = mkdtempSync(join(root, "pages-"));
    for (const name of readdirSync(HUGE_PAGES)) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, "nr_hugepages"), `${pages}\n`);
    }
    const backup = { ...sampleRecord({}), databases: [], settings: {} };
    const modulePath = JSON.stringify(new URL("missing-here.ts", import.meta.url).href);
    const code = `import { findMissingHere } from ${modulePath};
      const [backup, binDir] = process.argv.slice(1);
      const saved = new Map([["/srv/postgresql.conf", Buffer.from("huge_pages = on\\nunix_socket_directories = ''\\n")]]);
      const options = { dataDir: "/none", binDir, inPlace: false, isThere: false, systemEnv: {}, config: { saved, configFile: undefined } };
      console.log((await findMissingHere(JSON.parse(backup), options)).join("\\n"));`;
    const node = [process.execPath, "--conditions=soar-source", "--input-type=module", "--eval", code];
    const script = `mount --bind "$1" ${HUGE_PAGES} && shift && exec "$@"`;
    const binDir = requireInstallation().binDir;
    const text = JSON.stringify(backup, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value));
    const { stdout } = await promisify(execFile)("unshare", [
      "--mount",
      "sh",
      "-c",
      script,
      "sh",
      folder,
      ...node,
      text,
      binDir,
    ]);
    expect(stdout).toContain(expected);
    expect(stdout.trimEnd().split("\n")).toHaveLength(1);
  },
);
