import { once } from "node:events";
import {
  chmodSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  closeSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { spawn, spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exitStatusOf, SoarError } from "@soar/errors";
import { outcomeOf, runProgram, startProgram, useFixtureBundle, type Outcome } from "./run-fixture.ts";

const fixture = useFixtureBundle();
type Options = { readonly environment?: Readonly<Record<string, string>> };
const runFixture = (args: readonly string[], { environment }: Options = {}): Promise<Outcome> =>
  runProgram(fixture.arguments(), args, environment);
const startFixture = (args: readonly string[], { environment }: Options = {}): ReturnType<typeof startProgram> =>
  startProgram(fixture.arguments(), args, environment);

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), "soar-run-app-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

const BUCKET = { BACKUP_BUCKET: "s3://bucket" };

describe("results and logs", () => {
  test("stdout has the data, stderr one log line", async () => {
    const { status, stdout, stderr } = await runFixture(["take"], {
      environment: { ...BUCKET, AWS_SECRET_ACCESS_KEY: "very-secret-key" },
    });
    expect(stdout).toBe("FIELD   VALUE\nbucket  s3://bucket\njobs    4\ntail    1000\n");
    expect(stderr).toMatch(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info  fixture-app backup completed in s3:\/\/bucket with \[hidden\]\n$/,
    );
    expect(status).toBe(0);
  });

  test("--json prints what the command gives, --log-format json a log line with the same fields", async () => {
    const { stdout, stderr } = await runFixture(
      [
        "--json",
        "--log-format",
        "json",
        "--no-expire",
        "--only",
        "a,b",
        "--only=c",
        "-j",
        "2",
        "--at",
        "2025-01-10 14:30:00",
        "--timezone",
        "Europe/Berlin",
      ],
      { environment: BUCKET },
    );
    expect(JSON.parse(stdout)).toMatchObject({
      bucket: "s3://bucket",
      jobs: 2,
      expire: false,
      only: ["a", "b", "c"],
      atMicros: "1736515800000000",
    });
    expect(JSON.parse(stderr)).toMatchObject({
      level: "info",
      component: "fixture-app",
      message: "backup completed in s3://bucket with no secret",
    });
  });

  test("an option whose own name begins with no- is not the opposite of another one", async () => {
    const given = async (...args: readonly string[]): Promise<unknown> =>
      JSON.parse((await runFixture(["--json", ...args], { environment: BUCKET })).stdout);
    expect(await given("--no-only", "--only", "a")).toMatchObject({ noOnly: true, only: ["a"] });
    expect(await given("--only", "a")).toMatchObject({ noOnly: false, only: ["a"] });
    expect(await given("--no-no-only")).toMatchObject({ noOnly: false });
  });

  test("log lines go to backup.log too, failures with their code", async () => {
    const environment = { ...BUCKET, BACKUP_LOG_DIR: path.join(directory, "log") };
    await runFixture(["--log-level", "error"], { environment });
    await runFixture([], { environment });
    await runFixture(["fail", "known"], { environment });
    const lines = readFileSync(path.join(directory, "log", "backup.log"), "utf8")
      .trimEnd()
      .split("\n");
    expect(lines).toEqual([
      expect.stringMatching(/ info {2}fixture-app backup completed in s3:\/\/bucket/),
      expect.stringMatching(
        / error fixture-app unable to archive 'x': the store holds other content \(Check that no other cluster archives there\.\) \[WAL_CONFLICT\]$/,
      ),
    ]);
  });

  test("a log file that cannot be opened ends the run before it starts, unless the command can do without", async () => {
    writeFileSync(path.join(directory, "not-a-directory"), "");
    const environment = { ...BUCKET, BACKUP_LOG_DIR: path.join(directory, "not-a-directory") };
    const refused = await runFixture([], { environment });
    expect(refused).toMatchObject({
      status: 21,
      stdout: "",
      stderr: expect.stringMatching(/^error: unable to open the log file .*\nhint: .*BACKUP_LOG_DIR.*\n$/),
    });
    const warned = await runFixture(["destroy", "x", "--yes"], { environment });
    expect(warned).toMatchObject({
      status: 0,
      stdout: "removed\n",
      stderr: expect.stringMatching(/ warn {2}fixture-app unable to open the log file .*; going on without it\n/),
    });
  });
});

