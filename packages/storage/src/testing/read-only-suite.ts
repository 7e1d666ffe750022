import { describe, test } from "vitest";
import { bytesOf, expectContent, expectRejection, type UseContext } from "./suite-context.ts";

/** What replaces the writing half of the suite for a view that must not write. */
export function defineReadOnlySuite(use: UseContext): void {
  describe("a read-only view", () => {
    test("rejects every write with STORE_READ_ONLY and changes nothing", async () => {
      const { store, writer, key, partSize } = use();
      await writer.put(key("a"), bytesOf(5));
      await expectRejection(store.put(key("a"), bytesOf(6)), "STORE_READ_ONLY");
      await expectRejection(store.beginMultipart(key("a"), { partSize }), "STORE_READ_ONLY");
      await expectRejection(store.remove([key("a")]), "STORE_READ_ONLY");
      await expectRejection(store.abortStaleUploads(key(""), new Date()), "STORE_READ_ONLY");
      await expectContent(store, key("a"), bytesOf(5));
    });
  });
}
