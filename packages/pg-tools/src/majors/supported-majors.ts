/**
 * What one major version of PostgreSQL writes in another way than its neighbours. Everything in this package that asks
 * for a version asks here, so that a new major is one more row. `supported-majors.integration.test.ts` compares every
 * field with a server of that major.
 */
export interface SupportedMajor {
  readonly major: number;
  readonly wal: WalFormat;
  readonly controlFile: ControlFileFormat;
  /** Where `reltoastrelid` stands in a row of pg_class (pg_class.h). */
  readonly classToastOffset: number;
  /** Least number of digits after the slash of an LSN that the server prints: 1 is `0/28`, 8 is `0/00000028`. */
  readonly lsnLowDigits: number;
  /** Of `backup_manifest`; 2 has the system identifier. */
  readonly manifestVersion: 1 | 2;
  /** Bytes of a `MultiXactOffset` (c.h), the number of a member: in pg_control, in the WAL and in pg_multixact. */
  readonly multixactOffsetSize: 4 | 8;
  /** Settings that name a file of access rules beside postgresql.conf: a backup that lacks one of them lets in others. */
  readonly accessFileSettings: readonly string[];
  readonly features: MajorFeatures;
}

/** Pages and records of the WAL. */
export interface WalFormat {
  /**
   * `XLOG_PAGE_MAGIC` (xlog_internal.h). It changes with the format of WAL records, so a page with another magic cannot
   * be read with these rules even if it is intact.
   */
  readonly pageMagic: number;
  /** Bits of `xlp_info` that are defined (`XLP_ALL_FLAGS`). */
  readonly pageFlags: number;
  /** `XLP_FIRST_IS_OVERWRITE_CONTRECORD`: the page begins where a crash cut off a record, which is to be forgotten. */
  readonly overwriteContrecordFlag: number;
  /** `RM_MAX_BUILTIN_ID` (rmgr.h). */
  readonly lastResourceManager: number;
  /** Where `nextXid` and the fields after it stand in a `CheckPoint` (pg_control.h), in the WAL and in pg_control. */
  readonly checkpointNextOffset: number;
  /** Where `time` stands in a `CheckPoint`. */
  readonly checkpointTimeOffset: number;
  /** Size of `xl_xact_stats_item` (xact.h). */
  readonly droppedStatsSize: number;
}

/** `ControlFileData` (pg_control.h): where the fields stand that did not stay in their places. */
export interface ControlFileFormat {
  /** `PG_CONTROL_VERSION`, which majors may share. */
  readonly controlVersion: number;
  /** `CATALOG_VERSION_NO` (catversion.h), which tells such majors apart. */
  readonly catalogVersion: number;
  /** `minRecoveryPoint` and the positions of a backup after it. */
  readonly recoveryOffset: number;
  /** `wal_level` and the other parameters after it. */
  readonly settingsOffset: number;
  readonly maxAlignOffset: number;
  readonly floatFormatOffset: number;
  readonly blockSizeOffset: number;
  readonly blocksPerRelationFileOffset: number;
  readonly walBlockSizeOffset: number;
  readonly walSegmentSizeOffset: number;
  readonly dataChecksumVersionOffset: number;
  /** Where the CRC-32C over everything before it stands. */
  readonly crcOffset: number;
}

export interface MajorFeatures {
  /** `pg_hba.conf` and `pg_ident.conf` may include files, which the server names. */
  readonly accessIncludes: boolean;
  /** `summarize_wal`: the server knows the blocks that changed between two positions, for incremental backups. */
  readonly walSummaries: boolean;
  /** `CREATE EVENT TRIGGER ... ON login`, and `event_triggers` to switch them off. */
  readonly loginEventTriggers: boolean;
  /** `synchronized_standby_slots`: logical decoding waits for slots of standbys. */
  readonly slotsOfStandbys: boolean;
  /** `promote_trigger_file`: whoever makes the file ends recovery, wherever that is. */
  readonly promoteTriggerFile: boolean;
  /** `initdb` switches data checksums on unless it is told not to. */
  readonly checksumsByDefault: boolean;
}

const WAL_SINCE_15 = {
  pageFlags: 0x0f,
  overwriteContrecordFlag: 0x08,
  lastResourceManager: 21,
  checkpointNextOffset: 24,
  checkpointTimeOffset: 64,
} as const;

const CONTROL_FILE_SINCE_15 = {
  recoveryOffset: 136,
  settingsOffset: 172,
  maxAlignOffset: 204,
  floatFormatOffset: 208,
  blockSizeOffset: 216,
  blocksPerRelationFileOffset: 220,
  walBlockSizeOffset: 224,
  walSegmentSizeOffset: 228,
  dataChecksumVersionOffset: 252,
} as const;

