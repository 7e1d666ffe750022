import { NotToBeHad } from "./debian-packages.ts";
import { UNPACKED_MAJORS } from "./unpacked-installations.ts";
import { unpackPostgres } from "./unpack-postgres.ts";

/** `EX_UNAVAILABLE`: this machine cannot have them, which is no fault of the repository. */
const NOT_TO_BE_HAD = 69;

try {
  for (const major of UNPACKED_MAJORS) process.stdout.write(`PostgreSQL ${major} is ${unpackPostgres(major)}\n`);
} catch (error) {
  if (!(error instanceof NotToBeHad)) throw error;
  process.stderr.write(`error: PostgreSQL ${UNPACKED_MAJORS.join(", ")} cannot be had here: ${error.message}\n`);
  process.exitCode = NOT_TO_BE_HAD;
}
