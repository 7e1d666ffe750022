import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFileStore, createMemoryStore } from "@soar/storage";
import { testThroughWrappers } from "./wrappers.ts";

testThroughWrappers("memory", async () => ({ store: createMemoryStore(), cleanUp: async () => undefined }));

testThroughWrappers("file", async () => {
  const directory = await mkdtemp(join(tmpdir(), "soar-storage-"));
  return { store: createFileStore({ directory }), cleanUp: async () => await rm(directory, { recursive: true }) };
});
