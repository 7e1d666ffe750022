import { type ObjectStore, readOnly, withPrefix, withRetry, withThrottle } from "@soar/storage";
import { testObjectStore } from "@soar/storage/testing";

/** A driver, opened with what has to be undone afterwards. */
export interface Opened {
  readonly store: ObjectStore;
  readonly cleanUp: () => Promise<void>;
}

const WRAPPERS: Readonly<Record<string, (store: ObjectStore) => ObjectStore>> = {
  "as it is": (store) => store,
  "through withRetry": (store) => withRetry(store),
  "through withPrefix": (store) => withPrefix(store, "some/prefix"),
  "through withThrottle": (store) => withThrottle(store, { bytesPerSecond: 1e9 }),
  "through all of them": (store) => withPrefix(withRetry(withThrottle(store, { bytesPerSecond: 1e9 })), "/p/"),
};

/** Runs the conformance suite on a driver, and on the driver through each wrapper. */
export function testThroughWrappers(driver: string, openDriver: () => Promise<Opened>): void {
  for (const [wrapper, wrap] of Object.entries(WRAPPERS)) testOpened(`${driver} ${wrapper}`, openDriver, wrap);
  let opened: Promise<Opened> | undefined;
  testObjectStore(`${driver} through readOnly`, async () => readOnly((await (opened ??= openDriver())).store), {
    openWriter: async () => (await (opened ??= openDriver())).store,
    cleanUp: async () => await (await opened)?.cleanUp(),
  });
}

/** Runs the conformance suite on one store. */
export function testOpened(
  name: string,
  openDriver: () => Promise<Opened>,
  wrap: (store: ObjectStore) => ObjectStore = (store) => store,
): void {
  let opened: Opened | undefined;
  const open = async (): Promise<ObjectStore> => {
    opened = await openDriver();
    return wrap(opened.store);
  };
  testObjectStore(name, open, { cleanUp: async () => await opened?.cleanUp() });
}
