import { describe, expect, test } from "vitest";
import type { MultipartUpload } from "../object-store.ts";
import {
  bytesOf,
  expectContent,
  expectRejection,
  firedSignal,
  type SuiteContext,
  type UseContext,
} from "./suite-context.ts";

const FUTURE_MS = 3600 * 1000;

/** Uploads in parts that nobody completed. */
export function defineUnfinishedSuite(
  use: UseContext,
  begin: (context: SuiteContext, name?: string) => Promise<MultipartUpload>,
): void {
  describe("listUploads", () => {
    test("names what was begun and neither completed nor aborted, with the time", async () => {
      const context = use();
      const before = Date.now();
      await begin(context, "b/2");
      await (await begin(context, "b/1")).putPart(1, bytesOf(5));
      const done = await begin(context, "b/done");
      await done.putPart(1, bytesOf(5));
      await done.complete();
      await (await begin(context, "b/given-back")).abort();
      const found = await context.store.listUploads(context.key("b/"));
      expect(found.map(({ key }) => key)).toEqual([context.key("b/1"), context.key("b/2")]);
      for (const { begunAt } of found) expect(Math.abs(begunAt.getTime() - before)).toBeLessThan(FUTURE_MS);
      expect(await context.store.listUploads(context.key("c/"))).toEqual([]);
    });

    test("with a fired signal rejects with ABORTED", async () => {
      const { store, key } = use();
      await expectRejection(store.listUploads(key(""), { signal: firedSignal() }), "ABORTED");
    });
  });

  describe("abortStaleUploads", () => {
    test("aborts what was begun before and never completed, and names it", async () => {
      const context = use();
      const stale = await begin(context, "b/2");
      await stale.putPart(1, bytesOf(5));
      await begin(context, "b/1");
      const done = await begin(context, "b/done");
      await done.putPart(1, bytesOf(5));
      await done.complete();
      expect(await context.store.abortStaleUploads(context.key("b/"), new Date(Date.now() + FUTURE_MS))).toEqual([
        context.key("b/1"),
        context.key("b/2"),
      ]);
      expect(await context.store.abortStaleUploads(context.key("b/"), new Date(Date.now() + FUTURE_MS))).toEqual([]);
      await expectRejection(stale.complete(), "STORE_PROTOCOL");
      await expectContent(context.store, context.key("b/done"), bytesOf(5));
    });

    test("leaves younger uploads and other prefixes alone", async () => {
      const context = use();
      const upload = await begin(context, "b/1");
      expect(await context.store.abortStaleUploads(context.key("b/"), new Date(Date.now() - FUTURE_MS))).toEqual([]);
      expect(await context.store.abortStaleUploads(context.key("c/"), new Date(Date.now() + FUTURE_MS))).toEqual([]);
      await upload.putPart(1, bytesOf(5));
      await upload.complete();
      await expectContent(context.store, context.key("b/1"), bytesOf(5));
    });

    test("with a fired signal rejects with ABORTED", async () => {
      const { store, key } = use();
      await expectRejection(store.abortStaleUploads(key(""), new Date(), { signal: firedSignal() }), "ABORTED");
    });
  });
}
