/** Turns the output of a failed `pnpm install` into one fact and one hint. */
export function explainInstallFailure(
  output: string,
  root: string,
  packageManager: string,
): { fact: string; hint: string };
