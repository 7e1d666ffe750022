import { spawn } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];
/** A start on a loaded machine takes some seconds; one that waits for the network never ends. */
const TIMEOUT_MS = 45_000;

/** Path of a Chromium on this machine (Debian: package `chromium`); undefined without one. */
export function findChromium(): string | undefined {
  const directories = (process.env["PATH"] ?? "").split(delimiter);
  return NAMES.flatMap((name) => directories.map((directory) => join(directory, name))).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Loads a page headless, in a window of this size and with a profile that is thrown away, and gives its DOM as HTML once
 * its scripts have run. Talks to nobody but the page's own server. Throws where there is no Chromium: see `requires`.
 */
export async function dumpDom(
  url: string,
  { width, height }: { readonly width: number; readonly height: number },
): Promise<string> {
  const chromium = findChromium();
  if (chromium === undefined) throw new Error("unable to find a Chromium");
  const profile = mkdtempSync(join(tmpdir(), "soar-chromium-"));
  const quiet = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ];
  // Root cannot have the sandbox; what is loaded are pages of ours.
  const args = [
    "--headless",
    "--no-sandbox",
    ...quiet,
    `--user-data-dir=${profile}`,
    `--window-size=${width},${height}`,
    "--dump-dom",
    url,
  ];
  const child = spawn(chromium, args, {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"] ?? "", HOME: profile },
  });
  const end = (): void => {
    // Its helpers are of the same group.
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
      process.kill(-child.pid, "SIGKILL");
  };
  const timer = setTimeout(end, TIMEOUT_MS);
  try {
    let [dom, complaints] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => (dom += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (complaints += text));
    const status = await new Promise<number | null>(
      (resolve, reject) => void child.once("error", reject).once("close", resolve),
    );
    if (status !== 0) throw new Error(`chromium ended with ${status ?? "a signal"}: ${complaints.slice(-2000)}`);
    return dom;
  } finally {
    clearTimeout(timer);
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
