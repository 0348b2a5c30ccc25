# shellcheck shell=bash disable=SC2034
# What the steps of demo.sh are made of: requests, statements, forged tokens, and the comparison of
# what came with what had to come. Source lib, cluster, dev-issuer and dev-state first.

PASSED=0
FAILED=0

heading() { printf '\n%s\n' "$*"; }

# expect TRIED EXPECTED GOT: one step of the tour. EXPECTED is a shell pattern.
expect() {
    local verdict=FAILED
    # shellcheck disable=SC2053
    if [[ $3 == $2 ]]; then verdict=ok PASSED=$((PASSED + 1)); else FAILED=$((FAILED + 1)); fi
    printf '  %-6s  %s\n          expected %s, got %s\n' "$verdict" "$1" "$(short "$2")" "$(short "$3")"
}
short() { if [[ -z $1 ]]; then echo "nothing"; else printf '%.160s' "$1"; fi; }

# http METHOD PATH TOKEN [BODY] [HEADER]: sets STATUS; the answer is in $WORK/head and $WORK/body, and in
# $WORK/flat without the white space that JSON may have between its words.
http() {
    local arguments=(-sS -m 30 -o "$WORK/body" -D "$WORK/head" -w '%{http_code}' -X "$1")
    [[ -z $3 ]] || arguments+=(-H "Authorization: Bearer $3")
    [[ -z ${4:-} ]] || arguments+=(-H 'Content-Type: application/json' -d "$4")
    [[ -z ${5:-} ]] || arguments+=(-H "$5")
    STATUS=$(curl "${arguments[@]}" "$TENANCYD_URL$2") || STATUS="no answer"
    sed 's/": /":/g; s/, "/,"/g' "$WORK/body" >"$WORK/flat"
}

# member NAME: the text of a member of the last answer's body.
member() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$WORK/flat" | head -n 1; }

# mentions WORD: how often the last answer, head and body, contains it.
mentions() { cat "$WORK/head" "$WORK/flat" | grep -oF -- "$1" | wc -l; }

# sql STATEMENTS: what psql prints for the application role, in one line; an error becomes
# "ERROR <SQLSTATE>". :'acme' and :'globex' are tokens of the two tenants.
sql() {
    {
        printf "\\\\set acme '%s'\n\\\\set globex '%s'\n" "$ACME" "$GLOBEX"
        printf '%s\n' "$1"
    } | psql -X -q -A -t -v VERBOSITY=sqlstate -h "$CLUSTER_SOCKET" -p "$CLUSTER_PORT" -U "$DEV_APP" -d "$DEV_DATABASE" 2>&1 |
        sed -E 's/^psql:<stdin>:[0-9]+: //; s/^(ERROR|FATAL): +/\1 /; /^$/d' | xargs
}

# in_tenant NAME STATEMENTS: text that runs the statements in a transaction with that tenant's token.
in_tenant() { printf "BEGIN; SELECT tenancy.set_tenant_from_jwt(:'%s') \\\\g /dev/null\n%s\nCOMMIT;" "$1" "$2"; }
as_tenant() { sql "$(in_tenant "$1" "$2")"; }

# sql_verdict TOKEN: the SQLSTATE with which the extension refuses the token.
sql_verdict() { sql "SELECT tenancy.set_tenant_from_jwt('$1');"; }

hs256() { # hs256 HEADER PAYLOAD KEYFILE: signed with the bytes of a file as the shared secret
    local signed secret
    signed=$(printf '%s' "$1" | base64url).$(printf '%s' "$2" | base64url)
    secret=$(od -An -v -tx1 "$3" | tr -d ' \n')
    printf '%s.%s' "$signed" \
        "$(printf '%s' "$signed" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$secret" -binary | base64url)"
}

# bad_tokens: lines "name<tab>token" of tokens that must be refused, one step away from a good one.
bad_tokens() {
    local key=$STATE/issuer/key.pem header claims none
    header=$(dev_header "$key")
    claims=$(dev_claims acme mallory 600)
    none=$(printf '{"alg":"none","typ":"JWT"}' | base64url).$(printf '%s' "$claims" | base64url)
    issuer_keygen "$WORK/stranger"
    openssl pkey -in "$key" -pubout -out "$WORK/public.pem"
    printf '%s\t%s\n' \
        "garbage" "not-a-token" \
        "forged: our kid, another key" "$(jose_sign "$WORK/stranger/key.pem" "$header" "$claims")" \
        "expired" "$(dev_token "$key" acme mallory -120)" \
        "alg=none without signature" "$none." \
        "alg=none with a good signature" "$none.${ACME##*.}" \
        "HS256 with the public key as secret" "$(hs256 "${header/ES256/HS256}" "$claims" "$WORK/public.pem")" \
        "wrong audience" "$(dev_token "$key" acme mallory 600 another-service)" \
        "wrong issuer" "$(dev_token "$key" acme mallory 600 '' https://other.issuer.example)" \
        "unregistered tenant" "$(dev_token "$key" initech mallory 600)" \
        "no tenant claim" "$(jose_sign "$key" "$header" "${claims/\"$DEV_TENANT_CLAIM\":\"acme\",/}")" \
        "not valid yet" "$(jose_sign "$key" "$header" "${claims%\}},\"nbf\":$(($(date +%s) + 500))}")" \
        "payload changed to globex" "${ACME%%.*}.$(dev_claims globex mallory 600 | base64url).${ACME##*.}" \
        "signature cut off" "${ACME%.*}."
}
