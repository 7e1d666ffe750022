import { createMemoryStore, readObject, type ObjectStore } from "@soar/storage";
import {
  createVerifyPool,
  verifyRepository,
  type Depth,
  type Finding,
  type VerifyOptions,
  type VerifyPool,
  type VerifyReport,
} from "@soar/verify";
import { fillSampleRepository, keysOf } from "@soar-tooling/sample-repository";
import { afterAll, beforeAll, beforeEach } from "vitest";

const NOW = new Date("2025-01-06T04:00:00Z");
export const STORED_AT = new Date("2025-01-06T03:30:00Z");
export const FULL: Depth = { level: "full" };
export const QUICK: Depth = { level: "quick" };

type Told = [kind: Finding["kind"], where: string, severity: Finding["severity"]];

export interface SampleUse {
  /** A copy of the healthy repository for each test, to be damaged. */
  readonly repository: { store: ObjectStore };
  /** In full unless told. */
  verify(options?: Partial<VerifyOptions>, target?: ObjectStore): Promise<VerifyReport>;
  find(options?: { readonly labels?: readonly string[]; readonly depth?: Depth }): Promise<Told[]>;
}

/** A small healthy repository and the worker threads to verify it, for the tests of one file. */
export function useSampleRepository(): SampleUse {
  let healthy: ObjectStore;
  let pool: VerifyPool;
  const repository: { store: ObjectStore } = { store: createMemoryStore() };
  beforeAll(async () => {
    pool = createVerifyPool(2);
    healthy = createMemoryStore({ now: () => STORED_AT });
    await fillSampleRepository(healthy);
  });
  afterAll(() => pool.close());
  beforeEach(async () => {
    repository.store = createMemoryStore({ now: () => STORED_AT });
    for (const key of await keysOf(healthy)) await repository.store.put(key, await readObject(healthy, key));
  });
  const verify: SampleUse["verify"] = (options = {}, target = repository.store) =>
    verifyRepository(target, { depth: FULL, jobs: 2, host: "h", now: () => NOW, pool, ...options });
  return {
    repository,
    verify,
    async find({ labels = [], depth = FULL } = {}) {
      const { findings } = await verify({ labels, depth });
      return findings.map(({ kind, where, severity }) => [kind, where, severity]);
    },
  };
}

export const error = (kind: Finding["kind"], where: string): Told => [kind, where, "error"];
export const warning = (kind: Finding["kind"], where: string): Told => [kind, where, "warning"];
/** Changes one bit. */
export const flip = (at: number) => (bytes: Buffer) => (bytes.writeUInt8(bytes.readUInt8(at) ^ 0x20, at), bytes);
