// Every SQL text the server sends, named. Names are schema-qualified, of types too: what an
// attacker left in a pooled session (a temporary domain named text, say) decides nothing.
#pragma once

#include <array>
#include <cstddef>

namespace tenancy::server::db {

enum class Statement : std::size_t {
    call,
    upload,
    end_turn,
    sign_in,
    check_token,
    ready,
    meter,
    lock,
    sweep,
    open_holds,
    seal_audit,
    apply_retention,
    listen,
    claim_alert,
    alert_delivered,
    shared_rate,
    doctor,
    key_lock,
    key_state,
    load_keys,
    apply_config,
    keep_keys
};

struct StatementText {
    const char *name; // first part of the prepared statement's
    const char *sql;
};

inline constexpr std::array<StatementText, 22> kStatements = {{
    {"tenancyd_call", "SELECT status, headers, body, tenant_id, subject, counted"
                      " FROM agent.call($1::pg_catalog.text, $2::pg_catalog.text, "
                      "$3::pg_catalog.jsonb, $4::pg_catalog.jsonb)"},
    {"tenancyd_upload", "SELECT status, headers, body, tenant_id, subject, counted"
                        " FROM agent.call($1::pg_catalog.text, $2::pg_catalog.text, "
                        "$3::pg_catalog.jsonb, $4::pg_catalog.jsonb, $5::pg_catalog.bytea)"},
    {"tenancyd_end_turn",
     "SELECT status, headers, body FROM agent.end_turn($1::pg_catalog.text, $2::pg_catalog.jsonb)"},
    // The subject is read after the sign-in: the sub-query is evaluated first.
    {"tenancyd_sign_in", "SELECT signed_in.tenant, tenancy.current_subject()"
                         " FROM (SELECT tenancy.set_tenant_from_jwt($1::pg_catalog.text) AS tenant"
                         " OFFSET 0) AS signed_in"},
    {"tenancyd_check_token",
     "SELECT tenant_id, subject FROM tenancy.check_token($1::pg_catalog.text)"},
    {"tenancyd_ready",
     "SELECT 1 FROM pg_catalog.pg_extension WHERE extname OPERATOR(pg_catalog.=) 'pg_tenancy'"},
    {"tenancyd_meter", "SELECT agent.meter_turn($1::pg_catalog.text, $2::pg_catalog.int8)"},
    {"tenancyd_lock", "SELECT tenancy.instance_lock($1::pg_catalog.text)"},
    {"tenancyd_sweep", "SELECT agent.sweep_turns($1::pg_catalog.int4)"},
    {"tenancyd_open_holds", "SELECT turns, picodollars FROM agent.open_holds()"},
    {"tenancyd_seal_audit", "SELECT tenant_id, seal_no, row_count, sha256 FROM "
                            "tenancy.seal_audit(max_rows => $1::pg_catalog.int4)"},
    {"tenancyd_apply_retention",
     "SELECT tenant_id, kind, removed FROM tenancy.apply_retention($1::pg_catalog.int4)"},
    {"tenancyd_listen", "LISTEN tenancy_alerts"},
    {"tenancyd_claim_alert",
     "SELECT tenant_id, alert_id, payload FROM tenancy.claim_alert($1::pg_catalog.int4)"},
    {"tenancyd_alert_delivered",
     "SELECT tenancy.alert_delivered($1::pg_catalog.text, $2::pg_catalog.uuid)"},
    {"tenancyd_shared_rate", "SELECT agent.shared_rate($1::pg_catalog.text, $2::pg_catalog.text, "
                             "$3::pg_catalog.jsonb)"},
    {"tenancyd_doctor", "SELECT rule, severity, object, why, fix FROM tenancy.check_isolation()"},
    {"tenancyd_key_lock", "SELECT tenancy.key_sync_lock()"},
    {"tenancyd_key_state", "SELECT issuer, unknown_kids FROM tenancy.key_sync_state()"},
    {"tenancyd_load_keys", "SELECT kid, outcome FROM tenancy.load_jwks($1::pg_catalog.text, "
                           "$2::pg_catalog.text, $3::pg_catalog.interval)"},
    {"tenancyd_apply_config",
     "SELECT action, object, name, before, after"
     " FROM tenancy.apply_config($1::pg_catalog.jsonb, $2::pg_catalog.bool)"},
    {"tenancyd_keep_keys", "SELECT tenancy.keep_keys($1::pg_catalog.text, "
                           "CASE WHEN $2::pg_catalog.text OPERATOR(pg_catalog.<>) '' "
                           "THEN $2::pg_catalog.text::pg_catalog.interval END)"},
}};

inline const StatementText &statement_text(Statement statement) {
    return kStatements.at(static_cast<std::size_t>(statement));
}

} // namespace tenancy::server::db
