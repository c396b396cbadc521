#!/bin/sh
# Stands in for the entrypoint of the `postgres` image: the first start makes the database with a server that listens on
# its socket alone, as there.
set -eu
export PGDATA=/var/lib/postgresql/18/docker PATH="/opt/postgres/bin:$PATH"
if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA" && chown -R postgres:postgres /var/lib/postgresql && chmod 700 "$PGDATA"
  exec setpriv --reuid postgres --regid postgres --clear-groups "$0"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf '%s' "$POSTGRES_PASSWORD" > /tmp/password
  initdb --username="$POSTGRES_USER" --pwfile=/tmp/password --auth-host=scram-sha-256 --auth-local=trust > /tmp/initdb.log
  rm /tmp/password
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  pg_ctl --wait --log=/tmp/first.log --options="-c listen_addresses='' -c unix_socket_directories=/tmp" start
  psql --quiet --host=/tmp --username="$POSTGRES_USER" --dbname=postgres --command="CREATE DATABASE \"$POSTGRES_DB\""
  pg_ctl --wait --mode=fast stop
fi
exec postgres -c listen_addresses='*' -c unix_socket_directories=/tmp
