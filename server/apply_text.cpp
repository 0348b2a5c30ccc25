#include "apply_text.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>

#include <nlohmann/json.hpp>

namespace tenancy::server {

namespace {

using Json = nlohmann::ordered_json;

template <typename T>
void put(Json &object, const char *key, const std::optional<T> &value) {
    if (value)
        object[key] = *value;
}

std::string file_text(const std::string &path) {
    const std::ifstream in(path);
    std::ostringstream text;
    text << in.rdbuf();
    if (!in || text.str().empty())
        throw std::runtime_error("cannot read the key set " + path +
                                 ". Check jwks_file and its permissions.");
    return text.str();
}

Json issuer_json(const IssuerConfig &issuer) {
    Json out = {{"issuer", issuer.issuer},
                {"audience", issuer.audiences},
                {"tenant_claim", issuer.tenant_claim},
                {"algorithms", issuer.algorithms},
                {"typ", issuer.typ},
                {"authorized_parties", issuer.authorized_parties},
                {"leeway_seconds", issuer.leeway_seconds},
                {"max_lifetime_seconds", issuer.max_lifetime_seconds},
                {"max_age_seconds", issuer.max_age_seconds}};
    put(out, "one_time_jti", issuer.one_time_jti);
    if (!issuer.jwks_file.empty())
        out["jwks"] = file_text(issuer.jwks_file); // as text: the database refuses doubled members
    return out;
}

Json quota_json(const FileQuotaConfig &quota) {
    Json out = Json::object();
    put(out, "max_bytes", quota.max_bytes);
    put(out, "max_files", quota.max_files);
    put(out, "max_file_bytes", quota.max_file_bytes);
    if (!quota.allowed_mime_types.empty())
        out["allowed_mime_types"] = quota.allowed_mime_types;
    return out;
}

// Of the defaults or of an override: both have these blocks.
template <typename Block>
Json limits_json(const Block &block) {
    const RateLimitConfig &rate = block.rate_limit;
    const BudgetConfig &budget = block.budget;
    Json rates = Json::object();
    put(rates, "requests_per_minute", rate.requests_per_minute);
    put(rates, "burst", rate.burst);
    put(rates, "tokens_per_minute", rate.tokens_per_minute);
    put(rates, "max_concurrent", rate.max_concurrent);
    put(rates, "subject_requests_per_minute", rate.subject_requests_per_minute);
    Json money = {
        {"window", budget.window}, {"mode", budget.mode}, {"time_zone", budget.time_zone}};
    put(money, "limit_usd", budget.limit_usd);
    put(money, "limit_tokens", budget.limit_tokens);
    put(money, "warn_ratio", budget.warn_ratio);
    return {{"rate_limit", rates}, {"budget", money}, {"file_quota", quota_json(block.file_quota)}};
}

Json tenancy_json(const TenancyConfig &tenancy) {
    Json out = limits_json(tenancy);
    out["issuers"] = Json::array();
    for (const IssuerConfig &issuer : tenancy.issuers)
        out["issuers"].push_back(issuer_json(issuer));
    out["tenants"] = Json::array();
    for (const TenantConfig &tenant : tenancy.tenants) {
        Json entry = {
            {"id", tenant.id}, {"issuer", tenant.issuer}, {"claim_value", tenant.claim_value}};
        put(entry, "state", tenant.state);
        out["tenants"].push_back(std::move(entry));
    }
    out["overrides"] = Json::object();
    for (const auto &[tenant, own] : tenancy.overrides)
        out["overrides"][tenant] = limits_json(own);
    return out;
}

Json price_json(const PriceConfig &price) {
    Json out = Json::object();
    put(out, "input_per_1k", price.input_per_1k);
    put(out, "output_per_1k", price.output_per_1k);
    put(out, "cached_input_per_1k", price.cached_input_per_1k);
    put(out, "cache_write_per_1k", price.cache_write_per_1k);
    put(out, "reasoning_per_1k", price.reasoning_per_1k);
    put(out, "per_request", price.per_request);
    return out;
}

Json pricing_json(const std::map<std::string, PriceConfig> &prices) {
    Json out = {{"models", Json::object()}};
    for (const auto &[model, price] : prices)
        (model.empty() ? out["default"] : out["models"][model]) = price_json(price);
    return out;
}

Json budget_json(const AgentBudgetConfig &budget) {
    Json out = {{"mode", budget.mode}};
    for (const auto &[scope, limits] :
         {std::pair{"per_session", &budget.per_session}, {"per_tenant", &budget.per_tenant}}) {
        Json block = Json::object();
        put(block, "warn_usd", limits->warn_usd);
        put(block, "limit_usd", limits->limit_usd);
        out[scope] = std::move(block);
    }
    return out;
}

// Names may hold anything, a terminal's control sequences among it.
std::string plain(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
    return text;
}

std::string value_text(const Json &value) {
    if (value.is_null())
        return "none";
    if (value.is_string())
        return value.get<std::string>();
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// "key: value" of what is set, or "key: old -> new" of what differs.
std::string words(const Json &before, const Json &after) {
    std::string text;
    for (const auto &[key, value] : (after.is_object() ? after : before).items()) {
        const bool is_new = !before.is_object() || !after.is_object();
        const Json old = before.is_object() ? before.value(key, Json()) : Json();
        if (is_new ? value.is_null() : old == value)
            continue;
        text += (text.empty() ? "" : ", ") + key + ": " +
                (is_new ? value_text(value) : value_text(old) + " -> " + value_text(value));
    }
    return plain(text);
}

// "add     tenant acme" and what of it, on a line below.
std::string changed(std::string action, const std::string &thing, const std::string &what) {
    action.resize(8, ' ');
    action += thing;
    action += "\n        ";
    action += what;
    action += '\n';
    return action;
}

Json parsed(const std::optional<std::string> &text) {
    return text ? Json::parse(*text, nullptr, false) : Json();
}

} // namespace

std::string apply_json(const Config &config) {
    Json out = {{"tenancy", tenancy_json(config.tenancy)},
                {"pricing", pricing_json(config.prices)},
                {"budget", budget_json(config.budget)},
                {"model", config.model.name},
                {"fallback_models", Json::array()}};
    for (const ModelConfig &fallback : config.model.fallbacks)
        out["fallback_models"].push_back(fallback.name);
    return out.dump();
}

std::string apply_report(const db::Rows &rows, bool dry_run) {
    std::string changes;
    std::string rest;
    std::map<std::string, int> counts;
    for (const db::Row &row : rows) {
        const std::string action = row.columns.at(0).value_or("");
        const std::string thing =
            row.columns.at(1).value_or("") + " " + plain(row.columns.at(2).value_or(""));
        ++counts[action];
        if (action == "add" || action == "change" || action == "remove")
            changes +=
                changed(action, thing, words(parsed(row.columns.at(3)), parsed(row.columns.at(4))));
        else if (action == "left alone")
            rest += "not in the file, left alone: " + thing + "\n";
        else if (action == "unpriced")
            rest += "no price for " + thing.substr(thing.find(' ') + 1) +
                    ": turns are refused once anything has a price or a budget in USD, also while "
                    "another model answers; pricing.default is of model.name alone, and one of 0 "
                    "sets no price\n";
    }
    const std::string total = std::to_string(counts["add"]) + " added, " +
                              std::to_string(counts["change"]) + " changed, " +
                              std::to_string(counts["remove"]) + " removed, " +
                              std::to_string(counts["keep"]) + " as they were";
    if (changes.empty())
        return rest + "nothing to change\n";
    return changes + rest + (dry_run ? "dry run, nothing was written: " : "written: ") + total +
           "\n";
}

} // namespace tenancy::server
