import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registerSecret } from "@soar/errors";
import { expect, onTestFinished, test } from "vitest";
import { notify, type NotifyConfig } from "./notify.ts";
import { isWebhookProxied } from "./post-to-webhook.ts";

const quiet: NotifyConfig = {
  notifyEmail: [],
  notifySlackWebhook: undefined,
  notifyOn: "always",
  sendmail: "/nowhere/sendmail",
};
const failure = { outcome: "failure", subject: "base backup\nfailed", text: "unable to …" } as const;

/** A sendmail that keeps its arguments and its input. */
function fakeSendmail(status = 0): { path: string; received: () => string } {
  const directory = mkdtempSync(join(tmpdir(), "soar-mail-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "sendmail");
  writeFileSync(path, `#!/bin/sh\n{ echo "$@"; cat; } > ${directory}/mail\necho "queue is full" >&2\nexit ${status}\n`);
  chmodSync(path, 0o755);
  return { path, received: () => readFileSync(join(directory, "mail"), "utf8") };
}

async function startHook(status: number): Promise<{ url: string; bodies: string[] }> {
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
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/services/T0/B0`, bodies };
}

test("a mail has its addresses behind --, a header on one line, and the text", async () => {
  const { path, received } = fakeSendmail();
  await notify({ ...quiet, notifyEmail: ["dba@example.com", "-oQ/tmp"], sendmail: path }, failure);
  expect(received()).toMatch(
    /^-oi -- dba@example\.com -oQ\/tmp\nTo: dba@example\.com, -oQ\/tmp\nSubject: base backup failed\n/,
  );
  expect(received()).toMatch(/\n\nunable to …\n$/);
});

test("the webhook gets one JSON text; secrets stay here", async () => {
  registerSecret("hunter2secret");
  const { url, bodies } = await startHook(200);
  await notify({ ...quiet, notifySlackWebhook: url }, { ...failure, text: "password hunter2secret" });
  expect(JSON.parse(bodies[0] ?? "")).toEqual({
    text: expect.stringContaining("*base backup failed*\npassword ") as string,
  });
  expect(bodies[0]).not.toContain("hunter2secret");
});

test("a way that fails is told when all were tried, without the webhook's address", async () => {
  const { url, bodies } = await startHook(500);
  const both = { ...quiet, notifyEmail: ["a@b.c"], notifySlackWebhook: url };
  await expect(notify({ ...both, sendmail: fakeSendmail(75).path }, failure)).rejects.toMatchObject({
    code: "PROGRAM_FAILED",
    message: expect.stringContaining("ended with 75: queue is full") as string,
  });
  await expect(notify(both, failure)).rejects.toMatchObject({ code: "PROGRAM_MISSING" });
  await expect(notify(both, failure)).rejects.toMatchObject({
    message: expect.stringMatching(/\/nowhere\/sendmail.*; unable to notify the webhook: it answered 500$/) as string,
    hint: expect.stringMatching(/BACKUP_SENDMAIL.*BACKUP_NOTIFY_SLACK_WEBHOOK/) as string,
  });
  expect(bodies).toHaveLength(3);
  const refused = notify({ ...quiet, notifySlackWebhook: url }, failure);
  await expect(refused).rejects.toMatchObject({
    code: "PROGRAM_FAILED",
    message: "unable to notify the webhook: it answered 500",
  });
});

test("the webhook is reached through the proxy that is set, unless its host is excepted", async () => {
  const asked: string[] = [];
  const proxy = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    request.resume();
    response.writeHead(200).end();
  });
  proxy.on("connect", (request: IncomingMessage, socket: Socket) => {
    asked.push(`${request.method} ${request.url}`);
    socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void proxy.close());
  const through = { ...quiet, proxy: `127.0.0.1:${(proxy.address() as AddressInfo).port}` };
  // Hosts that only the proxy knows.
  await notify({ ...through, notifySlackWebhook: "http://hooks.soar.invalid/x" }, failure);
  await expect(notify({ ...through, notifySlackWebhook: "https://hooks.soar.invalid/y" }, failure)).rejects.toThrow(
    /unable to notify the webhook/,
  );
  expect(asked).toEqual(["POST http://hooks.soar.invalid/x", "CONNECT hooks.soar.invalid:443"]);
  const { url, bodies } = await startHook(200);
  const excepted = { ...quiet, httpProxy: through.proxy, noProxy: "127.0.0.1" };
  await notify({ ...excepted, notifySlackWebhook: url }, failure);
  expect(bodies).toHaveLength(1);
  await expect(
    notify({ ...excepted, noProxy: "soar.invalid", notifySlackWebhook: "http://hooks.soar.invalid/z" }, failure),
  ).rejects.toThrow(/ENOTFOUND|EAI_AGAIN/);
  expect(asked).toHaveLength(2);
});

test.each([
  ["127.0.0.0/8", true],
  ["10.0.0.0/8,127.0.0.1/32", true],
  ["*", true],
  ["127.0.0.1:PORT", true],
  ["127.0.0.1:1", false],
  ["10.0.0.0/8", false],
])("what is reached without a proxy is read as curl reads it, for the webhook too: %s", async (noProxy, isExcepted) => {
  const { url, bodies } = await startHook(200);
  const { url: proxy, bodies: proxied } = await startHook(200);
  const except = noProxy.replace("PORT", new URL(url).port);
  const config = { ...quiet, httpProxy: new URL(proxy).host, noProxy: except, notifySlackWebhook: url };
  await notify(config, failure);
  expect([bodies.length, proxied.length]).toEqual(isExcepted ? [1, 0] : [0, 1]);
  expect(isWebhookProxied(url, config)).toBe(!isExcepted);
});

test("a proxy on the way to the webhook that cannot be used is named, and one elsewhere is not", async () => {
  const { url, bodies } = await startHook(200);
  const socks = { ...quiet, notifySlackWebhook: url, httpProxy: "socks5://127.0.0.1:1" };
  expect(() => isWebhookProxied(url, socks)).toThrow("unable to use the proxy 'socks5://127.0.0.1:1'");
  await expect(notify(socks, failure)).rejects.toMatchObject({
    code: "PROGRAM_FAILED",
    message: expect.stringContaining("unable to use the proxy 'socks5://127.0.0.1:1'") as string,
  });
  await notify({ ...socks, noProxy: "127.0.0.0/8" }, failure);
  expect(bodies).toHaveLength(1);
});

test("with notify-on failure a success is not told, and nobody configured is nobody told", async () => {
  const { url, bodies } = await startHook(200);
  await notify({ ...quiet, notifySlackWebhook: url, notifyOn: "failure" }, { ...failure, outcome: "success" });
  await notify(quiet, failure);
  expect(bodies).toEqual([]);
});
