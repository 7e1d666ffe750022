import { createMemoryStore, type ObjectStore, openStore } from "@soar/storage";
import { type ProfileRules, type S3Profile, type S3TestServer, startS3Server } from "@soar-tooling/s3-server";
import { expect, onTestFinished, test, vi } from "vitest";
import { examine, type Examination } from "./examination.ts";
import { examineProvider, tellHabits } from "./examine-provider.ts";

interface Prepared {
  readonly server: S3TestServer;
  readonly store: ObjectStore;
  readonly look: (through?: ObjectStore) => Promise<Examination[]>;
}

async function prepare(
  profile: S3Profile,
  deny: readonly string[] = [],
  rules: Partial<ProfileRules> = {},
): Promise<Prepared> {
  const keys = { accessKeyId: "W", secretAccessKey: "writer-secret" };
  const server = await startS3Server({ profile, credentials: { ...keys, deny }, rules });
  const { bucket, endpoint, region } = server;
  const store = openStore({ url: `s3://${bucket}`, endpoint, region, credentials: keys, retry: false });
  onTestFinished(async () => {
    await store.close();
    await server.close();
  });
  const lookThrough = async (through = store): Promise<Examination[]> =>
    await examine("storage", async (notes) => {
      await examineProvider(through, "config/doctor/", { notes, signal: undefined });
    });
  return { server, store, look: lookThrough };
}

async function look(...prepared: Parameters<typeof prepare>): Promise<Examination[]> {
  return await (await prepare(...prepared)).look();
}

const RIVALS = expect.objectContaining({ kind: "rival-uploads" }) as unknown;

test.each<S3Profile>(["ceph-16", "swift-2.38", "b2", "ignores-conditions"])(
  "where a provider like %s does not decide between two writers, it is told whether the key lets one end the other",
  async (profile) => {
    expect(await look(profile)).toContainEqual(expect.objectContaining({ kind: "rival-uploads", severity: "ok" }));
    for (const right of ["s3:ListBucketMultipartUploads", "s3:AbortMultipartUpload"])
      expect(await look(profile, [right])).toContainEqual(
        expect.objectContaining({
          kind: "rival-uploads",
          severity: "warning",
          what: expect.stringContaining("detected, but not prevented") as string,
          advice: expect.stringContaining(right) as string,
        }),
      );
  },
);

test("where the provider decides, nothing depends on it", async () => {
  expect(await look("aws", ["s3:ListBucketMultipartUploads"])).not.toContainEqual(RIVALS);
});

const UNPREVENTED = expect.objectContaining({
  kind: "rival-uploads",
  severity: "warning",
  what: expect.stringContaining("detected, but not prevented") as string,
}) as unknown;

test("a provider whose list of uploads is empty lets nobody end another's", async () => {
  const { server, look: lookThere } = await prepare("ignores-conditions", [], { uploadListing: "empty" });
  expect(await lookThere()).toContainEqual(UNPREVENTED);
  expect(server.requests.filter(({ operation }) => operation === "AbortMultipartUpload")).not.toEqual([]);
});

test("an upload that may not be ended is left once, not by each run of the doctor", async () => {
  onTestFinished(() => void vi.useRealTimers());
  const { server, look: lookThere } = await prepare("ignores-conditions", ["s3:AbortMultipartUpload"]);
  const begun = async (): Promise<number> => {
    server.requests.splice(0);
    expect(await lookThere()).toContainEqual(UNPREVENTED);
    return server.requests.filter(
      ({ operation, key }) => operation === "CreateMultipartUpload" && key.includes("rival"),
    ).length;
  };
  expect(await begun()).toBe(1);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2 * 60 * 60_000 });
  expect(await begun()).toBe(0);
});

test("the doctor's own upload is given back whatever stops the doctor, within a limit of its own", async () => {
  const { store, look: lookThere } = await prepare("ignores-conditions");
  const limits: (AbortSignal | undefined)[] = [];
  const watched: ObjectStore = {
    ...store,
    async beginMultipart(key, options) {
      const upload = await store.beginMultipart(key, options);
      if (!key.includes("rival")) return upload;
      return { ...upload, abort: (call) => (limits.push(call?.signal), upload.abort(call)) };
    },
  };
  expect(await lookThere(watched)).toContainEqual(expect.objectContaining({ kind: "rival-uploads", severity: "ok" }));
  expect(limits).toEqual([expect.any(AbortSignal)]);
});

test.each<[S3Profile, readonly string[]]>([
  ["aws", ["conditional-put ok", "max-parts ok"]],
  ["swift-2.38", ["conditional-put ok", "overlapping-puts warning", "rival-uploads ok", "max-parts ok"]],
  ["ceph-16", ["conditional-put ok", "conditional-upload warning", "rival-uploads ok", "max-parts ok"]],
  ["b2", ["conditional-put warning", "rival-uploads ok", "max-parts ok"]],
  ["ignores-conditions", ["conditional-put warning", "rival-uploads ok", "max-parts ok"]],
])("of a provider like %s it is told what becomes of two writers, each thing once", async (profile, expected) => {
  expect((await look(profile)).map(({ kind, severity }) => `${kind} ${severity}`)).toEqual(expected);
});

test("a directory has nothing to be told of but that it refuses to overwrite", async () => {
  const store = createMemoryStore();
  const seen = await examine("storage", async (notes) => {
    await examineProvider(store, "config/doctor/", { notes, signal: undefined });
  });
  expect(seen.map(({ kind, severity }) => `${kind} ${severity}`)).toEqual(["conditional-put ok"]);
});

test("habits without a line of their own are told, with what the provider has refused otherwise", async () => {
  const { store, look: lookThere } = await prepare("no-md5");
  await lookThere();
  const told = await examine("storage", (notes) => tellHabits(store, notes));
  expect(told.map(({ kind, severity }) => `${kind} ${severity}`)).toEqual([
    "provider-content-md5 notice",
    "provider-batch-delete notice",
  ]);
  expect(told.map(({ what }) => what).join("\n")).toMatch(/: the provider refused it otherwise \(.+\)$/m);
});
