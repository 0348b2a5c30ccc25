#!/usr/bin/env bash
# scripts.sh: the development issuer's tokens against openssl itself, and the small decisions of the
# scripts: ports, pids, private directories.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"
for part in scripts/cluster scripts/dev-issuer scripts/dev-state scripts/dev-server test/run/suite; do
    # shellcheck source=/dev/null
    source "$ROOT/$part.sh"
done

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
chmod 0755 "$WORK" # the server's user looks into it

unbase64url() { # pads to a multiple of four
    local text
    text=$(tr -- '-_' '+/')
    while ((${#text} % 4)); do text+='='; done
    openssl base64 -d -A <<<"$text"
}

# DER of R || S, written by openssl itself from its own notation.
der_signature() {
    local r s
    r=$(head -c 32 "$1" | od -An -v -tx1 | tr -d ' \n')
    s=$(tail -c 32 "$1" | od -An -v -tx1 | tr -d ' \n')
    printf 'asn1=SEQUENCE:s\n[s]\nr=INTEGER:0x%s\ns=INTEGER:0x%s\n' "$r" "$s" >"$WORK/asn1"
    openssl asn1parse -genconf "$WORK/asn1" -noout -out "$WORK/der"
}

token_verifies() {
    local head=${1%.*}
    unbase64url <<<"${1##*.}" >"$WORK/raw"
    [[ $(stat -c %s "$WORK/raw") -eq 64 ]] || { echo "signature of $(stat -c %s "$WORK/raw") bytes" && return 1; }
    der_signature "$WORK/raw"
    openssl pkey -in "$WORK/issuer/key.pem" -pubout -out "$WORK/public.pem"
    printf '%s' "$head" | openssl dgst -sha256 -verify "$WORK/public.pem" -signature "$WORK/der" >/dev/null
}

# Some of many signatures have a short R or S: those show whether the padding is right.
tokens_verify() {
    local i
    for ((i = 0; i < 40; i++)); do
        token_verifies "$(dev_token "$WORK/issuer/key.pem" acme "alice $i" 60)" || return 1
    done
}
short_numbers_are_padded() { # a fixed DER signature with R of 31 and S of 32 bytes
    openssl() { if [[ $1 == dgst ]]; then cat "$WORK/short.der"; else command openssl "$@"; fi; }
    printf 'asn1=SEQUENCE:s\n[s]\nr=INTEGER:0x%s\ns=INTEGER:0x%s\n' "$(printf '7%061d' 1)" "$(printf '9%063d' 2)" >"$WORK/asn1"
    command openssl asn1parse -genconf "$WORK/asn1" -noout -out "$WORK/short.der"
    local hex
    hex=$(es256_sign unused <<<x | od -An -v -tx1 | tr -d ' \n')
    unset -f openssl
    [[ $hex == "007$(printf '%061d' 1)9$(printf '%063d' 2)" ]] || { echo "$hex" && return 1; }
}

kid_is_thumbprint() { # of the key set as printed, members in RFC 7638's order
    local jwks x y
    jwks=$(issuer_jwks "$WORK/issuer/key.pem")
    [[ $jwks =~ \"x\":\"([^\"]*)\",\"y\":\"([^\"]*)\" ]]
    x=${BASH_REMATCH[1]} y=${BASH_REMATCH[2]}
    [[ ${#x} -eq 43 && ${#y} -eq 43 ]]
    [[ $jwks == *"\"kid\":\"$(printf '{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}' "$x" "$y" | openssl dgst -sha256 -binary | base64url)\""* ]]
}

claims_are_escaped() {
    local payload
    payload=$(dev_token "$WORK/issuer/key.pem" 'a"b\c' s 60 | cut -d. -f2 | unbase64url)
    [[ $payload == *'"org_id":"a\"b\\c"'* ]] && ! dev_claims $'a\nb' s 60 2>/dev/null
}

key_is_private() { [[ $(stat -c %a "$WORK/issuer/key.pem" "$WORK/issuer" | xargs) == "600 700" ]]; }
key_is_kept() {
    local before
    before=$(cat "$WORK/issuer/key.pem")
    issuer_keygen "$WORK/issuer"
    [[ $before == "$(cat "$WORK/issuer/key.pem")" ]]
}

busy_port_is_seen() { # a listener of our own, on a port that free_port found
    local port listener status=0
    port=$(free_port "$WORK")
    perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(Listen => 9, LocalAddr => $ARGV[0]) or die; sleep 30' \
        "127.0.0.1:$port" &
    listener=$!
    wait_until 5 port_is_busy "$port" || status=1
    [[ $(free_port "$WORK") != "$port" ]] || status=1
    (check_port PORT "$port") 2>"$WORK/message" && status=1
    kill "$listener" 2>/dev/null || true
    wait "$listener" 2>/dev/null || true
    grep -q "PORT=$port" "$WORK/message"
    return "$status"
}
port_is_busy() { ! port_is_free "$1"; }

bad_ports_are_refused() {
    local port
    for port in 0 65536 08080 x '1;id' -1; do
        if (check_port PORT "$port") 2>/dev/null; then echo "$port was taken for a port" && return 1; fi
    done
}
free_port_avoids() { [[ $(free_port "$WORK" "$(free_port "$WORK")") != "$(free_port "$WORK")" ]]; }

other_process_is_not_ours() { # a pid file that names a living process of somebody else
    mkdir -p "$WORK/state"
    # shellcheck disable=SC2034 # dev-server.sh reads it
    STATE=$WORK/state TENANCYD_CONFIG=$WORK/state/tenancyd.yaml
    echo "$$" >"$STATE/tenancyd.pid"
    ! tenancyd_runs
}
stale_postmaster_is_not_ours() {
    CLUSTER_DATA=$WORK/data
    mkdir -p "$CLUSTER_DATA"
    printf '%s\n' "$$" >"$CLUSTER_DATA/postmaster.pid"
    ! cluster_runs
}

private_dir_refuses_others() {
    install -d -m 0755 "$WORK/open"
    ln -sfn "$WORK/open" "$WORK/link"
    (private_dir "$WORK/made") && [[ $(stat -c '%U %a' "$WORK/made") == "$(server_user) 700" ]] &&
        ! (private_dir "$WORK/open") 2>/dev/null && ! (private_dir "$WORK/link") 2>/dev/null
}

long_socket_paths_do_not_fit() { socket_path_fits "/$(printf '%091d' 0)" && ! socket_path_fits "/$(printf '%092d' 0)"; }

cluster_comes_and_goes() { # options reach the command, the directory is gone afterwards
    local directory
    directory=$(CLUSTER_PRELOAD='' CLUSTER_CONF='work_mem = 5MB' "$ROOT/scripts/with-cluster.sh" \
        bash -c "psql -XAtc 'SHOW work_mem' && dirname \"\$CLUSTER_DATA\"")
    [[ $directory == 5MB$'\n'/* && ! -e ${directory#*$'\n'} ]]
}
cluster_status_is_kept() {
    local status=0
    CLUSTER_PRELOAD='' "$ROOT/scripts/with-cluster.sh" bash -c 'exit 7' >/dev/null 2>&1 || status=$?
    [[ $status -eq 7 ]]
}

# The fields that PGXN Meta Spec 1.0.0 demands, of the forms it demands; versions have three parts there.
pgxn_knows_us() {
    local version
    version=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" "$ROOT/extension/pg_tenancy.control")
    jq -e --arg version "$version.0" '.name == "pg_tenancy" and .version == $version and .provides.pg_tenancy.version == $version
        and .provides.pg_tenancy.file == "sql/pg_tenancy--\($version | rtrimstr(".0")).sql" and .license == "apache_2_0"
        and (.abstract, .maintainer, .["meta-spec"].url | type == "string") and (.["meta-spec"].version | test("^1\\.0\\.[0-9]+$"))
        and (.prereqs.runtime.requires.PostgreSQL | test("^[0-9]+\\.[0-9]+\\.[0-9]+$"))' "$ROOT/META.json" &&
        [[ -e $ROOT/$(jq -r .provides.pg_tenancy.docfile "$ROOT/META.json") ]] && grep -q 'Apache License' "$ROOT/LICENSE"
}

main() {
    issuer_keygen "$WORK/issuer"
    try "tokens of the development issuer verify with openssl" tokens_verify
    try "short R and S are padded to 32 bytes" short_numbers_are_padded
    try "the kid is the RFC 7638 thumbprint" kid_is_thumbprint
    try "claim values are escaped, control characters refused" claims_are_escaped
    try "the signing key is private" key_is_private
    try "an existing signing key is kept" key_is_kept
    try "a port in use is seen, and named with its variable" busy_port_is_seen
    try "what is no port number is refused" bad_ports_are_refused
    try "a free port is never the one that is taken already" free_port_avoids
    try "a pid file that names another process is not believed" other_process_is_not_ours
    try "a stale postmaster.pid is not believed" stale_postmaster_is_not_ours
    try "a socket directory that others can enter is refused" private_dir_refuses_others
    try "a socket path of more than 107 bytes is noticed" long_socket_paths_do_not_fit
    try "with-cluster.sh passes settings on and cleans up" cluster_comes_and_goes
    try "with-cluster.sh keeps the command's exit status" cluster_status_is_kept
    try "META.json is what PGXN demands, and of this version" pgxn_knows_us
    summary scripts
}

main
