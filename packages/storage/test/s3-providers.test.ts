import { PROFILES, type S3Profile } from "@soar-tooling/s3-server";
import { openS3ForTest } from "./s3-fixture.ts";
import { testOpened } from "./wrappers.ts";

for (const profile of Object.keys(PROFILES) as S3Profile[]) {
  if (profile !== "aws") testOpened(`s3 like ${profile}`, async () => await openS3ForTest(profile));
}
