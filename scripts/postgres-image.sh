#!/bin/sh
# The command of the image "postgres" (Dockerfile): makes a cluster when there is none, then runs it with the
# module preloaded. Everybody but the server's own user needs a password. Arguments go to the server.
set -eu

bin=/usr/lib/postgresql/15/bin
data=/var/lib/postgresql/data

if [ ! -s "$data/PG_VERSION" ]; then
    "$bin/initdb" -D "$data" -U postgres -E UTF8 --locale=C.UTF-8 --data-checksums \
        --auth-local=peer --auth-host=scram-sha-256 --pwfile="${POSTGRES_PASSWORD_FILE:?names no file with the password of role postgres}"
    echo "host all all all scram-sha-256" >>"$data/pg_hba.conf"
fi
exec "$bin/postgres" -D "$data" -c listen_addresses='*' -c shared_preload_libraries=pg_tenancy "$@"
