#!/usr/bin/env bash
# issuer.sh: a token issuer for the SQL tests, on top of the development issuer. Keys live in
# $TENANCY_TEST_KEYS (default: a directory per database port under /tmp) and are made on first use.
#   issuer.sh jwks                        public key set: one EC P-256 and one RSA 2048 key
#   issuer.sh token TENANT SUB [TTL]      a good ES256 token
#   issuer.sh rs256 TENANT SUB [TTL]      a good RS256 token
#   issuer.sh claims JSON                 an ES256 token with exactly these claims
#   issuer.sh forged KIND                 a token that must be refused; KIND as in forged() below
set -euo pipefail
# shellcheck source=scripts/dev-issuer.sh
source "$(dirname "$0")/../../scripts/dev-issuer.sh"

KEYS=${TENANCY_TEST_KEYS:-/tmp/pg_tenancy-test-keys-$(id -u)-${PGPORT:-0}}
TTL=3600

make_keys() {
    issuer_keygen "$KEYS"
    [[ -s $KEYS/rsa.pem ]] ||
        openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$KEYS/rsa.pem"
}

rsa_modulus() {
    openssl rsa -in "$KEYS/rsa.pem" -noout -modulus | sed 's/^Modulus=//' | basenc -d --base16 | base64url
}

rsa_jwk() { printf '{"kty":"RSA","kid":"rsa","alg":"RS256","use":"sig","e":"AQAB","n":"%s"}' "$(rsa_modulus)"; }

both_keys() { issuer_jwks "$KEYS/key.pem" | sed "s|\]}$|,$(rsa_jwk)]}|"; }

rs256_sign() {
    local signed
    signed=$(printf '%s' "$1" | base64url).$(printf '%s' "$2" | base64url)
    printf '%s.%s' "$signed" "$(printf '%s' "$signed" | openssl dgst -sha256 -sign "$KEYS/rsa.pem" | base64url)"
}

# HS256 with the public key as the secret: works against a verifier that lets the token choose.
hs256_with_public_key() {
    local signed secret
    secret=$(openssl pkey -in "$KEYS/key.pem" -pubout | od -An -v -tx1 | tr -d ' \n')
    signed=$(printf '{"alg":"HS256","kid":"%s"}' "$(issuer_kid "$KEYS/key.pem")" | base64url).$(
        dev_claims acme mallory $TTL | base64url)
    printf '%s.%s' "$signed" "$(printf '%s' "$signed" |
        openssl dgst -sha256 -mac HMAC -macopt "hexkey:$secret" -binary | base64url)"
}

# A good token whose payload says globex while the signature is over acme.
tampered() {
    local good header signature
    good=$(dev_token "$KEYS/key.pem" acme mallory $TTL)
    header=${good%%.*}
    signature=${good##*.}
    printf '%s.%s.%s' "$header" "$(dev_claims globex mallory $TTL | base64url)" "$signature"
}

none_algorithm() {
    printf '%s.%s.' "$(printf '{"alg":"none"}' | base64url)" "$(dev_claims acme mallory $TTL | base64url)"
}

other_key() {
    local stranger
    stranger=$(mktemp -d)
    issuer_keygen "$stranger"
    jose_sign "$stranger/key.pem" "$(dev_header "$KEYS/key.pem")" "$(dev_claims acme mallory $TTL)"
    rm -r "$stranger"
}

forged() {
    local key=$KEYS/key.pem
    case $1 in
    expired) dev_token "$key" acme mallory -120 ;;
    none) none_algorithm ;;
    hs256) hs256_with_public_key ;;
    tampered) tampered ;;
    other-key) other_key ;;
    audience) dev_token "$key" acme mallory $TTL other-service ;;
    issuer) dev_token "$key" acme mallory $TTL agents https://other.issuer.example ;;
    unregistered) dev_token "$key" initech mallory $TTL ;;
    no-tenant) jose_sign "$key" "$(dev_header "$key")" \
        "$(dev_claims acme mallory $TTL | sed 's/"org_id":"acme",//')" ;;
    *) echo "issuer.sh: unknown kind of forgery: $1" >&2 && return 2 ;;
    esac
}

make_keys
case ${1:-} in
jwks) both_keys ;;
token) dev_token "$KEYS/key.pem" "$2" "$3" "${4:-$TTL}" ;;
rs256) rs256_sign '{"alg":"RS256","kid":"rsa"}' "$(dev_claims "$2" "$3" "${4:-$TTL}")" ;;
claims) jose_sign "$KEYS/key.pem" "$(dev_header "$KEYS/key.pem")" "$2" ;;
forged) forged "$2" ;;
*) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
