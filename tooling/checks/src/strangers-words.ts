import type { Check } from "./check.ts";

/** Libraries that are of use without our programs. `metrics` is none of them: it is the table of what the programs write. */
const FOR_STRANGERS = new Set([
  "@soar/durable-files",
  "@soar/pg-tools",
  "@soar/seekable-tar",
  "@soar/storage",
  "@soar/task-pool",
]);

const OURS: readonly { readonly pattern: RegExp; readonly what: string }[] = [
  { pattern: /\b(?:BACKUP|SOAR|AWS)_[A-Z][A-Z_]*\b/, what: "our variable" },
  { pattern: /(?<![\w.@/-])soar-[a-z]+(?:-[a-z]+)*\b/, what: "our program" },
  { pattern: /(?<![\w-])--[a-z][\w-]*/, what: "our flag" },
];
/** Flags of other people's programs, which are named before them. */
const FOREIGN_COMMAND = /\b(?:aws|initdb|pg_\w+|postgres|psql|tar|apt|npm|node)\b[^.]*?(?= --)/;

/**
 * Messages of a library say what it knows: settings by the fields that its caller gave, never our flags, variables and
 * programs, which its other users do not have. The names come from app-kit (`StoreConfig.settingNames`).
 */
export const strangersWords: Check = {
  name: "libraries for strangers do not speak of our programs",
  find: ({ packages }) =>
    packages
      .filter(({ name }) => FOR_STRANGERS.has(name))
      .flatMap(({ modules }) => modules.filter(({ isTest, path }) => !isTest && !path.includes("/src/testing/")))
      .flatMap(({ path, texts }) =>
        texts.flatMap(({ text, line }) => {
          const found = foundIn(text);
          return found === undefined
            ? []
            : [{ path, line, message: `${found} in a message: name the field of the configuration` }];
        }),
      ),
};

/** Only of sentences: a word alone is a code, a name or an argument. */
function foundIn(text: string): string | undefined {
  if (!/\S\s+\S/.test(text)) return undefined;
  for (const { pattern, what } of OURS) {
    const [found] = pattern.exec(text) ?? [];
    if (found !== undefined && !(found.startsWith("--") && FOREIGN_COMMAND.test(text))) return `${what} '${found}'`;
  }
  return undefined;
}
