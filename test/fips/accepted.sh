# shellcheck shell=bash
# What a FIPS provider does when it is there: the published vectors, the unit tests and real tokens.

# The same program over the same vectors: both providers come to the same answer on each.
same_vectors() {
    vectors | grep -v '^provider: ' >"$DIR/by_default"
    FIPS_CONFIG=$DIR/good.cnf vectors >"$DIR/by_fips"
    says "provider: fips" grep '^provider: ' "$DIR/by_fips"
    grep -v '^provider: ' "$DIR/by_fips" | diff "$DIR/by_default" -
    grep -qE '^vectors: [1-9][0-9]+ passed, 0 failed' "$DIR/by_fips"
}
vectors() { make -s --no-print-directory -C "$ROOT/test/unit" vectors; }

unit_tests() { FIPS_CONFIG=$DIR/good.cnf "$ROOT/build/unit/unit_tests"; }

# Two keys under the provider's own checks, which draw random numbers, in a process that was forked after it was loaded.
loads_keys() {
    sql -c "DELETE FROM tenancy.signing_keys"
    says 2 sql -c "SELECT count(*) FROM tenancy.load_jwks('$ISSUER', '$("$ISSUER_TOOL" jwks)')"
}

# Neither configuration nor module are read again: new sessions do without the files.
without_files() {
    local file
    for file in good.cnf fips.so; do mv "$DIR/$file" "$DIR/away.$file"; done
    says acme verdict "$ES256"
    says acme verdict "$RS256"
    for file in good.cnf fips.so; do mv "$DIR/away.$file" "$DIR/$file"; done
}

accepted_claims() {
    make --no-print-directory -j2 -C "$ROOT/test/unit" build >/dev/null
    try "all vectors come out as with the default provider" same_vectors
    say "through the FIPS provider: $(tail -n 1 "$DIR/by_fips")"
    try "all unit tests of the core pass" unit_tests
    required "$DIR/good.cnf"
    try "required: the FIPS provider does the work, though the default one is active, too" status_is "required|fips|passed|t|t"
    try "required: an ES256 token under a key that was loaded before" says acme verdict "$ES256"
    try "required: an RS256 token, too" says acme verdict "$RS256"
    try "required: a forged token is refused" says "token rejected" verdict "$FORGED"
    try "required: for its signature" says signature_invalid sql -c "SELECT reason FROM tenancy.stat_tokens"
    try "required: keys are loaded" loads_keys
    try "required: the doctor has nothing to say" says 0 findings
    try "required: a session needs no file, all was loaded at the start" without_files
    OPENSSL_CONF=$DIR/good.cnf required
    try "required: the library's own configuration will do" status_is "required|fips|passed|t|t"
    try "required: tokens as well" says acme verdict "$ES256"
    OPENSSL_CONF=$DIR/default_only.cnf required "$DIR/good.cnf"
    try "required: the environment does not overrule tenancy.fips_config" says acme verdict "$ES256"
}
