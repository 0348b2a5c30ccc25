// The way of every request to agent.call, past the limit that several primaries share.
#include "handlers.hpp"

namespace tenancy::server {

namespace {

// The `request` argument of agent.call as JSON text.
std::string request_facts(const Services &services, const RequestContext &context,
                          const std::optional<rate::Decision> &decision) {
    nlohmann::json facts = {{"request_id", context.request_id},
                            {"model", context.settings->config.model.name},
                            {"instance_id", services.instance_id}}; // "" is none
    for (const ModelConfig &fallback : context.settings->config.model.fallbacks)
        facts["fallback_models"].push_back(fallback.name);
    if (context.x_tenant)
        facts["x_tenant"] = *context.x_tenant;
    if (context.x_auth_subject)
        facts["x_auth_subject"] = *context.x_auth_subject;
    if (!context.traceparent.empty())
        facts["traceparent"] = context.traceparent;
    if (decision)
        facts["shared_rate"] = decision->answers;
    return facts.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Nothing when there is nothing to decide or nobody who could: then the database's limit alone
// does. An error is the database's, about the token for one.
std::variant<std::optional<rate::Decision>, db::Error>
ask_shared_limit(Services &services, const RequestContext &context, std::string_view route,
                 const std::string &body) {
    std::optional<rate::Decision> decision;
    rate::SharedLimit *const limit = context.settings->shared_limit.get();
    if (limit == nullptr)
        return decision;
    if (limit->is_awake()) {
        const auto wanted = services.database.shared_rate(route, context.token, body);
        if (const auto *error = std::get_if<db::Error>(&wanted))
            return *error;
        if (std::get<std::string>(wanted).empty())
            return decision;
        decision = limit->take(std::get<std::string>(wanted));
    }
    services.metrics.count_valkey_decision(!decision           ? "unavailable"
                                           : decision->allowed ? "allowed"
                                                               : "refused");
    return decision;
}

} // namespace

Called call_route(Services &services, const RequestContext &context, std::string_view route,
                  const std::string &body, std::optional<std::string_view> content) {
    auto asked = ask_shared_limit(services, context, route, body);
    if (auto *error = std::get_if<db::Error>(&asked))
        return {std::move(*error), {}};
    auto &decision = std::get<std::optional<rate::Decision>>(asked);
    Called called{services.database.call(route, context.token, body,
                                         request_facts(services, context, decision), content),
                  {}};
    if (decision)
        called.taken = std::move(decision->taken);
    // After an error nobody knows how far the request came: what was taken stays taken, here as in
    // the database, and is back within a minute.
    const auto *answer = std::get_if<db::Answer>(&called.outcome);
    if (answer != nullptr && !answer->counted && !called.taken.flows.empty()) {
        context.settings->shared_limit->give_back(called.taken);
        called.taken = {};
    }
    return called;
}

} // namespace tenancy::server
