import { isAllowed, matchesWildcard, type Access, type Policy } from "./policy.ts";

/** Somebody who may talk to the server. */
export interface S3Credential {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** With one, requests without exactly this token are InvalidToken. */
  readonly sessionToken?: string;
  /** Milliseconds since 1970; afterwards the answer is ExpiredToken. */
  readonly expiresAt?: number;
  /** Actions that are refused, for example `s3:DeleteObject` or `s3:Delete*`. */
  readonly deny?: readonly (string | DeniedAction)[];
  /** With one, only what it allows is allowed. */
  readonly policy?: Policy;
}

/** Denies an action on keys with a prefix only. */
export interface DeniedAction {
  readonly action: string;
  readonly keyPrefix: string;
}

/** Whether the credential may do that. */
export function mayAccess({ deny = [], policy }: S3Credential, access: Access): boolean {
  const denied = deny.some((rule) => {
    const { action, keyPrefix } = typeof rule === "string" ? { action: rule, keyPrefix: "" } : rule;
    return matchesWildcard(action, access.action) && access.key.startsWith(keyPrefix);
  });
  return !denied && (policy === undefined || isAllowed(policy, access));
}
