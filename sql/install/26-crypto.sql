-- What does the cryptography of tokens and keys.

CREATE FUNCTION tenancy.crypto_status(OUT fips text, OUT library text, OUT provider text,
        OUT provider_title text, OUT provider_version text, OUT build_info text, OUT self_test text,
        OUT problem text, OUT ready boolean)
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'pgt_crypto_status';
COMMENT ON FUNCTION tenancy.crypto_status() IS
    'One row: the setting tenancy.fips, the OpenSSL library and the provider that check tokens and keys, the state of a FIPS provider''s self-tests, whether tokens can be checked, and if not, why';
REVOKE ALL ON FUNCTION tenancy.crypto_status() FROM PUBLIC;
