#include "handlers.hpp"

#include <nlohmann/json.hpp>

#include "problem.hpp"

namespace tenancy::server {

namespace {

using nlohmann::ordered_json;

template <typename T>
ordered_json value_or_null(const std::optional<T> &value) {
    return value ? ordered_json(*value) : ordered_json(nullptr);
}

// The reference's shape; this server has no system prompt and no tools of its own.
std::string agent_info(const Config &config) {
    const ordered_json info = {
        {"agent",
         {{"name", config.agent.name},
          {"description", config.agent.description},
          {"version", config.agent.version}}},
        {"model",
         {{"name", config.model.name},
          {"temperature", value_or_null(config.model.temperature)},
          {"max_tokens", value_or_null(config.model.max_tokens)}}},
        {"system_prompt", ""},
        {"tools", ordered_json::array()},
    };
    return info.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

} // namespace

Response answer_agent_info(Services &services, RequestContext &context) {
    const auto answer = services.database.sign_in(context.token);
    if (const auto *error = std::get_if<db::Error>(&answer))
        return refuse_for(context, *error);
    const auto &signed_in = std::get<db::SignedIn>(answer);
    context.tenant = signed_in.tenant;
    context.subject = signed_in.subject;
    if ((context.x_tenant && *context.x_tenant != signed_in.tenant) ||
        (context.x_auth_subject && *context.x_auth_subject != signed_in.subject)) {
        context.refusal = code_name(Code::tenant_mismatch);
        return problem(Code::tenant_mismatch);
    }
    return json_response(200, agent_info(context.settings->config));
}

} // namespace tenancy::server
