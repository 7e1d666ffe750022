import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startProgram } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";

const BIN = fileURLToPath(new URL("../bin/soar-backup-verify.js", import.meta.url));

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "soar-notices-"));
  mkdirSync(join(directory, "bucket"));
});
afterEach(() => rmSync(directory, { recursive: true }));

interface Seen {
  readonly area: string;
  readonly kind: string;
  readonly severity: string;
  readonly what: string;
}

/** What the doctor says; there is no server, and nothing in the bucket. */
async function examine(
  args: readonly string[],
  settings: Readonly<Record<string, string>>,
): Promise<{ readonly seen: Seen[]; readonly text: string }> {
  const env = {
    PATH: "/usr/bin:/bin",
    HOME: directory,
    BACKUP_BUCKET: `file://${join(directory, "bucket")}`,
    PGHOST: directory,
    BACKUP_SPOOL_DIR: directory,
    BACKUP_TEMP_DIR: directory,
    BACKUP_DRILL_STATE_DIR: directory,
    BACKUP_VERIFY_STATE_DIR: directory,
    ...settings,
  };
  const words = [process.execPath, BIN, "doctor", "--json", "--no-round-trip", ...args];
  const { stdout, stderr } = await startProgram(words, { cwd: directory, env }).result;
  if (stdout === "") throw new Error(stderr);
  return { seen: (JSON.parse(stdout) as { examinations: Seen[] }).examinations, text: `${stdout}${stderr}` };
}

async function startHook(status: number): Promise<{ readonly url: string; readonly bodies: string[] }> {
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      bodies.push(body);
      response.writeHead(status).end("ok");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/services/topsecret`, bodies };
}

test("--send-test-notice sends a test by mail and webhook, also where only failures are told; without it nothing is sent", async () => {
  const [mail, sendmail] = [join(directory, "mail"), join(directory, "sendmail")];
  writeFileSync(sendmail, `#!/bin/sh\ncat >> '${mail}'\n`, { mode: 0o755 });
  const { url, bodies } = await startHook(200);
  const settings = {
    BACKUP_NOTIFY_EMAIL: "dba@example.com",
    BACKUP_SENDMAIL: sendmail,
    BACKUP_NOTIFY_SLACK_WEBHOOK: url,
    BACKUP_NOTIFY_ON: "failure",
  };
  const kinds = (seen: readonly Seen[]) =>
    seen.filter(({ area }) => area === "notices").map(({ kind, severity }) => `${kind} ${severity}`);
  expect(kinds((await examine([], settings)).seen)).toEqual(["mail ok", "webhook ok"]);
  expect(bodies).toEqual([]);
  const { seen, text } = await examine(["--send-test-notice"], settings);
  expect(kinds(seen)).toEqual(["mail ok", "webhook ok", "test-notice ok", "test-notice ok"]);
  expect(readFileSync(mail, "utf8")).toMatch(/^Subject: .*test notice[^]*This is a test: nothing failed/m);
  expect(bodies).toEqual([expect.stringContaining("This is a test: nothing failed")]);
  expect(text).not.toContain("topsecret");
});

test("a webhook that refuses the test and a mail program that is not there are told, each on its own", async () => {
  const { url } = await startHook(404);
  const { seen } = await examine(["--send-test-notice"], {
    BACKUP_NOTIFY_EMAIL: "dba@example.com",
    BACKUP_SENDMAIL: join(directory, "none"),
    BACKUP_NOTIFY_SLACK_WEBHOOK: url,
  });
  const found = seen.filter(({ area, severity }) => area === "notices" && severity !== "ok");
  expect(found).toMatchObject([
    { kind: "sendmail-missing", severity: "warning" },
    { kind: "test-notice", severity: "error", what: expect.stringContaining("none") as string },
    { kind: "test-notice", severity: "error", what: expect.stringContaining("it answered 404") as string },
  ]);
});

test("a SOCKS proxy of all programs on the way to the webhook is an error, although its host can be reached", async () => {
  const { url } = await startHook(200);
  const settings = { BACKUP_NOTIFY_SLACK_WEBHOOK: url, ALL_PROXY: "socks5://127.0.0.1:1080" };
  const notices = async (more: Readonly<Record<string, string>>): Promise<Seen[]> =>
    (await examine([], { ...settings, ...more })).seen.filter(({ area }) => area === "notices");
  expect(await notices({})).toMatchObject([{ kind: "webhook-proxy", severity: "error" }]);
  expect(await notices({ NO_PROXY: "127.0.0.1" })).toMatchObject([{ kind: "webhook", severity: "ok" }]);
});

test("the files and directories of all programs are looked at, and what drills run", async () => {
  const gone = join(directory, "gone");
  const { seen } = await examine([], {
    BACKUP_LOG_DIR: directory,
    BACKUP_METRICS_FILE: join(gone, "base.prom"),
    BACKUP_ARCHIVER_METRICS_FILE: join(gone, "wal.prom"),
    BACKUP_VERIFY_METRICS_FILE: join(gone, "verify.prom"),
    BACKUP_DRILL_METRICS_FILE: join(gone, "drill.prom"),
    BACKUP_DRILL_SQL: join(gone, "drill.sql"),
  });
  expect(seen.filter(({ kind }) => kind === "metrics-missing").map(({ what }) => /BACKUP_\w+/.exec(what)?.[0])).toEqual(
    ["BACKUP_ARCHIVER_METRICS_FILE", "BACKUP_METRICS_FILE", "BACKUP_VERIFY_METRICS_FILE", "BACKUP_DRILL_METRICS_FILE"],
  );
  expect(seen.map(({ kind, severity }) => `${kind} ${severity}`)).toEqual(
    expect.arrayContaining([
      "log-written ok",
      "state-written ok",
      "drill-queries warning",
      "notices-nobody notice",
      "archiver-absent notice",
    ]),
  );
});
