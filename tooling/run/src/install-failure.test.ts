import { expect, test } from "vitest";
import { explainInstallFailure } from "../install-failure.mjs";

const MANAGER = "pnpm@1.2.3";

test.each([
  ["ERR_PNPM_ENOSPC  ENOSPC: no space left on device, write", "the disk is full"],
  ["write error: Disk quota exceeded (os error 122)", "the disk quota is used up"],
  [
    "[ERR_PNPM_OUTDATED_LOCKFILE] Cannot install with frozen-lockfile because pnpm-lock.yaml is not up to date",
    "pnpm-lock.yaml does not fit the package.json files",
  ],
  ["npm error code SELF_SIGNED_CERT_IN_CHAIN", "the registry's certificate is not trusted"],
  ["ERR_PNPM_FETCH_403  GET https://registry.example/x: Forbidden - 403", "the registry refused the request"],
  [
    "npm error code ENOTFOUND\nnpm error network request to https://registry.npmjs.org/pnpm failed",
    "the npm registry cannot be reached",
  ],
  ["error sending request for url (https://registry.npmjs.org/turbo)", "the npm registry cannot be reached"],
  ["npm error code EACCES\nnpm error syscall mkdir\nnpm error path /.npm", "a file or folder cannot be written"],
  ["Permission denied (os error 13)", "a file or folder cannot be written"],
  ["npm warn old\nERR_PNPM_STRANGE  something new happened\nmore", "ERR_PNPM_STRANGE  something new happened"],
  ["", "npx printed nothing"],
])("%s", (output, fact) => {
  const explained = explainInstallFailure(output, "/checkout", MANAGER);
  expect(explained.fact).toBe(fact);
  expect(explained.hint).toMatch(/^[A-Z].*\.$/);
});
