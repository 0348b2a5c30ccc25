#include "key_source.hpp"

#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "../http_fetch.hpp"
#include "../safe_url.hpp"
#include "schedule.hpp"

namespace tenancy::server::keys {

namespace {

constexpr std::size_t kMaxDocumentBytes = 65536;
constexpr std::size_t kMaxJwksBytes = 262144; // the database takes no more

KeySet failed(std::string problem) {
    KeySet set;
    set.problem = std::move(problem);
    return set;
}

FetchLimits limits_of(const KeySyncConfig &config, std::size_t max_bytes) {
    return {max_bytes, std::chrono::milliseconds(config.timeout), config.ca_file};
}

bool is_tls(std::string_view address) {
    return address.substr(0, 8) == "https://";
}

std::string discovery_url(std::string issuer) {
    if (!issuer.empty() && issuer.back() == '/')
        issuer.pop_back();
    return issuer + "/.well-known/openid-configuration";
}

} // namespace

std::optional<std::string> jwks_uri_of(const std::string &document, const std::string &issuer,
                                       std::string &problem) {
    const auto json = nlohmann::json::parse(document, nullptr, false);
    const auto text = [&json](const char *name) {
        const auto member = json.is_object() ? json.find(name) : json.end();
        return member != json.end() && member->is_string() ? member->get<std::string>() : "";
    };
    if (!json.is_object())
        problem = "the discovery document is not a JSON object";
    else if (text("issuer") != issuer)
        problem = "the discovery document is of another issuer";
    else if (!parse_safe_url(text("jwks_uri")))
        problem = "the jwks_uri of the discovery document is not an https address";
    else if (is_tls(issuer) && !is_tls(text("jwks_uri")))
        problem = "the jwks_uri of the discovery document gives up TLS";
    else
        return text("jwks_uri");
    return std::nullopt;
}

std::string KeySource::discover(std::string &problem) const {
    const auto url = parse_safe_url(discovery_url(issuer_.issuer));
    if (!url) {
        problem = "the issuer is not an https address; give jwks_url or jwks_file";
        return "";
    }
    const Fetched document =
        http_fetch(url->origin, url->path, "", limits_of(config_, kMaxDocumentBytes));
    if (!document.problem.empty()) {
        problem = "the discovery address " + document.problem;
        return "";
    }
    return jwks_uri_of(document.body, issuer_.issuer, problem).value_or("");
}

KeySet KeySource::read_file() const {
    std::ifstream file(issuer_.jwks_file, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file || text.str().size() > kMaxJwksBytes)
        return failed("jwks_file cannot be read, or is too large");
    KeySet set;
    set.jwks = text.str();
    set.is_unchanged = !jwks_.empty() && set.jwks == jwks_;
    return set;
}

KeySet KeySource::fetch_from(const std::string &address) {
    const auto url = parse_safe_url(address);
    if (!url)
        return failed("the key set's address is not an https address");
    const std::string etag = address == url_ ? etag_ : "";
    const Fetched answer =
        http_fetch(url->origin, url->path, etag, limits_of(config_, kMaxJwksBytes));
    if (!answer.problem.empty())
        return failed("the key set's address " + answer.problem);
    KeySet set;
    const bool is_same = answer.status != 200;
    set.jwks = is_same ? jwks_ : answer.body;
    set.is_unchanged = is_same || (!jwks_.empty() && answer.body == jwks_);
    set.max_age = max_age_of(answer.caching);
    fetched_etag_ = is_same ? etag_ : answer.etag;
    fetched_url_ = address;
    return set;
}

KeySet KeySource::fetch() {
    std::string problem;
    const std::string address = !issuer_.jwks_file.empty()  ? ""
                                : !issuer_.jwks_url.empty() ? issuer_.jwks_url
                                                            : discover(problem);
    if (!problem.empty())
        return failed(problem);
    KeySet set = address.empty() ? read_file() : fetch_from(address);
    if (set.jwks.find('\0') != std::string::npos) // the database would see what is before it
        return failed("the key set holds a NUL character");
    fetched_jwks_ = set.jwks;
    return set;
}

void KeySource::accept() {
    etag_ = fetched_etag_;
    jwks_ = fetched_jwks_;
    url_ = fetched_url_;
}

void KeySource::forget() {
    etag_.clear();
    jwks_.clear();
    url_.clear();
}

} // namespace tenancy::server::keys
