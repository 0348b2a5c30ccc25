#!/usr/bin/env bash
# dockerfile.sh: carries the Dockerfile out without an engine, each stage in a root file system of its own,
# and runs what comes out as the image's user. Knows the instructions that the file uses. This shows that
# the steps work; not how an engine runs the images. Takes minutes, the network and root.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"
# shellcheck source=test/run/suite.sh
source "$ROOT/test/run/suite.sh"
# shellcheck source=test/run/root.sh
source "$ROOT/test/run/root.sh"

ROOTS=${ROOTS:-$ROOT/build/roots}
STAGE='' FOLDER=/

inside() { in_root "$ROOTS/$STAGE" env -i -C "$FOLDER" PATH="$PATH" DEBIAN_FRONTEND=noninteractive "$@"; }

begin_stage() { # FROM debian:SUITE-slim [AS NAME]
    STAGE=image-${3:-last} FOLDER=/
    rm -rf "${ROOTS:?}/$STAGE"
    local suite=${1#debian:}
    make_root "$ROOTS/$STAGE" "${suite%-slim}" base-files
}

copy() { # COPY [--from=STAGE] SOURCE TARGET; the context is the checkout, without .dockerignore's files
    if [[ $1 == --from=* ]]; then
        # shellcheck disable=SC2086 # a pattern
        cp $ROOTS/image-${1#--from=}$2 "$ROOTS/$STAGE$3"
    elif [[ $1 == . ]]; then
        copy_sources "$ROOTS/$STAGE$2"
    else
        cp -r "$ROOT/$1" "$ROOTS/$STAGE$2"
    fi
}

carry_out() {
    local instruction rest words
    while read -r instruction rest; do
        read -ra words <<<"$rest"
        case $instruction in
        FROM) begin_stage "${words[@]}" ;;
        RUN) inside sh -c "$rest" >>"$ROOTS/$STAGE.log" 2>&1 </dev/null || { tail -n 20 "$ROOTS/$STAGE.log" && return 1; } ;;
        COPY) copy "${words[@]}" ;;
        WORKDIR) FOLDER=$rest ;;
        USER) echo "$rest" >"$ROOTS/$STAGE.user" ;;
        '' | '#'* | VOLUME | EXPOSE | STOPSIGNAL | ENTRYPOINT | CMD) ;;
        *) echo "unknown instruction: $instruction" && return 1 ;;
        esac
    done <"$ROOT/Dockerfile"
}

# as_image STAGE COMMAND...: as the user that the image names.
as_image() {
    local user
    STAGE=image-$1 FOLDER=/
    user=$(cat "$ROOTS/$STAGE.user")
    shift
    inside setpriv --reuid "$user" --regid "$user" --init-groups "$@"
}

# shellcheck disable=SC2016
tenancyd_image_works() {
    as_image last sh -c '[ "$(id -u)" -ne 0 ] && tenancyd check-config /etc/tenancyd/tenancyd.example.yaml'
}

# shellcheck disable=SC2016
postgres_image_works() {
    echo secret >"$ROOTS/image-postgres/tmp/password"
    as_image postgres env POSTGRES_PASSWORD_FILE=/tmp/password bash -c '[ "$(id -u)" -ne 0 ] || exit
        /usr/local/bin/postgres-image.sh -c listen_addresses= & server=$!
        for try in $(seq 60); do pg_isready -q && break; sleep 1; done
        psql -qXAt -v ON_ERROR_STOP=1 -c "CREATE EXTENSION pg_tenancy" -c "SELECT extversion FROM pg_extension"; status=$?
        kill -INT "$server"; wait "$server"; exit "$status"'
}

main() {
    try "every step of the Dockerfile works" carry_out
    try "the image of tenancyd runs it, and not as root" tenancyd_image_works
    try "the image of PostgreSQL has the extension, and does not run as root" postgres_image_works
    rm -rf "$ROOTS"/image-*
    summary dockerfile
}

main
