import type { Plugin } from "esbuild";

/**
 * Imports of `node:http` in a bundle, taken from the module itself. An ES import reads all of its names at once, and three of
 * them (`WebSocket`, `CloseEvent`, `MessageEvent`) load Node's own fetch client with that: 25 of the some 300 ms of processor time
 * of an `archive_command`, for what no program here uses.
 */
export const plainHttp: Plugin = {
  name: "plain-http",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(?:node:)?http$/ }, ({ kind }) =>
      kind === "import-statement" ? { path: "node:http", namespace: "plain-http", sideEffects: false } : undefined,
    );
    onLoad({ filter: /.*/, namespace: "plain-http" }, () => ({ contents: source(), loader: "js" }));
  },
};

function source(): string {
  const names = Object.entries(Object.getOwnPropertyDescriptors(process.getBuiltinModule("node:http")))
    .filter(([name, { get }]) => get === undefined && name !== "default")
    .map(([name]) => name);
  return `const http = process.getBuiltinModule("node:http");
export default http;
export const { ${names.join(", ")} } = http;
`;
}
