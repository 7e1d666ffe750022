import { openS3ForTest } from "./s3-fixture.ts";
import { testThroughWrappers } from "./wrappers.ts";

testThroughWrappers("s3", async () => await openS3ForTest("aws"));
