import type { ObjectStore, StoreConfig, StoreEvent } from "@soar/storage";
import type { ProviderName } from "@soar/storage/provider-names";
import {
  PROFILES,
  type S3Profile,
  type S3ServerOptions,
  type S3TestServer,
  startS3Server,
} from "@soar-tooling/s3-server";
import type { HabitMemory } from "../src/drivers/s3/habit-book.ts";
import { resolveS3Settings } from "../src/drivers/s3/settings.ts";
import { createS3Store } from "../src/drivers/s3/s3-store.ts";
import { PROVIDERS } from "../src/providers.ts";

/** Small parts, so that uploads in parts stay cheap in tests. */
export const TEST_PART_SIZE = 256;

export interface S3ForTest {
  readonly server: S3TestServer;
  readonly store: ObjectStore;
  readonly events: StoreEvent[];
  readonly cleanUp: () => Promise<void>;
}

export interface S3TestOptions {
  readonly server?: S3ServerOptions;
  readonly config?: Partial<StoreConfig>;
}

/** Starts an S3 server that behaves like a provider, and opens the bare driver (no retry, no prefix) on it. */
export async function openS3ForTest(profile: S3Profile, options: S3TestOptions = {}): Promise<S3ForTest> {
  const server = await startS3Server({
    profile,
    pageSize: 7,
    ...options.server,
    rules: { minPartSize: TEST_PART_SIZE, ...options.server?.rules },
  });
  const events: StoreEvent[] = [];
  const store = openDriverOn(server, options.config, events);
  return {
    server,
    store,
    events,
    async cleanUp() {
      await store.close();
      await server.close();
    },
  };
}

/** What stores of this process know of a server ends with it: the next one may get its port. */
const memories = new WeakMap<S3TestServer, HabitMemory>();

function memoryOf(server: S3TestServer): HabitMemory {
  const memory = memories.get(server) ?? new Map();
  memories.set(server, memory);
  return memory;
}

/** Opens the bare driver on a running server. */
export function openDriverOn(
  server: S3TestServer,
  config: Partial<StoreConfig> = {},
  events: StoreEvent[] = [],
): ObjectStore {
  const full: StoreConfig = { provider: providerOf(server.profile), ...configFor(server), ...config };
  const settings = resolveS3Settings(full, server.bucket);
  const provider = { ...settings.provider, minPartSize: TEST_PART_SIZE };
  return createS3Store({
    settings: { ...settings, provider },
    habits: full.habits,
    memory: memoryOf(server),
    onEvent: (event) => events.push(event),
  });
}

export function configFor(server: S3TestServer): StoreConfig {
  const { endpoint, region, accessKeyId, secretAccessKey } = server;
  // A generous limit: the machine that runs tests may be busy, and tests of the limits set their own.
  return { url: `s3://${server.bucket}`, endpoint, region, credentials: { accessKeyId, secretAccessKey } };
}

/** The row of the provider table that a profile of the server plays; profiles without one are unknown providers. */
function providerOf(profile: S3Profile): ProviderName {
  return profile in PROVIDERS && profile in PROFILES ? (profile as ProviderName) : "other";
}
