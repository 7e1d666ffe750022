/** One day of one of the two large tables. */
export interface Partition {
  readonly table: "aprs_messages" | "fixes";
  /** UTC day as `YYYY-MM-DD`. */
  readonly day: string;
  readonly rows: number;
}

/**
 * One transaction that makes the partition, fills it and attaches it. Its indexes are built after the rows are there,
 * which is twice as fast as keeping them up to date, and match those of the parent, so that attaching takes them over.
 */
export function partitionSql(partition: Partition): string {
  const { table, day, rows } = partition;
  const name = `${table}_p${day.replaceAll("-", "")}`;
  const insert = table === "fixes" ? fixesSql(name, day, rows) : messagesSql(name, day, rows);
  return `
BEGIN;
${IN_ORDER_OF_TIME}
CREATE TABLE ${name} (LIKE ${table} INCLUDING DEFAULTS);
${insert};
ALTER TABLE ${name} ADD PRIMARY KEY (id, received_at);
${INDEXED[table].map((columns) => `CREATE INDEX ON ${name} (${columns});`).join("\n")}
ALTER TABLE ${table} ATTACH PARTITION ${name} FOR VALUES FROM ('${day} 00:00+00') TO (timestamptz '${day} 00:00+00' + interval '1 day');
COMMIT;
`;
}

/** Hash joins keep the order of the generated numbers: rows of many devices lie side by side, as on the air, which decides how well they compress. */
const IN_ORDER_OF_TIME =
  "SET LOCAL enable_mergejoin = off; SET LOCAL enable_nestloop = off; SET LOCAL work_mem = '64MB'; SET LOCAL maintenance_work_mem = '256MB'; SET LOCAL jit = off;";

const INDEXED = {
  aprs_messages: ["received_at", "receiver_id, received_at, raw_message_hash"],
  fixes: ["received_at", "device_id, received_at", "flight_id"],
} as const;

/**
 * Rows for one day, into its partition or through the parent. The digits of a message are those of the uuid that is
 * drawn anyway, and what depends on the device alone is joined once per device: both make it several times faster.
 * OFFSET 0 keeps the planner from drawing and translating again at every mention.
 */
export function messagesSql(into: string, day: string, rows: number): string {
  return `
INSERT INTO ${into} (id, raw_message, received_at, created_at, updated_at, receiver_id, raw_message_hash)
SELECT id, raw_message, received_at, received_at, received_at, receiver_id, sha256(convert_to(raw_message, 'UTF8'))
FROM (
  SELECT u.id, ${timeOf(day, rows)} AS received_at, r.id AS receiver_id,
    d.head || r.callsign || ':/' || substr(u.digits, 1, 6) || 'h48' || substr(u.digits, 7, 2) || '.6N\\00912.' || substr(u.digits, 9, 2) || 'E''' || substr(u.digits, 11, 3)
    || '/049/A=00' || substr(u.digits, 14, 4) || d.middle || substr(u.digits, 18, 3) || 'fpm +0.0rot ' || substr(u.digits, 21, 1) || '.8dB 1e -' || substr(u.digits, 22, 1) || '.6kHz' AS raw_message
  FROM ${numbered(MESSAGE_DEVICES, rows)}
  JOIN LATERAL (SELECT id, translate(id::text, 'abcdef-', '012345') AS digits FROM (SELECT gen_random_uuid() AS id WHERE n > 0 OFFSET 0) drawn OFFSET 0) u ON true
) generated`;
}

const MESSAGE_DEVICES = `SELECT 'ICA' || address || '>OGFLR,qAS,' AS head, ' !W52! id0D' || address || ' -' AS middle, row_number() OVER (ORDER BY address) AS nth FROM devices`;

export function fixesSql(into: string, day: string, rows: number): string {
  return `
INSERT INTO ${into} (id, aprs_message_id, device_id, flight_id, receiver_id, received_at, source, destination, via, device_address, latitude, longitude,
  altitude_msl_ft, altitude_agl_ft, ground_speed_knots, track_degrees, climb_fpm, turn_rate_rot, snr_db, bit_errors, frequency_offset_khz,
  gnss_horizontal, gnss_vertical, squawk, flight_number, emitter_category, source_metadata, created_at)
SELECT gen_random_uuid(), gen_random_uuid(), d.id, d.flight_id, r.id, ${timeOf(day, rows)}, d.source, 'OGFLR', r.via, d.address,
  45 + random() * 9, 5 + random() * 10, 1000 + n % 9000, n % 8000, n % 140, n % 360, n % 1200 - 600, (n % 60)::real, (n % 30)::real, n % 5, (n % 9)::real,
  n % 8, n % 9, '7000', NULL, 'glider', '{"protocol": "ogn", "stealth": false}', ${timeOf(day, rows)}
FROM ${numbered(FIX_DEVICES, rows)}`;
}

const FIX_DEVICES = `SELECT d.id, d.address, 'ICA' || d.address AS source, f.id AS flight_id, row_number() OVER (ORDER BY d.address) AS nth
    FROM devices d JOIN LATERAL (SELECT id FROM flights WHERE device_id = d.id ORDER BY takeoff_at DESC LIMIT 1) f ON true`;

/** `n` from 1 to rows, each beside a device `d` and a receiver `r`, in an order in which devices take turns as they do on the air. */
function numbered(devices: string, rows: number): string {
  return `generate_series(1, ${rows}) n
  JOIN (${devices}) d ON d.nth = n % (SELECT count(*) FROM devices) + 1
  JOIN (SELECT id, callsign, ARRAY['qAS', callsign] AS via, row_number() OVER (ORDER BY callsign) AS nth FROM receivers) r ON r.nth = n * 31 % (SELECT count(*) FROM receivers) + 1`;
}

function timeOf(day: string, rows: number): string {
  return `timestamptz '${day} 00:00+00' + n * interval '${Math.max(1, Math.floor(86_000_000_000 / rows))} microseconds'`;
}
