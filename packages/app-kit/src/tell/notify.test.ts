import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registerSecret } from "@soar/errors";
import { expect, onTestFinished, test } from "vitest";
import { notify, type NotifyConfig } from "./notify.ts";

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
  expect(bodies).toHaveLength(2);
  const refused = notify({ ...quiet, notifySlackWebhook: url }, failure);
  await expect(refused).rejects.toMatchObject({
    code: "PROGRAM_FAILED",
    message: "unable to notify the webhook: it answered 500",
  });
});

test("with notify-on failure a success is not told, and nobody configured is nobody told", async () => {
  const { url, bodies } = await startHook(200);
  await notify({ ...quiet, notifySlackWebhook: url, notifyOn: "failure" }, { ...failure, outcome: "success" });
  await notify(quiet, failure);
  expect(bodies).toEqual([]);
});
