import { spawn } from "node:child_process";
import { once } from "node:events";
import { requires } from "@soar-tooling/test-bench";
import { expect, onTestFinished, test } from "vitest";
import { hasProcessEnded, ownIdentity, type ProcessIdentity } from "./process-identity.ts";
import { processStart } from "./process-start.ts";

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