describe("configuration", () => {
  test("flag before environment before env file, as --print-config shows it", async () => {
    const file = path.join(directory, "backup-env");
    writeFileSync(
      file,
      'export BACKUP_BUCKET="s3://from-file"\nAWS_SECRET_ACCESS_KEY=very-secret-key\nBACKUP_PARALLEL_JOBS=2\nAWS_DEFAULT_REGION=file\nBACKUP_BUKET=x\n',
      { mode: 0o600 },
    );
    const { status, stdout } = await runFixture(["--env-file", file, "--print-config", "--json", "--jobs", "8"], {
      environment: { AWS_DEFAULT_REGION: "environment" },
    });
    const { settings, unreadVariables } = JSON.parse(stdout) as { settings: unknown[]; unreadVariables: string[] };
    expect(settings).toEqual(
      expect.arrayContaining([
        { option: "--bucket", variable: "BACKUP_BUCKET", value: "s3://from-file", source: `${file} line 1` },
        {
          option: "AWS_SECRET_ACCESS_KEY",
          variable: "AWS_SECRET_ACCESS_KEY",
          value: "[hidden]",
          source: `${file} line 2`,
        },
        { option: "--jobs", variable: "BACKUP_PARALLEL_JOBS", value: "8", source: "--jobs" },
        { option: "--region", variable: "AWS_DEFAULT_REGION", value: "environment", source: "environment" },
        { option: "--tail-interval", variable: "FIXTURE_TAIL", value: "1s", source: "default" },
      ]),
    );
    expect(unreadVariables).toEqual(["BACKUP_BUKET"]);
    expect(stdout).not.toContain("very-secret-key");
    expect(status).toBe(0);
  });

  test("--print-config shows also a configuration that is wrong, and fails", async () => {
    const { status, stdout, stderr } = await runFixture(["--print-config"], {
      environment: { BACKUP_PARALLEL_JOBS: "many" },
    });
    expect(stdout).toMatch(/--jobs +BACKUP_PARALLEL_JOBS +many +environment/);
    expect(stderr).toContain("'many' for BACKUP_PARALLEL_JOBS: it is not a whole number");
    expect(status).toBe(10);
  });

  test.each([
    [
      "unsafe",
      0o644,
      12,
      /unable to trust '.*': group or others have access to it\nhint: It holds credentials. Run: chmod 600 /,
    ],
    ["broken", 0o600, 11, /unable to read '.*' line 1: '\$' would be expanded by a shell\nhint: /],
  ])("an env file that is %s", async (name, mode, status, stderr) => {
    const file = path.join(directory, name);
    writeFileSync(file, "BACKUP_BUCKET=s3://$X\n");
    chmodSync(file, mode);
    expect(await runFixture(["--env-file", file])).toMatchObject({
      status,
      stdout: "",
      stderr: expect.stringMatching(stderr),
    });
  });

  test("NODE_OPTIONS in an env file does nothing to Node", async () => {
    const file = path.join(directory, "node-options");
    writeFileSync(file, `NODE_OPTIONS="--require ${path.join(directory, "evil.cjs")}"\nBACKUP_BUCKET=s3://b\n`, {
      mode: 0o600,
    });
    writeFileSync(path.join(directory, "evil.cjs"), "process.exit(99)");
    expect(await runFixture(["--env-file", file])).toMatchObject({ status: 0 });
  });

  test("an env file that was named and is not there", async () => {
    expect(
      await runFixture([], { environment: { ...BUCKET, BACKUP_ENV_FILE: path.join(directory, "none") } }),
    ).toMatchObject({ status: 13 });
  });
});

