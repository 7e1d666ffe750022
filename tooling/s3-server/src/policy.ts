/** An IAM policy as AWS writes it, as far as a backup's policies go. */
export interface Policy {
  readonly Version?: string;
  readonly Statement: readonly PolicyStatement[];
}

export interface PolicyStatement {
  readonly Sid?: string;
  readonly Effect: "Allow" | "Deny";
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
  /** Understood: StringLike and StringEquals on s3:prefix. Anything else makes the statement unreadable. */
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

/** What somebody wants to do. */
export interface Access {
  /** For example `s3:PutObject`. */
  readonly action: string;
  readonly bucket: string;
  /** Empty for the bucket itself. */
  readonly key: string;
  /** The prefix of a listing, for conditions on s3:prefix. */
  readonly prefix?: string | undefined;
}

/** IAM's rule: a matching Deny wins, else a matching Allow is needed. Throws a TypeError for what it cannot evaluate. */
export function isAllowed(policy: Policy, access: Access): boolean {
  const matching = policy.Statement.filter((statement) => matches(statement, access));
  return matching.some(({ Effect }) => Effect === "Allow") && !matching.some(({ Effect }) => Effect === "Deny");
}

function matches(statement: PolicyStatement, access: Access): boolean {
  const resource = `arn:aws:s3:::${access.bucket}${access.key === "" ? "" : `/${access.key}`}`;
  return (
    listOf(statement.Action).some((pattern) => matchesWildcard(pattern.toLowerCase(), access.action.toLowerCase())) &&
    listOf(statement.Resource).some((pattern) => matchesWildcard(pattern, resource)) &&
    Object.entries(statement.Condition ?? {}).every(([operator, tests]) => holds(operator, tests, access))
  );
}

function holds(operator: string, tests: Readonly<Record<string, string | readonly string[]>>, access: Access): boolean {
  if (operator !== "StringLike" && operator !== "StringEquals")
    throw new TypeError(`unable to evaluate policy condition '${operator}'`);
  return Object.entries(tests).every(([name, patterns]) => {
    if (name !== "s3:prefix") throw new TypeError(`unable to evaluate policy condition key '${name}'`);
    const { prefix } = access;
    if (prefix === undefined) return false;
    return listOf(patterns).some((pattern) =>
      operator === "StringEquals" ? pattern === prefix : matchesWildcard(pattern, prefix),
    );
  });
}

/** `*` stands for any run of characters and `?` for one. */
export function matchesWildcard(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, "s").test(text);
}

function listOf(value: string | readonly string[]): readonly string[] {
  return typeof value === "string" ? [value] : value;
}
