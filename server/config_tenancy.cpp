#include "config_tenancy.hpp"

#include <algorithm>

#include "safe_url.hpp"

namespace tenancy::server {

namespace {

constexpr long kMaxCount = 1000000000;

void read_rate_limit(Section section, RateLimitConfig &rate) {
    rate.requests_per_minute = section.number("requests_per_minute", 1, kMaxCount);
    rate.burst = section.number("burst", 1, kMaxCount);
    rate.tokens_per_minute = section.number("tokens_per_minute", 1, kMaxCount);
    rate.max_concurrent = section.number("max_concurrent", 1, 100000);
    rate.subject_requests_per_minute = section.number("subject_requests_per_minute", 1, kMaxCount);
    section.finish();
    if (rate.burst && !rate.requests_per_minute)
        section.error("burst", "needs requests_per_minute. Give both or neither.");
}

// Above 0 and up to 1, of a plain decimal.
bool is_share(const std::string &decimal) {
    const std::string whole = decimal.substr(0, decimal.find('.'));
    const bool has_fraction = decimal.find_first_of("123456789", whole.size()) != std::string::npos;
    return whole.find_first_not_of('0') == std::string::npos
               ? has_fraction
               : !has_fraction && whole.find_first_not_of('0') == whole.size() - 1 &&
                     whole.back() == '1';
}

void read_budget(Section section, BudgetConfig &budget) {
    if (auto window = section.one_of("window", {"hour", "day", "month", "total"}))
        budget.window = *window;
    if (auto mode = section.one_of("mode", {"enforce", "observe"}))
        budget.mode = *mode;
    budget.limit_usd = section.decimal("limit_usd");
    budget.limit_tokens = section.number("limit_tokens", 0, 1000000000000000);
    budget.warn_ratio = section.decimal("warn_ratio");
    if (budget.warn_ratio && !is_share(*budget.warn_ratio))
        section.error("warn_ratio", "must be above 0 and up to 1.");
    if (auto zone = section.text("time_zone"))
        budget.time_zone = *zone;
    section.finish();
}

void read_file_quota(Section section, FileQuotaConfig &quota) {
    for (const auto &[key, value] : {std::pair{"max_bytes", &quota.max_bytes},
                                     {"max_files", &quota.max_files},
                                     {"max_file_bytes", &quota.max_file_bytes}})
        *value = section.number(key, 0, 1000000000000000);
    quota.allowed_mime_types = section.texts("allowed_mime_types");
    section.finish();
}

void read_key_source(Section &section, IssuerConfig &issuer) {
    if (auto url = section.text("jwks_url"))
        issuer.jwks_url = *url;
    if (auto file = section.text("jwks_file"))
        issuer.jwks_file = *file;
    if (!issuer.jwks_url.empty() && !issuer.jwks_file.empty())
        section.error("jwks_file", "and jwks_url are both given. Keep one of them.");
    if (!issuer.jwks_url.empty() && !parse_safe_url(issuer.jwks_url))
        section.error("jwks_url",
                      "must start with https://: whoever can change the keys can become "
                      "any tenant.");
}

IssuerConfig read_issuer(Section section) {
    IssuerConfig issuer;
    issuer.issuer = section.text("issuer").value_or("");
    if (issuer.issuer.empty())
        section.error("issuer", "is missing. Give the exact \"iss\" value of the tokens.");
    issuer.audiences = section.texts("audience");
    if (issuer.audiences.empty())
        section.error("audience", "is missing. Give the \"aud\" value that names this service.");
    read_key_source(section, issuer);
    if (auto claim = section.text("tenant_claim"))
        issuer.tenant_claim = *claim;
    if (const auto algorithms = section.texts("algorithms"); !algorithms.empty())
        issuer.algorithms = algorithms;
    for (const std::string &algorithm : issuer.algorithms)
        if (algorithm != "ES256" && algorithm != "RS256")
            section.error("algorithms", "may hold ES256 and RS256 only.");
    if (auto typ = section.one_of("typ", {"any", "jwt", "access_token"}))
        issuer.typ = *typ;
    issuer.authorized_parties = section.texts("authorized_parties");
    issuer.leeway_seconds = section.number("leeway_seconds", 0, 300).value_or(30);
    issuer.max_lifetime_seconds = section.number("max_lifetime_seconds", 0, 31536000).value_or(0);
    issuer.max_age_seconds = section.number("max_age_seconds", 0, 31536000).value_or(0);
    issuer.one_time_jti = section.flag("one_time_jti");
    section.finish();
    return issuer;
}

TenantConfig read_tenant(Section section) {
    TenantConfig tenant;
    for (const auto &[key, value] : {std::pair{"id", &tenant.id},
                                     {"issuer", &tenant.issuer},
                                     {"claim_value", &tenant.claim_value}}) {
        *value = section.text(key).value_or("");
        if (value->empty())
            section.error(key, "is missing. A tenant has an id, an issuer, and the value of that "
                               "issuer's tenant claim that names it.");
    }
    tenant.state = section.one_of("state", {"active", "suspended"});
    section.finish();
    return tenant;
}

PriceConfig read_price(Section section) {
    PriceConfig price;
    price.input_per_1k = section.decimal("input_per_1k");
    price.output_per_1k = section.decimal("output_per_1k");
    price.cached_input_per_1k = section.decimal("cached_input_per_1k");
    price.cache_write_per_1k = section.decimal("cache_write_per_1k");
    price.reasoning_per_1k = section.decimal("reasoning_per_1k");
    price.per_request = section.decimal("per_request");
    section.finish();
    return price;
}

} // namespace

void read_tenancy(Section section, TenancyConfig &tenancy) {
    if (const auto url = section.text("admin_url"); url && !url->empty())
        tenancy.admin_url = Secret(*url);
    for (const Section &issuer : section.sections("issuers"))
        tenancy.issuers.push_back(read_issuer(issuer));
    for (const Section &tenant : section.sections("tenants"))
        tenancy.tenants.push_back(read_tenant(tenant));
    read_rate_limit(section.section("rate_limit"), tenancy.rate_limit);
    read_budget(section.section("budget"), tenancy.budget);
    read_file_quota(section.section("file_quota"), tenancy.file_quota);
    Section overrides = section.section("overrides");
    for (auto &[tenant, block] : overrides.named_sections()) {
        TenantOverride &own = tenancy.overrides[tenant];
        read_rate_limit(block.section("rate_limit"), own.rate_limit);
        read_budget(block.section("budget"), own.budget);
        read_file_quota(block.section("file_quota"), own.file_quota);
        block.finish();
    }
    overrides.finish();
    section.finish();
}

void read_pricing(Section section, std::map<std::string, PriceConfig> &prices) {
    if (section.has("default"))
        prices[""] = read_price(section.section("default"));
    Section models = section.section("models");
    for (const auto &[name, block] : models.named_sections())
        prices[name] = read_price(block);
    models.finish();
    section.finish();
}

void read_agent_budget(Section section, AgentBudgetConfig &budget) {
    if (auto mode = section.one_of("mode", {"enforce", "observe"}))
        budget.mode = *mode;
    for (const auto &[scope, limits] :
         {std::pair{"per_session", &budget.per_session}, {"per_tenant", &budget.per_tenant}}) {
        Section block = section.section(scope);
        limits->warn_usd = block.decimal("warn_usd");
        limits->limit_usd = block.decimal("limit_usd");
        block.finish();
    }
    section.finish();
}

} // namespace tenancy::server
