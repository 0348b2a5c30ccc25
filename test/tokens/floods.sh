# shellcheck shell=bash
# Floods: garbage of each kind at full speed from one connection beside valid traffic on another. All
# figures are processor time of the two backends, so what else runs on the machine does not decide.

FLOOD=$ROOT/build/tokens/flood

build_flood() {
    local flags source=$ROOT/test/tokens/flood.cpp
    [[ ! -x $FLOOD || $source -nt $FLOOD ]] || return 0
    mkdir -p "${FLOOD%/*}"
    read -ra flags < <(pkg-config --cflags --libs libpq)
    g++ -std=c++20 -O2 -Wall -Wextra -Werror "$source" "${flags[@]}" -o "$FLOOD"
}

encoded() { printf '%s' "$1" | basenc -w0 --base64url | tr -d =; }
# shellcheck disable=SC2059,SC2046 # a format, and words
repeated() { printf "%.0s$1" $(seq "$2"); }
# shellcheck disable=SC2059,SC2046
numbered() { printf "$1" $(seq "$2"); }

# Claims of the issuer, with more members.
claims_with() { printf '{"iss":"%s","aud":"agents","sub":"eve","org_id":"acme","exp":%d%s}' "$1" $(($(date +%s) + ${3:-3600})) "${2:-}"; }

# Garbage that must be refused before any signature is checked: "NAME TOKEN".
cheap_garbage() {
    local good=$1 header=${1%%.*} rest=${1#*.} signature=${1##*.} many
    many=$(numbered ',"c%s":1' 900)
    echo "not-base64 ${good/.e/.!}"
    echo "too-big $(repeated A 20000)"
    echo "letters $(repeated A 16000)"
    echo "two-parts $header.${rest%%.*}"
    echo "no-json $header.$(repeated A 13000).$signature"
    echo "hs256 $("$ISSUER_TOOL" forged hs256)"
    echo "none $(encoded '{"alg":"none"}').$rest"
    echo "unknown-kid $(encoded '{"alg":"ES256","kid":"other"}').$rest"
    echo "unknown-issuer $header.$(encoded "$(claims_with https://evil.example)").$signature"
    echo "expired $("$ISSUER_TOOL" forged expired)"
    echo "expired-large $("$ISSUER_TOOL" claims "$(claims_with "$ISSUER" "$many" -120)")"
    echo "many-claims $header.$(encoded "$(claims_with https://evil.example "$many")").$signature"
    echo "many-claims-no-issuer $header.$(encoded "{\"a\":1$many}").$signature"
    echo "many-header-members $(encoded "{\"alg\":\"ES256\",\"kid\":\"x\"$(numbered ',"a%s":1' 250)}").$rest"
    echo "deep $header.$(encoded "{\"a\":$(repeated '[' 9000)").$signature"
}

# Garbage that only the signature gives away.
forged_garbage() {
    local header=${1%%.*} signature=${1##*.}
    echo "forged $("$ISSUER_TOOL" forged tampered)"
    echo "forged-large $header.$(encoded "$(claims_with "$ISSUER" "$(numbered ',"c%s":1' 900)")").$signature"
}

# cost NAME: microseconds per request of a kind, from the floods' output.
cost() { awk -v name="$1" '$1 == name { print $3 }' "$DIR/garbage.out" "$DIR/forged.out" | head -n 1; }
openssl_es256() { openssl speed -seconds 1 -mr ecdsap256 2>/dev/null | awk -F: '/^\+F4:/ { print 1e6 / $NF }'; }

# measure SECONDS: floods with each kind while a second connection sends good tokens, and before and after
# good tokens alone.
measure() {
    local each=$1 valid="valid $GOOD" cheap_kinds
    ALONE=$("$FLOOD" "$each" accepted <<<"$valid" | awk '{ print $3 }')
    cheap_kinds=$(wc -l <"$DIR/garbage")
    "$FLOOD" "$(awk -v n="$cheap_kinds" -v s="$each" 'BEGIN { print (n + 3) * s }')" accepted <<<"$valid" >"$DIR/valid.out" &
    local beside=$!
    "$FLOOD" "$each" refused <"$DIR/garbage" >"$DIR/garbage.out"
    "$FLOOD" "$each" refused <"$DIR/forged" >"$DIR/forged.out"
    wait "$beside"
    SIGNATURE=$(openssl_es256)
    ALONE="$ALONE $("$FLOOD" "$each" accepted <<<"$valid" | awk '{ print $3 }')"
}

show_costs() {
    awk -v signature="$SIGNATURE" -v alone="$ALONE" '
        $1 == "floor" { floor = $3; printf "one refused statement of PostgreSQL %.1f us, one signature check %.1f us\n", floor, signature; next }
        $1 == "valid" { split(alone, a); printf "%-24s %8d requests, %6.1f us each beside the floods, %.1f and %.1f alone\n", $1, $2, $3, a[1], a[2]; next }
        { printf "%-24s %8d requests, %6.1f us each, %6.1f above the floor = %.2f signature checks\n", $1, $2, $3, $3 - floor, ($3 - floor) / signature }
    ' "$DIR/garbage.out" "$DIR/forged.out" "$DIR/valid.out"
}

# no_dearer FILE FACTOR: each kind costs at most FACTOR signature checks more than a refused statement.
no_dearer() {
    awk -v signature="$SIGNATURE" -v floor="$(cost floor)" -v factor="$2" '
        $1 != "floor" && $3 - floor > factor * signature { print $1, "costs", $3 - floor, "us"; bad = 1 }
        END { exit bad || NR == 0 }' "$1"
}

is_cheap() { no_dearer "$DIR/garbage.out" 1; }
is_bounded() { no_dearer "$DIR/forged.out" 2.5; }

keeps_its_share() {
    awk -v alone="$ALONE" '{ split(alone, a); kept = (a[1] + a[2]) / 2 / $3 }
        END { if (kept < 0.8) print "only", kept; exit kept < 0.8 }' "$DIR/valid.out"
}

# flood_claims SECONDS: of each kind.
flood_claims() {
    build_flood
    GOOD=$("$ISSUER_TOOL" token acme alice)
    {
        echo "floor -"
        cheap_garbage "$GOOD"
    } >"$DIR/garbage"
    forged_garbage "$GOOD" >"$DIR/forged"
    for _ in 1 2 3; do # a neighbour on the same processor can spoil one measurement, not three
        measure "$1"
        ! { is_cheap && is_bounded && keeps_its_share; } >/dev/null || break
    done
    show_costs
    try "floods: what is refused before the signature costs less than a signature check" is_cheap
    try "floods: a forged token costs its check and its bytes" is_bounded
    try "floods: a core gives good tokens four fifths of what it gives without" keeps_its_share
}
