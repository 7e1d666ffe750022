import { openStore } from "@soar/storage";
import { type S3Profile, startS3Server } from "@soar-tooling/s3-server";
import { expect, onTestFinished, test } from "vitest";
import { examine, type Examination } from "./examination.ts";
import { examineProvider } from "./examine-provider.ts";

async function look(profile: S3Profile, deny: readonly string[] = []): Promise<Examination[]> {
  const keys = { accessKeyId: "W", secretAccessKey: "writer-secret" };
  const server = await startS3Server({ profile, credentials: { ...keys, deny } });
  const { bucket, endpoint, region } = server;
  const store = openStore({ url: `s3://${bucket}`, endpoint, region, credentials: keys, retry: false });
  onTestFinished(async () => {
    await store.close();
    await server.close();
  });
  return await examine("storage", async (notes) => {
    await examineProvider(store, "config/doctor/", { notes, signal: undefined });
  });
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
