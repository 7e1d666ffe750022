/** Of PostgreSQL, by `npm test -- --major 19`: the tests see no other one then. */
export const ONLY_MAJOR_VARIABLE = "SOAR_TEST_MAJOR";

/** The only major that the tests are to see; undefined for all of them. */
export function onlyMajor(): number | undefined {
  const value = process.env[ONLY_MAJOR_VARIABLE] ?? "";
  return value === "" ? undefined : Number(value);
}
