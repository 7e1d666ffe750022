/**
 * Packages every branch of which is taken by their own tests, or says in a `v8 ignore` comment why it cannot be: all others rest on
 * them, and a fault in them shows far from its line.
 */
export const COVERED_PACKAGES = ["errors", "pg-tools", "repository"] as const;
