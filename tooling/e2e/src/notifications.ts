import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

/** A mail program and a webhook that keep what they get. */
export interface Notifications extends AsyncDisposable {
  /** For the environment of a program that is to use them. */
  readonly settings: Readonly<Record<string, string>>;
  /** All mails, headers included. */
  mail(): string;
  /** Texts that the webhook got. */
  posts(): string[];
}

export async function listenForNotifications(directory: string): Promise<Notifications> {
  const [sendmail, mail] = [join(directory, "sendmail"), join(directory, "mail")];
  writeFileSync(sendmail, `#!/bin/sh\ncat >> '${mail}'\n`, { mode: 0o755 });
  const posts: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      posts.push((JSON.parse(Buffer.concat(chunks).toString()) as { text: string }).text);
      response.end("ok");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    settings: {
      BACKUP_NOTIFY_EMAIL: "dba@example.com",
      BACKUP_SENDMAIL: sendmail,
      BACKUP_NOTIFY_SLACK_WEBHOOK: `http://127.0.0.1:${port}/hook`,
    },
    mail: () => readFileSync(mail, "utf8"),
    posts: () => posts,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
