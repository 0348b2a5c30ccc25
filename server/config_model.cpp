#include "config_model.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>

#include "http.hpp"

namespace tenancy::server {

namespace {

constexpr long kMaxSeconds = 86400;
constexpr std::size_t kMaxFallbacks = 4;

std::string without_slashes(std::string url) {
    while (!url.empty() && url.back() == '/')
        url.pop_back();
    return url;
}

// The names travel to the database as text that ends up in its log.
bool is_model_name(const std::string &name) {
    return !name.empty() && name.size() <= 256 &&
           std::all_of(name.begin(), name.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

bool is_token_char(char c) { // RFC 9110, section 5.6.2
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_visible(char c) {
    return c >= ' ' && c <= '~';
}

// Of the connection, of the body, or told by other keys.
bool is_ours(const std::string &name) {
    constexpr std::array<std::string_view, 13> ours = {
        "Accept",     "Accept-Encoding",   "Authorization", "Connection",  "Content-Length",
        "Expect",     "Content-Type",      "Host",          "traceparent", "Upgrade",
        "User-Agent", "Transfer-Encoding", "X-Request-ID"};
    return std::any_of(ours.begin(), ours.end(),
                       [&](std::string_view own) { return equals_ignoring_case(name, own); });
}

// A value may be a secret: no message quotes one.
std::map<std::string, Secret> read_headers(Section section) {
    std::map<std::string, Secret> headers;
    for (const auto &[name, value] : section.named_texts()) {
        if (name.empty() || !std::all_of(name.begin(), name.end(), is_token_char) || is_ours(name))
            section.error(name, "cannot be set. Use the name of a header that tenancyd does not "
                                "send itself.");
        else if (!std::all_of(value.begin(), value.end(), is_visible))
            section.error(name, "must be printable ASCII characters.");
        else
            headers.emplace(name, Secret(value));
    }
    section.finish();
    return headers;
}

void read_model_timeouts(Section &section, ModelConfig &model) {
    section.seconds("connect_timeout_seconds", model.connect_timeout, 1, kMaxSeconds);
    section.seconds("first_token_timeout_seconds", model.first_token_timeout, 1, kMaxSeconds);
    section.seconds("idle_timeout_seconds", model.idle_timeout, 1, kMaxSeconds);
    section.seconds("total_timeout_seconds", model.total_timeout, 1, kMaxSeconds);
    if (const auto delay = section.number("echo_delay_ms", 0, 60000))
        model.echo_delay = std::chrono::milliseconds(*delay);
    model.retries = section.number("retries", 0, 5).value_or(model.retries);
}

// What it does not name is as in the first model; but the key of one endpoint is never sent to
// another one.
ModelConfig read_fallback(Section section, const ModelConfig &first,
                          const Environment &environment) {
    ModelConfig model = first;
    model.name = section.text("name").value_or("");
    const auto endpoint = section.text("endpoint");
    if (endpoint) {
        model.endpoint = without_slashes(*endpoint);
        model.api_key = Secret();
        model.ca_file.clear();
        model.headers.clear();
    }
    if (Secret key = read_secret(section, "api_key", environment); !key.empty())
        model.api_key = std::move(key);
    model.ca_file = section.text("ca_file").value_or(model.ca_file);
    if (section.has("headers"))
        model.headers = read_headers(section.section("headers"));
    section.finish();
    if (!is_model_name(model.name))
        section.error("name", "must be 1 to 256 printable ASCII characters.");
    if (!is_http_url(model.endpoint))
        section.error("endpoint", "must be the base URL of the model's API.");
    return model;
}

} // namespace

// The value itself is never put into a message.
Secret read_secret(Section &section, const std::string &prefix, const Environment &environment) {
    const auto variable = section.text(prefix + "_env");
    const auto path = section.text(prefix + "_file");
    if (variable && path) {
        section.error(prefix + "_file", "and " + prefix + "_env are both given. Keep one of them.");
        return {};
    }
    if (variable) {
        const auto value = environment(*variable);
        if (!value || value->empty())
            section.error(prefix + "_env", "environment variable " + *variable +
                                               " is not set or empty. Set it before the start.");
        return Secret(value.value_or(""));
    }
    if (!path)
        return {};
    std::ifstream in(*path);
    std::string line;
    if (!in || !std::getline(in, line) || line.empty())
        section.error(prefix + "_file", "cannot read the first line of " + *path +
                                            ". Check the path and its permissions.");
    while (!line.empty() && (line.back() == '\r' || line.back() == ' '))
        line.pop_back();
    return Secret(line);
}

bool is_http_url(const std::string &url) {
    return url.rfind("http://", 0) == 0 || url.rfind("https://", 0) == 0;
}

void read_model(Section section, ModelConfig &model, const Environment &environment) {
    const auto provider = section.one_of("provider", {"echo", "openai"});
    model.provider = provider && *provider == "echo" ? Provider::echo : Provider::openai;
    model.endpoint = without_slashes(section.text("endpoint").value_or(""));
    model.name = section.text("name").value_or("");
    model.ca_file = section.text("ca_file").value_or("");
    model.api_key = read_secret(section, "api_key", environment);
    model.headers = read_headers(section.section("headers"));
    model.temperature = section.real("temperature", 0.0, 2.0);
    model.max_tokens = section.number("max_tokens", 1, 10000000);
    read_model_timeouts(section, model);
    section.not_enforced("limits", "Use server.tenancy.rate_limit and server.tenancy.budget.");
    std::vector<Section> fallbacks = section.sections("fallbacks");
    section.finish();
    if (model.provider == Provider::echo) {
        if (!fallbacks.empty())
            section.error("fallbacks", "need model.provider: openai; echo never fails.");
        if (model.name.empty())
            model.name = "echo";
        return;
    }
    if (!is_http_url(model.endpoint))
        section.error("endpoint", "must be the base URL of the model's API, such as "
                                  "https://api.example.com/v1 (or set model.provider: echo).");
    if (model.name.empty())
        section.error("name", "is missing. Give the model's name at the provider.");
    if (fallbacks.size() > kMaxFallbacks)
        section.error("fallbacks",
                      "are more than " + std::to_string(kMaxFallbacks) + ". Remove some.");
    std::vector<ModelConfig> read;
    read.reserve(fallbacks.size());
    for (const Section &fallback : fallbacks)
        read.push_back(read_fallback(fallback, model, environment));
    model.fallbacks = std::move(read);
}

} // namespace tenancy::server
