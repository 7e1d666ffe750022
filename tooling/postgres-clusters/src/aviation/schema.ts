/**
 * The owner's tables (aviation tracking): two large ones, partitioned by day, of which only the newest partition is
 * written, and small ones that change all day. Indexes as in production.
 */
export const AVIATION_SCHEMA = `
CREATE TABLE receivers (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), callsign text NOT NULL UNIQUE, latitude double precision, longitude double precision,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE devices (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), address char(6) NOT NULL UNIQUE, registration text NOT NULL, aircraft_model text,
  competition_number text, tracked boolean NOT NULL DEFAULT true, last_fix_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE flights (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), device_id uuid NOT NULL, takeoff_at timestamptz, landing_at timestamptz,
  departure_airport char(4), arrival_airport char(4), max_altitude_ft integer, distance_m double precision,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON flights (device_id, takeoff_at);
CREATE TABLE aprs_messages (
  id uuid NOT NULL DEFAULT gen_random_uuid(), raw_message text NOT NULL, received_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(),
  receiver_id uuid NOT NULL, raw_message_hash bytea NOT NULL,
  PRIMARY KEY (id, received_at)) PARTITION BY RANGE (received_at);
CREATE INDEX ON aprs_messages (received_at);
CREATE INDEX ON aprs_messages (receiver_id, received_at, raw_message_hash);
CREATE TABLE fixes (
  id uuid NOT NULL DEFAULT gen_random_uuid(), aprs_message_id uuid NOT NULL, device_id uuid NOT NULL, flight_id uuid, receiver_id uuid NOT NULL,
  received_at timestamptz NOT NULL, source text NOT NULL, destination text NOT NULL, via text[] NOT NULL, device_address char(6) NOT NULL,
  latitude double precision NOT NULL, longitude double precision NOT NULL, altitude_msl_ft integer, altitude_agl_ft integer,
  ground_speed_knots real, track_degrees real, climb_fpm integer, turn_rate_rot real, snr_db real, bit_errors integer,
  frequency_offset_khz real, gnss_horizontal integer, gnss_vertical integer, squawk text, flight_number text, emitter_category text,
  is_active boolean NOT NULL DEFAULT true, is_duplicate boolean NOT NULL DEFAULT false, source_metadata jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (id, received_at)) PARTITION BY RANGE (received_at);
CREATE INDEX ON fixes (received_at);
CREATE INDEX ON fixes (device_id, received_at);
CREATE INDEX ON fixes (flight_id);
`;

/** Fills the small tables. The numbers of rows follow the size, within the owner's order of magnitude. */
export function smallTablesSql(counts: {
  readonly devices: number;
  readonly receivers: number;
  readonly flights: number;
  readonly day: string;
}): string {
  return `
INSERT INTO receivers (callsign, latitude, longitude)
  SELECT 'EDF' || lpad(to_hex(n), 5, '0'), 47 + random() * 7, 6 + random() * 9 FROM generate_series(1, ${counts.receivers}) n;
INSERT INTO devices (address, registration, aircraft_model, competition_number)
  SELECT upper(lpad(to_hex(4000000 + n), 6, '0')), 'D-' || lpad(n::text, 5, '0'), (ARRAY['ASK 21','LS 4','Discus 2','DG 1000','Ventus 3'])[1 + n % 5], 'X' || n % 97
  FROM generate_series(1, ${counts.devices}) n;
INSERT INTO flights (device_id, takeoff_at, landing_at, departure_airport, arrival_airport, max_altitude_ft, distance_m)
  SELECT d.id, t, t + interval '1 hour' * (1 + random()), 'EDDF', 'EDDS', 3000 + (random() * 9000)::int, random() * 500000
  FROM devices d CROSS JOIN LATERAL (SELECT timestamptz '${counts.day} 08:00+00' - interval '1 day' * n AS t
  FROM generate_series(1, ${Math.max(1, Math.round(counts.flights / counts.devices))}) n) f;
ANALYZE;
`;
}
