import { readFileSync } from "node:fs";

export interface CodeBlock {
  /** First line of the block in its file, counted from 1. */
  readonly line: number;
  readonly text: string;
}

/** The fenced blocks of a language in a Markdown file. */
export function codeBlocks(path: string, language: string): CodeBlock[] {
  const lines = readFileSync(path, "utf8").split("\n");
  const blocks: CodeBlock[] = [];
  for (let at = lines.indexOf(`\`\`\`${language}`); at >= 0; at = lines.indexOf(`\`\`\`${language}`, at + 1)) {
    const end = lines.indexOf("```", at);
    blocks.push({ line: at + 2, text: lines.slice(at + 1, end).join("\n") });
  }
  return blocks;
}

/** The command lines of our binaries in the shell blocks of a file, without `sudo` and comments. */
export function documentedCommands(path: string): string[] {
  return codeBlocks(path, "bash").flatMap(({ text }) =>
    text.split("\n").flatMap((line) => {
      const command = line.replace(/^\s*(?:sudo (?:-u \w+ )?)?/, "").replace(/\s+#.*$/, "");
      return command.startsWith("soar-") ? [command] : [];
    }),
  );
}

/** Splits a documented command line: words, and words in quotes. */
export function splitWords(command: string): string[] {
  return [...command.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, single, double, plain]) => single ?? double ?? plain ?? "",
  );
}
