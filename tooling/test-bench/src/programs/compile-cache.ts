/**
 * Where Node keeps what it has compiled, for the environment of a program that is given nothing else of this process's: a test
 * starts ours some dozen times, and each time the same bundle is compiled. Empty where nobody has named a place, as `npm test` does.
 */
export function compileCache(): Readonly<Record<string, string>> {
  const directory = process.env["NODE_COMPILE_CACHE"];
  return directory === undefined ? {} : { NODE_COMPILE_CACHE: directory };
}
