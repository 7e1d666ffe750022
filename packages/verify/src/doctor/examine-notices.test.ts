import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SoarError } from "@soar/errors";
import { freePort } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { examine, type Examination } from "./examination.ts";
import { examineNotices } from "./examine-notices.ts";
import type { NoticeSettings } from "./program-settings.ts";

let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "soar-notices-"))));
afterEach(() => rmSync(directory, { recursive: true }));

async function look(settings: Partial<NoticeSettings>, searchPath = ""): Promise<Examination[]> {
  const nobody = { addresses: [], webhook: undefined, isProxied: () => false, tests: undefined };
  const all = { ...nobody, sendmail: "/usr/sbin/sendmail", ...settings };
  return await examine("notices", (notes) =>
    examineNotices(all, notes, { user: undefined, searchPath, signal: undefined }),
  );
}

const telling = (kind: string, severity: Examination["severity"], what: RegExp) => [
  { kind, severity, what: expect.stringMatching(what) as string, advice: expect.stringMatching(/\.$/) as string },
];

test("with neither mail nor webhook nobody is told", async () => {
  expect(await look({})).toMatchObject(telling("notices-nobody", "notice", /nobody is told/));
});

describe("mail is set, and the mail program", () => {
  const mail = (sendmail: string, searchPath?: string) =>
    look({ addresses: ["dba@example.com"], sendmail }, searchPath);

  test("does not exist, by path or by name", async () => {
    const missing = telling("sendmail-missing", "warning", /^mail to dba@example\.com is set, and '.*' does not exist/);
    expect(await mail(join(directory, "sendmail"))).toMatchObject(missing);
    expect(await mail("soar-no-sendmail")).toMatchObject(missing);
  });

  test("may not be run, or is a directory", async () => {
    const wrong = telling("sendmail-missing", "warning", /is no program that may be run/);
    writeFileSync(join(directory, "sendmail"), "#!/bin/sh\n", { mode: 0o644 });
    expect(await mail(join(directory, "sendmail"))).toMatchObject(wrong);
    mkdirSync(join(directory, "mailer"));
    expect(await mail(join(directory, "mailer"))).toMatchObject(wrong);
  });

  test("is there, by path or by name", async () => {
    const path = join(directory, "soar-sendmail");
    writeFileSync(path, "#!/bin/sh\n");
    chmodSync(path, 0o755);
    expect(await mail(path)).toMatchObject([{ kind: "mail", severity: "ok" }]);
    expect(await mail("soar-sendmail", directory)).toMatchObject([{ kind: "mail", severity: "ok" }]);
  });
});

describe("a webhook is set, and its host", () => {
  const at = (webhook: string) => look({ webhook });

  test("is not known; what else is in the address is not told", async () => {
    const seen = await at("https://hooks.soar.invalid/services/T0/B0/topsecret");
    expect(seen).toMatchObject(telling("webhook-unknown", "warning", /is not known: 'hooks\.soar\.invalid'/));
    expect(JSON.stringify(seen)).not.toContain("topsecret");
    expect(await at("https:///services")).toMatchObject(telling("webhook-unknown", "warning", /./));
  });

  test("may be known to a proxy: only a test shows it", async () => {
    expect(await look({ webhook: "https://hooks.soar.invalid/x", isProxied: () => true })).toMatchObject(
      telling("webhook-unseen", "notice", /through a proxy/),
    );
  });

  test("could be reached, but lies behind a proxy that cannot be used", async () => {
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const isProxied = (): boolean => {
      throw new SoarError("CONFIG_INVALID", "unable to use the proxy 'socks5://jump:1080'");
    };
    const { port } = server.address() as AddressInfo;
    expect(await look({ webhook: `http://127.0.0.1:${port}/x`, isProxied })).toMatchObject(
      telling("webhook-proxy", "error", /'127\.0\.0\.1', cannot be used: .*'socks5:\/\/jump:1080'/),
    );
  });

  test("listens to nobody", async () => {
    expect(await at(`http://127.0.0.1:${await freePort()}/x`)).toMatchObject(
      telling("webhook-unreachable", "warning", /'127\.0\.0\.1', cannot be reached: .*ECONNREFUSED/),
    );
  });

  test.each(["127.0.0.1", "::1"])("listens, on %s", async (host) => {
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const name = host.includes(":") ? `[${host}]` : host;
    expect(await at(`http://${name}:${port}/x`)).toMatchObject([{ kind: "webhook", severity: "ok" }]);
  });
});

test("each way in which no test can be sent is an error of its own, and so is nobody to send one to", async () => {
  const broken = new SoarError("PROGRAM_FAILED", "unable to notify the webhook: it answered 404", { hint: "Look." });
  const seen = await look({
    addresses: [],
    tests: [
      { way: "by mail to a@b.c", send: () => Promise.resolve() },
      { way: "through the webhook", send: () => Promise.reject(broken) },
    ],
  });
  expect(seen.slice(1)).toMatchObject([
    { kind: "test-notice", severity: "ok", what: expect.stringContaining("by mail to a@b.c") as string },
    {
      kind: "test-notice",
      severity: "error",
      what: expect.stringContaining("it answered 404") as string,
      advice: "Look.",
    },
  ]);
  expect((await look({ tests: [] })).at(-1)).toMatchObject({ kind: "test-notice", severity: "error" });
});
