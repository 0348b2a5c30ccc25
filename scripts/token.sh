#!/usr/bin/env bash
# token.sh: prints one token signed by the development issuer, for the TENANT, SUB, TTL (seconds), AUD
# and ISS of the environment. `make token` calls it.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/dev-issuer.sh
source "$ROOT/scripts/dev-issuer.sh"

main() {
    local key=$ROOT/.run/issuer/key.pem ttl=${TTL:-3600}
    [[ -r $key ]] || die "there is no readable development issuer key $key: run make up first, as the same user"
    [[ $ttl =~ ^-?[1-9][0-9]{0,8}$ ]] || die "TTL=$ttl is not a number of seconds (negative: already expired)"
    dev_token "$key" "${TENANT:-acme}" "${SUB:-alice}" "$ttl" "${AUD:-}" "${ISS:-}"
    echo
}

main "$@"
