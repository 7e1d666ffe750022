/** The one value that is taken from the storage package, in a module of its own so that it can be loaded on demand. */
export { openStore } from "@soar/storage";
