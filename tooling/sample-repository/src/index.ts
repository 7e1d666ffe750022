export {
  archiveSample,
  sampleSegment,
  segmentKey,
  segmentName,
  SEGMENT_SIZE,
  SYSTEM_IDENTIFIER,
} from "./sample-wal.ts";
export {
  fillSampleRepository,
  putSampleBackup,
  SAMPLE_LABEL,
  SAMPLE_TABLESPACE,
  type SampleBackup,
} from "./sample-backup.ts";
export { keysOf, replaceObject } from "./replace-object.ts";
