# shellcheck shell=bash
# A development token issuer made of the openssl command: keys, key set and tokens, ES256 only.
# Not for production: a real identity provider keeps its key where no developer can read it.
# Source it; every function writes its result, and nothing else, to standard output.

DEV_ISSUER=https://dev.issuer.example
DEV_AUDIENCE=agents
DEV_TENANT_CLAIM=org_id

# RFC 7515 section 2: base64url without padding, of standard input.
base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

# json_string TEXT: TEXT as a JSON string. Control characters are refused, they have no use in a claim.
json_string() {
    local text=$1
    if [[ $text == *[[:cntrl:]]* ]]; then
        echo "dev-issuer: a claim value holds a control character" >&2
        return 1
    fi
    text=${text//\\/\\\\}
    printf '"%s"' "${text//\"/\\\"}"
}

# issuer_keygen DIRECTORY: a new P-256 key in DIRECTORY/key.pem (mode 0600), unless there is one.
issuer_keygen() (
    umask 077
    mkdir -p "$1"
    [[ ! -s $1/key.pem ]] || return 0
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1/key.pem.new"
    mv "$1/key.pem.new" "$1/key.pem"
)

# issuer_coordinate KEYFILE x|y: base64url of one coordinate of the public point. The DER form of a
# P-256 public key (RFC 5480) ends with its 32 + 32 bytes.
issuer_coordinate() {
    local take=(head -c 32)
    [[ $2 == x ]] || take=(tail -c 32)
    openssl pkey -in "$1" -pubout -outform DER | tail -c 64 | "${take[@]}" | base64url
}

# RFC 7638 section 3: the required members in order, no white space; RFC 7518 names them.
issuer_canonical_jwk() {
    printf '{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}' \
        "$(issuer_coordinate "$1" x)" "$(issuer_coordinate "$1" y)"
}
issuer_kid() { issuer_canonical_jwk "$1" | openssl dgst -sha256 -binary | base64url; }

# issuer_jwks KEYFILE: the key set (RFC 7517) of one public key.
issuer_jwks() {
    local jwk
    jwk=$(issuer_canonical_jwk "$1")
    printf '{"keys":[%s,"use":"sig","alg":"ES256","kid":"%s"}]}\n' "${jwk%\}}" "$(issuer_kid "$1")"
}

# es256_sign KEYFILE: signature of standard input as RFC 7518 section 3.4 wants it, R || S of 32 bytes
# each. openssl writes two DER integers, which drop leading zeros.
es256_sign() {
    openssl dgst -sha256 -sign "$1" | openssl asn1parse -inform DER |
        sed -n 's/.*INTEGER *://p' |
        while read -r number; do
            number=$(printf '%64s' "$number" | tr ' ' 0)
            # The bytes are the format string because only so can printf write a zero byte.
            # shellcheck disable=SC2059,SC2001
            printf "$(sed 's/../\\x&/g' <<<"$number")"
        done
}

# jose_sign KEYFILE HEADER PAYLOAD: the compact JWS (RFC 7515 section 7.1) of two JSON texts.
jose_sign() {
    local signed
    signed=$(printf '%s' "$2" | base64url).$(printf '%s' "$3" | base64url)
    printf '%s.%s' "$signed" "$(printf '%s' "$signed" | es256_sign "$1" | base64url)"
}

# dev_claims TENANT SUBJECT TTL [AUDIENCE] [ISSUER]: the claims of a token that is issued now and ends
# in TTL seconds; a negative TTL gives one that has already expired.
dev_claims() {
    local now issued tenant subject audience issuer
    tenant=$(json_string "$1") && subject=$(json_string "$2") || return 1
    audience=$(json_string "${4:-$DEV_AUDIENCE}") && issuer=$(json_string "${5:-$DEV_ISSUER}") || return 1
    now=$(date +%s)
    issued=$now
    (($3 > 0)) || issued=$((now + $3 - 60))
    printf '{"iss":%s,"aud":%s,"sub":%s,"%s":%s,"iat":%d,"exp":%d,"jti":"%s"}' \
        "$issuer" "$audience" "$subject" "$DEV_TENANT_CLAIM" "$tenant" \
        "$issued" "$((now + $3))" "$(openssl rand -hex 16)"
}

# dev_header KEYFILE: the protected header of a token signed with that key.
dev_header() { printf '{"alg":"ES256","typ":"JWT","kid":"%s"}' "$(issuer_kid "$1")"; }

# dev_token KEYFILE TENANT SUBJECT TTL [AUDIENCE] [ISSUER]: one signed token.
dev_token() {
    local key=$1 claims
    shift
    claims=$(dev_claims "$@") || return 1
    jose_sign "$key" "$(dev_header "$key")" "$claims"
}