describe("wrong usage ends with 64, two lines and a way on", () => {
  test.each([
    [["--bukcet", "x"], "unable to use '--bukcet': there is no such option", "Did you mean '--bucket'?"],
    [["-x"], "unable to use '-x': there is no such option", "Run fixture --help"],
    [["tkae"], "unable to run 'tkae': there is no such command", "Did you mean 'take'?"],
    [["gap", "wiat"], "unable to run 'gap wiat': there is no such command", "Did you mean 'gap wait'?"],
    [["--label"], "unable to use --label: it needs a value", "Run fixture --help"],
    [["--label", "--json"], "unable to use --label: it needs a value", "Run fixture --help"],
    [["--label", "a", "--label", "b"], "unable to use --label: it was given twice", "Run fixture --help"],
    [["--no-label"], "unable to use --label: it needs a value", "Run fixture --help"],
    [["--json=maybe"], "unable to use '--json=maybe': --json takes no value", "Write --json or --no-json"],
    [
      ["--secret-access-key", "x"],
      "unable to use '--secret-access-key': there is no such option",
      "the variable AWS_SECRET_ACCESS_KEY only",
    ],
    [["--jobs", "0", "--bucket", "s3://b"], "unable to use '0' for --jobs: 0 is less than 1", "Things done at once"],
    [
      ["destroy"],
      "unable to run 'fixture destroy': TARGET is missing",
      "The form is: fixture destroy TARGET [OTHERS...] [options].",
    ],
    [
      ["fail", "known", "twice"],
      "unable to run 'fixture fail': 'twice' is one argument too many",
      "The form is: fixture fail WAY [options].",
    ],
  ])("%j", async (args, message, hint) => {
    const { status, stdout, stderr } = await runFixture(args);
    const [first, second = "", ...rest] = stderr.trimEnd().split("\n");
    expect([first, rest]).toEqual([`error: ${message}`, []]);
    expect(second).toMatch(/^hint: /);
    expect(second).toContain(hint);
    expect([status, stdout]).toEqual([64, ""]);
  });
});

