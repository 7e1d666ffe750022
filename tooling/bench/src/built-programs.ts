import { fileURLToPath } from "node:url";

/** Where the built binaries lie. */
export const BIN = fileURLToPath(new URL("../../../node_modules/.bin/", import.meta.url));
