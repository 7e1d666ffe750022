// What a failed install means, and what to do about it. Plain JavaScript for Node 20.

/** In order: the first row whose pattern is found in the output explains the failure. */
const CAUSES = [
  {
    pattern: /ENOSPC|no space left|os error 28\b/i,
    fact: "the disk is full",
    hint: () => "Free about 2 GB where the checkout and the home directory are, then run the command again.",
  },
  {
    pattern: /EDQUOT|os error 122\b/i,
    fact: "the disk quota is used up",
    hint: () => "Free about 2 GB of your quota, then run the command again.",
  },
  {
    pattern: /OUTDATED_LOCKFILE|lockfile is not up to date|frozen-lockfile/i,
    fact: "pnpm-lock.yaml does not fit the package.json files",
    hint: (root, packageManager) => `Run \`npx ${packageManager} install\` in ${root} and commit the lockfile.`,
  },
  {
    pattern: /UNABLE_TO_VERIFY|SELF_SIGNED|certificate|CERT_/i,
    fact: "the registry's certificate is not trusted",
    hint: () => "Name your company's certificate authority in NODE_EXTRA_CA_CERTS and in `npm config set cafile`.",
  },
  {
    pattern: /E?(401|403|407)\b.*(Unauthorized|Forbidden|Proxy)|ERR_PNPM_FETCH_40[137]|npm error code E40[137]/i,
    fact: "the registry refused the request",
    hint: () => "Check `npm config get registry` and its credentials.",
  },
  {
    pattern:
      /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|fetch failed|META_FETCH|error sending request|dns error|network|offline/i,
    fact: "the npm registry cannot be reached",
    hint: () =>
      "Check the network, `npm config get registry` and HTTPS_PROXY, then run the command again; what was fetched is kept.",
  },
  {
    pattern: /EACCES|EPERM|EROFS|permission denied|os error (13|1|30)\b/i,
    fact: "a file or folder cannot be written",
    hint: (root) => `Run as the owner of ${root}, or clone the repository into a folder of your own.`,
  },
];

/** Turns the output of a failed `pnpm install` into one fact and one hint. */
export function explainInstallFailure(output, root, packageManager) {
  const known = CAUSES.find(({ pattern }) => pattern.test(output));
  if (known !== undefined) return { fact: known.fact, hint: known.hint(root, packageManager) };
  const lines = output
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("npm warn"));
  return {
    fact: lines.findLast((line) => /err/i.test(line)) ?? lines.at(-1) ?? "npx printed nothing",
    hint: "Run the command again; an interrupted install starts from nothing.",
  };
}
