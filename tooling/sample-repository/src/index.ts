export {
  archiveSample,
  sampleSegment,
  segmentKey,
  segmentName,
  SEGMENT_SIZE,
  SYSTEM_IDENTIFIER,
} from "./sample-wal.ts";
export { fillSampleRepository } from "./fill-sample-repository.ts";
export { putSampleBackup, type SampleBackup } from "./sample-backup.ts";
export { SAMPLE_LABEL, sampleRecord } from "./sample-record.ts";
export { SAMPLE_TABLESPACE } from "./sample-files.ts";
export { keysOf, replaceObject } from "./replace-object.ts";