describe("help and version need no configuration", () => {
  test.each([["--help"], ["-h"], ["help"], ["destroy", "--help"], ["gap", "wait", "--help"]])(
    "%j fits 80 columns",
    async (...args) => {
      const { status, stdout, stderr } = await runFixture(args, { environment: { BACKUP_ENV_FILE: "/nowhere" } });
      expect(stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
      expect(stdout).toMatch(/^Usage: fixture /);
      expect([status, stderr]).toEqual([0, ""]);
    },
  );

  test("help names flag, variable and default, and groups them", async () => {
    const { stdout } = await runFixture(["--help"]);
    expect(stdout).toMatchSnapshot();
  });

  test("--version", async () => {
    expect(await runFixture(["--version"])).toMatchObject({ status: 0, stdout: "fixture 1.2.3\n", stderr: "" });
  });

  test("--describe gives the tables to the generator of the documentation", async () => {
    const { stdout } = await runFixture(["--describe"], { environment: { BACKUP_ENV_FILE: "/nowhere" } });
    const { name, commands } = JSON.parse(stdout) as {
      name: string;
      commands: { name: string; options: unknown; positionals: unknown }[];
    };
    expect([name, commands.map((command) => command.name)]).toEqual([
      "fixture",
      ["take", "destroy", "gap wait", "fail"],
    ]);
    expect(commands[0]?.options).toMatchObject({
      "secret-access-key": { env: "AWS_SECRET_ACCESS_KEY", secret: true },
      json: { type: "boolean" },
    });
    expect(commands[1]?.positionals).toEqual({
      target: { help: "What goes." },
      others: { help: "What goes too.", optional: true, many: true },
    });
  });

  test("completion prints a script, and answers it", async () => {
    expect((await runFixture(["completion"], { environment: { SHELL: "/bin/bash" } })).stdout).toContain(
      "complete -o bashdefault -o default -F _fixture_yargs_completions fixture",
    );
    const completed = async (...words: string[]): Promise<string[]> =>
      (
        await runFixture(["--get-yargs-completions", "fixture", ...words], { environment: { SHELL: "/bin/bash" } })
      ).stdout
        .trimEnd()
        .split("\n");
    expect(await completed("")).toEqual(expect.arrayContaining(["take", "destroy", "gap"]));
    expect(await completed("gap", "w")).toEqual(["wait"]);
    expect(await completed("take", "--")).toEqual(expect.arrayContaining(["--bucket", "--no-expire", "--log-level"]));
    expect(await completed("take", "--log-level", "")).toEqual(expect.arrayContaining(["debug", "info"]));
  });
});

describe("failures", () => {
  test("a known one: two lines, the status of the table", async () => {
    expect(await runFixture(["fail", "known"])).toMatchObject({
      status: 52,
      stdout: "",
      stderr:
        "error: unable to archive 'x': the store holds other content\nhint: Check that no other cluster archives there.\n",
    });
  });

  test("in JSON logs it is one line", async () => {
    const { stderr } = await runFixture(["fail", "known", "--log-format", "json"]);
    expect(JSON.parse(stderr)).toMatchObject({
      level: "error",
      component: "fixture-app",
      code: "WAL_CONFLICT",
      hint: "Check that no other cluster archives there.",
    });
  });

  test.each([
    ["bug", "unexpected TypeError: x is not a function"],
    ["string", "unexpected Error: just text"],
    ["later", "unexpected RangeError: thrown from a callback"],
    ["reject", "unexpected RangeError: rejected and forgotten"],
    ["empty-loop", "the event loop ran empty before the command had finished"],
  ])("a bug (%s): stack and versions, 70", async (way, message) => {
    const { status, signal, stderr } = await runFixture(["fail", way]);
    expect(stderr).toContain(message);
    expect(stderr).toContain(`fixture 1.2.3, Node ${process.version}`);
    expect(stderr).not.toContain("AKIAIOSFODNN7EXAMPLE");
    expect([status, signal]).toEqual([70, null]);
  });

  test.each([
    [["fail", "end"], 1],
    [["fail", "known"], 126],
    [["fail", "bug"], 126],
    [["fail", "later"], 126],
    [["fail", "empty-loop"], 126],
    [["--unknown"], 126],
    [["--env-file", "/nowhere"], 126],
    [[], 126],
    [["destroy", "x", "--yes"], 0],
  ])("exitStatusFor decides about all of them: %j ends with %d", async (args, status) => {
    expect(await runFixture(args, { environment: { FIXTURE_WAL_FETCH: "1" } })).toMatchObject({ status });
  });
});

describe("signals", () => {
  async function signalled(
    args: readonly string[],
    signals: readonly NodeJS.Signals[],
    environment: Record<string, string> = {},
  ): Promise<Outcome> {
    const child = startFixture(["gap", "wait", ...args], { environment });
    const outcome = outcomeOf(child);
    await once(child.stdout, "data");
    for (const [index, signal] of signals.entries()) {
      const answered = once(child.stderr, "data");
      child.kill(signal);
      if (index < signals.length - 1) await answered;
    }
    return outcome;
  }

  test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("the first %s ends the work in order", async (name) => {
    const { status, signal, stderr } = await signalled([], [name]);
    expect(stderr).toContain("fixture-app noticed");
    expect(stderr).toContain(`error: unable to finish 'fixture': it was stopped by ${name}\nhint: `);
    expect([status, signal]).toEqual([4, null]);
  });

  test("a second one ends the program at once", async () => {
    const { status, stderr } = await signalled(["--deaf"], ["SIGTERM", "SIGINT"]);
    expect(stderr).toContain("a second signal ends the program at once");
    expect(stderr).toContain("stopped by SIGINT");
    expect(status).toBe(4);
  });

  test("a second one ends the programs that it runs, too", async () => {
    const marker = path.join(directory, "program");
    await signalled(["--deaf"], ["SIGTERM", "SIGTERM"], { FIXTURE_PROGRAM: marker });
    const running = ["-o", "stat=", "-p", readFileSync(marker, "utf8").trim()];
    // A process that its parent has not collected has ended.
    await expect.poll(() => spawnSync("ps", running, { encoding: "utf8" }).stdout).toMatch(/^(Z.*)?\n?$/);
  });

  test("SIGQUIT, which PostgreSQL sends at an immediate shutdown, ends it at once, with a status", async () => {
    expect(await signalled(["--deaf"], ["SIGQUIT"])).toMatchObject({ status: 4, signal: null });
  });

  test("exitStatusFor holds for signals too", async () => {
    expect(await signalled([], ["SIGTERM"], { FIXTURE_WAL_FETCH: "1" })).toMatchObject({ status: 126, signal: null });
    expect(await signalled(["--deaf"], ["SIGTERM", "SIGTERM"], { FIXTURE_WAL_FETCH: "1" })).toMatchObject({
      status: 126,
      signal: null,
    });
  });
});

describe("a program that a shell started, and that a shell ends", () => {
  const environment = { FIXTURE_BY_SHELL: "1" };

  test("ends with its status and all of its output, though something of it would go on", async () => {
    const full = await runFixture(["fail", "output"], { environment });
    expect([full.status, full.stderr]).toEqual([0, ""]);
    expect(full.stdout.match(/^line /gm)).toHaveLength(20_000);
    const known = await runFixture(["fail", "known"], { environment });
    expect([known.status, known.signal]).toEqual([exitStatusOf(new SoarError("WAL_CONFLICT", "x")), null]);
    expect(known.stderr).toMatch(/^error: unable to archive 'x'.*\nhint: .*\n$/);
    for (const way of ["bug", "later", "rejected", "empty-loop"])
      expect((await runFixture(["fail", way], { environment })).status, way).toBe(70);
  });

  test("leaves the log of a server as it was: a pipe that its writers wait for", () => {
    // The program shares its standard error with the shell, which says at the end how that is.
    const script = '"$0" "$@"; grep ^flags: /proc/self/fdinfo/2';
    const { stdout, stderr } = spawnSync(
      "/bin/sh",
      ["-c", script, process.execPath, ...fixture.arguments(), "fail", "known"],
      {
        encoding: "utf8",
        env: { PATH: process.env["PATH"], BACKUP_ENV_FILE: "/dev/null", ...environment },
      },
    );
    expect(stderr).toContain("unable to archive 'x'");
    const [, octal = ""] = /^flags:\s+(\d+)$/m.exec(stdout) ?? [];
    expect(Number.parseInt(octal, 8) & constants.O_NONBLOCK, stdout).toBe(0);
  });
});

describe("output", () => {
  test("a reader that went away does not stop the work", async () => {
    const mark = path.join(directory, "mark");
    const child = startFixture(["fail", "output"], { environment: { FIXTURE_MARK: mark } });
    const closed = once(child, "close");
    child.stdout.once("data", () => child.stdout.destroy());
    expect(await closed).toEqual([0, null]);
    expect(existsSync(mark)).toBe(true);
  });

  test("output that cannot be written is a failure", async () => {
    const full = openSync("/dev/full", "w");
    const child = spawn(process.execPath, [...fixture.arguments(), "fail", "output"], {
      stdio: ["ignore", full, "pipe"],
      env: { BACKUP_ENV_FILE: "/dev/null" },
    });
    closeSync(full);
    const [status] = (await once(child, "exit")) as [number];
    expect(status).toBe(21);
  });

  test("a destructive command asks, and refuses where it cannot", async () => {
    expect(await runFixture(["destroy", "x", "y", "z"])).toMatchObject({
      status: 3,
      stdout: "",
      stderr: expect.stringMatching(
        /^Plan: remove x and 2 others\.\nerror: unable to ask 'Remove x\?': there is no terminal\nhint: /,
      ),
    });
    expect(await runFixture(["destroy", "x", "--yes"])).toMatchObject({ status: 0, stdout: "removed\n" });
  });
});
