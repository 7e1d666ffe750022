import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requires, startUncollected } from "@soar-tooling/test-bench";
import { expect, onTestFinished, test } from "vitest";
import {
  areOfOneMachine,
  hasProcessEnded,
  ownIdentity,
  type ProcessIdentity,
  publishedMachineId,
  readMachineId,
} from "./process-identity.ts";
import { isProcessAlive, processStart, readProcessStat } from "./process-start.ts";

async function own(): Promise<ProcessIdentity> {
  const identity = await ownIdentity();
  if (identity === undefined) throw new Error("this system does not tell");
  return identity;
}

test("a process is proved to have ended when it has, also when its id was given out again", async () => {
  const identity = await own();
  expect(await hasProcessEnded(identity)).toBe(false);
  expect(await hasProcessEnded({ ...identity, start: "1" })).toBe(true);
  const child = spawn("sleep", ["60"]);
  await once(child, "spawn");
  const id = child.pid ?? 0;
  const other = { ...identity, id, start: (await processStart(id)) ?? "" };
  expect(await hasProcessEnded(other)).toBe(false);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(await hasProcessEnded(other)).toBe(true);
});

test("a process that has ended is dead, also while nobody collects it", async () => {
  const { id, collect } = await startUncollected();
  onTestFinished(collect);
  const start = (await readProcessStat(id))?.start ?? "";
  expect(await hasProcessEnded({ ...(await own()), id, start })).toBe(true);
  expect(await isProcessAlive(id, start)).toBe(false);
  expect(await processStart(id)).toBeUndefined();
  expect(await isProcessAlive(process.pid, (await own()).start)).toBe(true);
  expect(await isProcessAlive(process.pid, "1")).toBe(false);
});

test("the id of a machine is told to nobody, and is one as it stands in /etc/machine-id only", () => {
  const id = "0123456789abcdef0123456789abcdef";
  // xxd -r -p <<< (the constant) | openssl dgst -sha256 -mac HMAC -macopt hexkey:0123456789abcdef0123456789abcdef
  expect(publishedMachineId(`${id}\n`)).toBe("a4337f5e683b224cc66a7ba20c64c8b3");
  expect(publishedMachineId(id.toUpperCase())).toBe(publishedMachineId(id));
  for (const none of ["", "\n", "uninitialized\n", "0".repeat(32), id.slice(1), `${id}0`, id.replace("0", "x")])
    expect(publishedMachineId(none)).toBeUndefined();
});

test("a machine whose id may not be read, or is no file, has none; no backup depends on it", async () => {
  const directory = mkdtempSync(join(tmpdir(), "soar-machine-id-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const at = (name: string): string => join(directory, name);
  writeFileSync(at("id"), `${"0123456789abcdef".repeat(2)}\n`);
  mkdirSync(at("mounted"));
  symlinkSync("loop", at("loop"));
  execFileSync("mkfifo", [at("pipe")]);
  expect(await readMachineId(at("id"))).toBe("a4337f5e683b224cc66a7ba20c64c8b3");
  for (const none of ["none", "mounted", "loop", "pipe"]) expect(await readMachineId(at(none)), none).toBeUndefined();
  // Nothing that says that there is no id.
  await expect(readMachineId(at("x".repeat(300)))).rejects.toMatchObject({ code: "FILE_UNREADABLE" });
});

test("a machine's id that another user keeps to itself is none", requires("root"), async () => {
  const directory = mkdtempSync(join(tmpdir(), "soar-machine-id-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "id");
  writeFileSync(path, "0123456789abcdef".repeat(2));
  chmodSync(path, 0o600);
  chmodSync(directory, 0o755);
  onTestFinished(() => process.seteuid?.(0));
  process.seteuid?.(65_534);
  expect(await readMachineId(path)).toBeUndefined();
});

test("machines without an id are not proved to be one", () => {
  expect(areOfOneMachine({ machine: "a" }, { machine: "a" })).toBe(true);
  expect(areOfOneMachine({ machine: "a" }, { machine: "b" })).toBe(false);
  expect(areOfOneMachine({ machine: "a" }, {})).toBe(false);
  expect(areOfOneMachine({}, {})).toBe(false);
});

test.each([{ boot: "another" }, { namespace: "pid:[1]" }])("of one elsewhere nothing is proved: %j", async (where) => {
  const identity = { ...(await own()), ...where };
  expect(await hasProcessEnded({ ...identity, start: "1" })).toBe(false);
  expect(await hasProcessEnded({ ...identity, id: 2 ** 22 + 1 })).toBe(false);
});

test("a container counts its processes in another place", requires("root"), async () => {
  const script = `import { ownIdentity } from ${JSON.stringify(new URL("process-identity.ts", import.meta.url).href)};
    console.log(JSON.stringify(await ownIdentity()));`;
  const node = [process.execPath, "--conditions=soar-source", "--input-type=module", "-e", script];
  const container = spawn("unshare", ["--pid", "--fork", "--kill-child", "--mount-proc", ...node], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void container.kill("SIGKILL"));
  const [said] = (await once(container.stdout, "data")) as [Buffer];
  const inside = JSON.parse(said.toString()) as ProcessIdentity;
  const { boot, namespace } = await own();
  expect(inside).toMatchObject({ boot, id: 1 });
  expect(inside.namespace).not.toBe(namespace);
});