/** The checkpoint before all these is longer: logicalDecodingEnabled came in, and nextMultiOffset has 64 bits. */
const CONTROL_FILE_SINCE_19 = {
  recoveryOffset: 144,
  settingsOffset: 180,
  maxAlignOffset: 212,
  floatFormatOffset: 216,
  blockSizeOffset: 224,
  blocksPerRelationFileOffset: 228,
  // slru_pages_per_segment stands before it.
  walBlockSizeOffset: 236,
  walSegmentSizeOffset: 240,
  // data_checksum_version_init, which tells initdb's choice, stands before it.
  dataChecksumVersionOffset: 268,
} as const;

const ACCESS_FILES_SINCE_15 = ["hba_file", "ident_file"] as const;

const FEATURES_SINCE_18 = {
  accessIncludes: true,
  walSummaries: true,
  loginEventTriggers: true,
  slotsOfStandbys: true,
  promoteTriggerFile: false,
  checksumsByDefault: true,
} as const;

/** The majors that these tools read and write, oldest first, without a gap. */
export const SUPPORTED_MAJORS: readonly [SupportedMajor, ...SupportedMajor[]] = [
  {
    major: 15,
    wal: { ...WAL_SINCE_15, pageMagic: 0xd110, droppedStatsSize: 12 },
    controlFile: { ...CONTROL_FILE_SINCE_15, controlVersion: 1300, catalogVersion: 202209061, crcOffset: 288 },
    classToastOffset: 108,
    lsnLowDigits: 1,
    multixactOffsetSize: 4,
    manifestVersion: 1,
    accessFileSettings: ACCESS_FILES_SINCE_15,
    features: {
      accessIncludes: false,
      walSummaries: false,
      loginEventTriggers: false,
      slotsOfStandbys: false,
      promoteTriggerFile: true,
      checksumsByDefault: false,
    },
  },
  {
    major: 16,
    wal: { ...WAL_SINCE_15, pageMagic: 0xd113, droppedStatsSize: 12 },
    controlFile: { ...CONTROL_FILE_SINCE_15, controlVersion: 1300, catalogVersion: 202307071, crcOffset: 288 },
    classToastOffset: 108,
    lsnLowDigits: 1,
    multixactOffsetSize: 4,
    manifestVersion: 1,
    accessFileSettings: ACCESS_FILES_SINCE_15,
    features: {
      accessIncludes: true,
      walSummaries: false,
      loginEventTriggers: false,
      slotsOfStandbys: false,
      promoteTriggerFile: false,
      checksumsByDefault: false,
    },
  },
  {
    major: 17,
    wal: { ...WAL_SINCE_15, pageMagic: 0xd116, droppedStatsSize: 12 },
    controlFile: { ...CONTROL_FILE_SINCE_15, controlVersion: 1700, catalogVersion: 202406281, crcOffset: 288 },
    classToastOffset: 108,
    lsnLowDigits: 1,
    multixactOffsetSize: 4,
    manifestVersion: 2,
    accessFileSettings: ACCESS_FILES_SINCE_15,
    features: {
      accessIncludes: true,
      walSummaries: true,
      loginEventTriggers: true,
      slotsOfStandbys: true,
      promoteTriggerFile: false,
      checksumsByDefault: false,
    },
  },
  {
    major: 18,
    // Statistics of dropped objects got 64-bit identifiers.
    wal: { ...WAL_SINCE_15, pageMagic: 0xd118, droppedStatsSize: 16 },
    // default_char_signedness stands before the nonce.
    controlFile: { ...CONTROL_FILE_SINCE_15, controlVersion: 1800, catalogVersion: 202506291, crcOffset: 292 },
    // relallfrozen stands before it.
    classToastOffset: 112,
    lsnLowDigits: 1,
    multixactOffsetSize: 4,
    manifestVersion: 2,
    accessFileSettings: ACCESS_FILES_SINCE_15,
    features: FEATURES_SINCE_18,
  },
  {
    major: 19,
    wal: {
      pageMagic: 0xd122,
      // XLP_BKP_REMOVABLE is gone, which stood on nearly every page and had the bit that now tells of a record that was cut off.
      pageFlags: 0x07,
      overwriteContrecordFlag: 0x04,
      lastResourceManager: 21,
      // logicalDecodingEnabled stands before them.
      checkpointNextOffset: 32,
      checkpointTimeOffset: 72,
      droppedStatsSize: 16,
    },
    controlFile: { ...CONTROL_FILE_SINCE_19, controlVersion: 1905, catalogVersion: 202610061, crcOffset: 308 },
    classToastOffset: 112,
    lsnLowDigits: 8,
    multixactOffsetSize: 8,
    manifestVersion: 2,
    // pg_hosts.conf: certificates by the name of the host that a client asks for.
    accessFileSettings: ["hba_file", "hosts_file", "ident_file"],
    features: FEATURES_SINCE_18,
  },
];
