import { describe, expect, test } from "vitest";
import { mayAccess, type S3Credential } from "./credential.ts";
import { isAllowed, type Policy } from "./policy.ts";

const WRITER: Policy = {
  Version: "2012-10-17",
  Statement: [
    { Effect: "Allow", Action: ["s3:PutObject", "s3:Get*"], Resource: "arn:aws:s3:::backup/cluster1/*" },
    {
      Effect: "Allow",
      Action: "s3:ListBucket",
      Resource: "arn:aws:s3:::backup",
      Condition: { StringLike: { "s3:prefix": "cluster1/*" } },
    },
    { Effect: "Deny", Action: "s3:*", Resource: "arn:aws:s3:::backup/cluster1/secret/*" },
  ],
};

function allows(action: string, key: string, prefix?: string): boolean {
  return isAllowed(WRITER, { action, bucket: "backup", key, prefix });
}

describe("isAllowed", () => {
  test("needs a statement that allows", () => {
    expect(allows("s3:PutObject", "cluster1/wal/1")).toBe(true);
    expect(allows("s3:GetObjectVersion", "cluster1/wal/1")).toBe(true);
    expect(allows("s3:PutObject", "cluster2/wal/1")).toBe(false);
    expect(allows("s3:DeleteObject", "cluster1/wal/1")).toBe(false);
  });

  test("lets a denial win", () => {
    expect(allows("s3:PutObject", "cluster1/secret/1")).toBe(false);
  });

  test("knows conditions on the prefix of a listing", () => {
    expect(allows("s3:ListBucket", "", "cluster1/wal/")).toBe(true);
    expect(allows("s3:ListBucket", "", "")).toBe(false);
    expect(allows("s3:ListBucket", "")).toBe(false);
  });

  test("refuses to guess at other conditions", () => {
    const policy: Policy = {
      Statement: [
        { Effect: "Allow", Action: "*", Resource: "*", Condition: { IpAddress: { "aws:SourceIp": "10.0.0.0/8" } } },
      ],
    };
    expect(() => isAllowed(policy, { action: "s3:GetObject", bucket: "b", key: "k" })).toThrowError(/IpAddress/);
  });
});

test("a credential can be denied single actions, also below a prefix only", () => {
  const credential: S3Credential = {
    accessKeyId: "a",
    secretAccessKey: "b",
    deny: ["s3:Delete*", { action: "s3:PutObject", keyPrefix: "base/" }],
  };
  const may = (action: string, key: string): boolean => mayAccess(credential, { action, bucket: "b", key });
  expect([may("s3:DeleteObject", "wal/1"), may("s3:PutObject", "base/1"), may("s3:PutObject", "wal/1")]).toEqual([
    false,
    false,
    true,
  ]);
});
