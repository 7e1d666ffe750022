/**
 * The providers whose limits and oddities are known, each with a row in `PROVIDERS`, and `other` for the rest. An entry
 * of its own (`@soar/storage/provider-names`), so that a table of options needs not load the drivers to name them.
 */
export const PROVIDER_NAMES = ["aws", "b2", "wasabi", "spaces", "r2", "minio", "scaleway", "other"] as const;

export type ProviderName = (typeof PROVIDER_NAMES)[number];
