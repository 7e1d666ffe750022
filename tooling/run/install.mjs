// Installs the workspace with the pinned pnpm, once per state of the lockfile and manifests. Plain JavaScript for
// Node 20, because it runs before the workspace's own Node exists.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { constants as osConstants, homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { explainInstallFailure } from "./install-failure.mjs";

/** A failure that the person at the keyboard can act on: message and hint, no stack. */
export class InstallFailure extends Error {
  constructor(message, hint) {
    super(message);
    this.hint = hint;
  }
}

const WORKSPACE_FOLDERS = ["packages", "apps", "tooling"];
const LOCK_NAME = "installing";
const OTHER_RUN_POLL_MS = 250;

/**
 * Brings node_modules to the state of the lockfile, or finds it there already. An install that was interrupted is
 * recognised by the lock that it left behind and is started again from nothing, so no half-installed state is used.
 */
export async function installWorkspace(root) {
  const stamp = join(root, "node_modules", ".soar-installed");
  const wanted = fingerprint(root);
  const isInstalled = () => existsSync(join(root, "node_modules", ".bin", "node")) && readText(stamp) === wanted;
  if (isInstalled()) return;
  const state = join(root, ".soar");
  const lock = join(state, LOCK_NAME);
  makeFolder(state);
  const interrupted = await takeLock(lock);
  if (isInstalled()) {
    rmSync(lock);
    return;
  }
  rmSync(stamp, { force: true });
  if (interrupted) removeInstalled(root);
  await runPnpm(root, state);
  writeFileSync(stamp, wanted);
  rmSync(lock);
}

/** Everything an install depends on; a change of any of it means another install. */
function fingerprint(root) {
  const manifests = WORKSPACE_FOLDERS.flatMap((folder) =>
    namesIn(join(root, folder)).map((name) => join(folder, name, "package.json")),
  );
  const hash = createHash("sha256").update(`${process.platform}-${process.arch}\n`);
  for (const path of ["package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml", ...manifests]) {
    hash.update(`${path}\0${readText(join(root, path)) ?? ""}\0`);
  }
  return hash.digest("hex");
}

/** Resolves to whether an earlier holder died without finishing. Waits while another run in this folder installs. */
async function takeLock(lock) {
  for (let waiting = false, interrupted = false; ;) {
    try {
      const file = openSync(lock, "wx");
      writeSync(file, String(process.pid));
      closeSync(file);
      return interrupted;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const holder = Number(readText(lock) ?? "");
    if (isRunning(holder)) {
      if (!waiting) process.stderr.write(`waiting for the install that process ${holder} runs in this folder\n`);
      waiting = true;
      await delay(OTHER_RUN_POLL_MS);
    } else {
      interrupted = true;
      rmSync(lock, { force: true });
    }
  }
}

function isRunning(pid) {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function removeInstalled(root) {
  for (const folder of [
    "",
    ...WORKSPACE_FOLDERS.flatMap((parent) => namesIn(join(root, parent)).map((name) => join(parent, name))),
  ]) {
    rmSync(join(root, folder, "node_modules"), { recursive: true, force: true });
  }
}

async function runPnpm(root, state) {
  const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const args = [
    "--yes",
    packageManager,
    "install",
    "--frozen-lockfile",
    "--reporter=append-only",
    "--config.confirmModulesPurge=false",
  ];
  const startedAt = performance.now();
  const show = progressLine(`installing with ${packageManager.replace("@", " ")}`);
  const { status, output } = await capture(
    "npx",
    args,
    { cwd: root, env: { ...process.env, ...homelessSettings(state) } },
    show,
  );
  const log = join(state, "install.log");
  writeFileSync(log, output);
  if (status !== 0) {
    show.end("failed");
    // pnpm ended by itself and left its folder in order; the lock stays only when it was killed.
    if (status !== null) rmSync(join(state, LOCK_NAME));
    const { fact, hint } = explainInstallFailure(output, root, packageManager);
    throw new InstallFailure(`unable to install the workspace: ${fact}`, `${hint} The whole output is in ${log}.`);
  }
  show.end(`${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
}

/** A service account often has no home that it can write to; npm and pnpm then keep their caches in the checkout. */
function homelessSettings(state) {
  try {
    accessSync(homedir(), constants.W_OK);
    return {};
  } catch {
    const folder = (name) => join(state, name);
    return {
      HOME: folder("home"),
      npm_config_cache: folder("npm-cache"),
      XDG_DATA_HOME: folder("data"),
      XDG_CACHE_HOME: folder("cache"),
      XDG_STATE_HOME: folder("state"),
      XDG_CONFIG_HOME: folder("config"),
    };
  }
}

/** Runs a program without a terminal; Ctrl-C and SIGTERM end it before this process ends. */
function capture(program, args, options, show) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const stop = (signal) => {
      child.kill(signal);
      child.once("close", () => process.exit(128 + osConstants.signals[signal]));
    };
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
    for (const signal of signals) process.on(signal, stop);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        output += text;
        const counts = text
          .match(/resolved (\d+).*?added (\d+)/gs)
          ?.at(-1)
          ?.match(/resolved (\d+).*?added (\d+)/s);
        if (counts) show(`${counts[2]} of ${counts[1]} packages`);
      });
    }
    child.once("error", (error) => {
      const fact = error.code === "ENOENT" ? "'npx' is not on the PATH" : error.message;
      reject(
        new InstallFailure(`unable to install the workspace: ${fact}`, "Install npm 7 or newer; it comes with Node."),
      );
    });
    child.once("close", (status) => {
      for (const signal of signals) process.off(signal, stop);
      resolve({ status, output });
    });
  });
}

/** One line on stderr: rewritten in place on a terminal, printed at start and end elsewhere. */
function progressLine(title) {
  const live = process.stderr.isTTY;
  process.stderr.write(live ? `${title} ...` : `${title} (the first time takes a minute or two)\n`);
  const show = (text) => void (live && process.stderr.write(`\r\u001b[K${title}: ${text}`));
  show.end = (text) => void process.stderr.write(live ? `\r\u001b[K${title}: ${text}\n` : `${title}: ${text}\n`);
  return show;
}

function makeFolder(path) {
  try {
    mkdirSync(path, { recursive: true });
    accessSync(path, constants.W_OK);
  } catch (error) {
    throw new InstallFailure(
      `unable to write in '${path}': ${error.code}`,
      "Run as the owner of this folder, or clone the repository into a folder of your own.",
    );
  }
}

function namesIn(folder) {
  return existsSync(folder) ? readdirSync(folder).sort((a, b) => (a < b ? -1 : 1)) : [];
}

function readText(path) {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw error;
  }
}
