import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ObjectStore } from "../object-store.ts";
import { defineGetSuite } from "./get-suite.ts";
import { defineListSuite, defineRemoveSuite } from "./list-suite.ts";
import { defineMultipartSuite } from "./multipart-suite.ts";
import { definePutSuite } from "./put-suite.ts";
import { defineReadOnlySuite } from "./read-only-suite.ts";
import { createRoot, listKeys, type SuiteContext } from "./suite-context.ts";

export interface TestObjectStoreOptions {
  /** Size of the parts that the suite uploads, in bytes; the store's smallest unless told. */
  readonly partSize?: number | undefined;
  /** For a read-only view: opens the store below it, through which objects are prepared. */
  readonly openWriter?: (() => ObjectStore | Promise<ObjectStore>) | undefined;
  /** Runs after the store was closed. */
  readonly cleanUp?: (() => void | Promise<void>) | undefined;
}

/**
 * Defines vitest tests for every promise of the storage contract: each promise is one test, and its name says it. The
 * store is opened once; each test works below a prefix of its own, and at the end everything is removed again.
 *
 * @example testObjectStore("my store", () => openMyStore());
 */
export function testObjectStore(
  name: string,
  open: () => ObjectStore | Promise<ObjectStore>,
  options: TestObjectStoreOptions = {},
): void {
  describe(name, () => {
    let store: ObjectStore;
    let writer: ObjectStore;
    let context: SuiteContext;
    let tests = 0;
    const root = createRoot();
    const use = (): SuiteContext => context;

    beforeAll(async () => {
      store = await open();
      writer = (await options.openWriter?.()) ?? store;
    });
    beforeEach(() => {
      tests += 1;
      const ownRoot = `${root}${tests}/`;
      context = {
        store,
        writer,
        partSize: options.partSize ?? Math.max(64, writer.features.minPartSize),
        key: (rest) => ownRoot + rest,
      };
    });
    afterAll(async () => {
      await removeLeftovers(writer, root);
      await store.close();
      if (writer !== store) await writer.close();
      await options.cleanUp?.();
    });

    defineGetSuite(use);
    defineListSuite(use);
    if (options.openWriter !== undefined) {
      defineReadOnlySuite(use);
      return;
    }
    definePutSuite(use);
    defineMultipartSuite(use);
    defineRemoveSuite(use);
    defineFeatureSuite(use);
  });
}

function defineFeatureSuite(use: () => SuiteContext): void {
  test("names limits that a caller can compute with, and a place without credentials", () => {
    const { store } = use();
    const { maxParts, minPartSize, maxPartSize } = store.features;
    expect(maxParts).toBeGreaterThanOrEqual(1);
    expect(minPartSize).toBeGreaterThanOrEqual(1);
    expect(maxPartSize).toBeGreaterThanOrEqual(minPartSize);
    expect(store.location).toMatch(/^[a-z0-9]+:[^@]*$/);
  });
}

async function removeLeftovers(writer: ObjectStore, root: string): Promise<void> {
  await writer.remove(await listKeys(writer, root));
  await writer.abortStaleUploads(root, new Date(Date.now() + 24 * 3600 * 1000));
  expect(await listKeys(writer, root), "keys that are still there after their removal").toEqual([]);
}
