import type { OptionTable } from "./option-table.ts";

/** How the PostgreSQL server is reached; the variables of libpq. */
export const postgresOptions = {
  host: {
    env: "PGHOST",
    type: "string",
    group: "PostgreSQL",
    unset: "the socket in /var/run/postgresql or /tmp, else localhost",
    example: "localhost",
    help: "Host name, address, or directory of the socket.",
  },
  port: { env: "PGPORT", type: "integer", min: 1, max: 65_535, default: 5432, group: "PostgreSQL", help: "Port." },
  dbname: {
    env: "PGDATABASE",
    type: "string",
    default: "postgres",
    group: "PostgreSQL",
    help: "Database to connect to; where it cannot be entered, postgres or template1. A base backup always holds all of them.",
  },
  username: {
    env: "PGUSER",
    type: "string",
    default: "postgres",
    group: "PostgreSQL",
    help: "User. Base backups need a superuser or one with REPLICATION.",
  },
  password: {
    env: "PGPASSWORD",
    type: "string",
    flag: false,
    secret: true,
    group: "PostgreSQL",
    unset: "from the password file",
    example: "...",
    help: "Password. The password file is the better place.",
  },
  passfile: {
    env: "PGPASSFILE",
    type: "string",
    placeholder: "FILE",
    group: "PostgreSQL",
    unset: "~/.pgpass",
    example: "/var/lib/postgresql/.pgpass",
    help: "Password file, with lines of the form host:port:database:user:password.",
  },
  sslmode: {
    env: "PGSSLMODE",
    type: "choice",
    choices: ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
    default: "prefer",
    group: "PostgreSQL",
    help: "Whether the connection is encrypted and the server's certificate checked.",
  },
  sslrootcert: {
    env: "PGSSLROOTCERT",
    type: "string",
    placeholder: "FILE",
    group: "PostgreSQL",
    unset: "the public authorities",
    example: "/etc/soar/postgresql-ca.pem",
    help: "Certificates (PEM) that the server's is checked against.",
  },
} as const satisfies OptionTable;
