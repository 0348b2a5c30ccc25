#include "wire.hpp"

#include <array>
#include <ctime>

#include "../json_text.hpp"
#include "../random_id.hpp"
#include "raw_json.hpp"

namespace tenancy::server::llm {

namespace {

constexpr std::array kPassedOn = {"temperature",
                                  "max_tokens",
                                  "max_completion_tokens",
                                  "top_p",
                                  "top_k",
                                  "min_p",
                                  "stop",
                                  "frequency_penalty",
                                  "presence_penalty",
                                  "repetition_penalty",
                                  "logprobs",
                                  "top_logprobs",
                                  "logit_bias",
                                  "seed",
                                  "reasoning_effort",
                                  "tools",
                                  "tool_choice",
                                  "parallel_tool_calls",
                                  "response_format"};

constexpr std::array kMessageMembers = {"role",         "content", "name",         "tool_calls",
                                        "tool_call_id", "refusal", "function_call"};

std::string dump(const ordered_json &value) {
    return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string frame(const ordered_json &value) {
    return "data: " + spaced(dump(value)) + "\n\n";
}

ordered_json chunk_object(const Head &head, ordered_json choices) {
    return {{"id", head.id},
            {"object", "chat.completion.chunk"},
            {"created", head.created},
            {"model", head.model},
            {"choices", std::move(choices)}};
}

ordered_json one_choice(const ordered_json &delta, const ordered_json &finish_reason) {
    return ordered_json::array(
        {{{"index", 0}, {"delta", delta}, {"finish_reason", finish_reason}}});
}

bool is_worth_sending(const ordered_json &value) {
    return !value.is_null() &&
           !(value.is_string() && value.get_ref<const std::string &>().empty()) &&
           !(value.is_array() && value.empty());
}

// The role was announced by our first frame: client libraries append texts, so a second one would
// double it.
std::string without_role(std::string_view text) {
    std::string kept = "{";
    for (const RawMember &member : raw_members(text))
        if (member.name != "\"role\"")
            kept.append(kept.size() > 1 ? "," : "").append(member.whole);
    return kept + "}";
}

// What a delta says, in the provider's own bytes.
void read_delta(const ordered_json &source, std::string_view text, Chunk &chunk) {
    for (const auto &[name, value] : source.items())
        if (name != "role" && is_worth_sending(value))
            chunk.delta[name] = value;
    if (chunk.delta.empty())
        return;
    chunk.raw_delta = source.contains("role") ? without_role(text) : std::string(text);
    // Some providers say "reasoning" where the reference says "reasoning_content".
    if (!chunk.delta.contains("reasoning_content") && chunk.delta.contains("reasoning") &&
        chunk.delta["reasoning"].is_string()) {
        chunk.delta["reasoning_content"] = chunk.delta["reasoning"];
        chunk.raw_delta.back() = ','; // its brace
        chunk.raw_delta += "\"reasoning_content\":" + dump(chunk.delta["reasoning"]) + "}";
    }
    in_one_line(chunk.raw_delta);
}

ordered_json filtered_messages(const ordered_json &messages) {
    ordered_json out = ordered_json::array();
    for (const ordered_json &message : messages) {
        ordered_json kept = ordered_json::object();
        for (const char *name : kMessageMembers)
            if (message.is_object() && message.contains(name))
                kept[name] = message[name];
        out.push_back(std::move(kept));
    }
    return out;
}

// What was held pays for this many tokens and no more. Both names are understood by providers;
// which one the client used is kept.
void limit_tokens(ordered_json &body, long long most) {
    const char *name =
        body.contains("max_completion_tokens") ? "max_completion_tokens" : "max_tokens";
    const ordered_json asked = body.value(name, ordered_json(nullptr));
    if (!asked.is_number_integer() || asked.get<long long>() > most)
        body[name] = most;
}

} // namespace

ChatOptions read_chat_options(std::string_view body) {
    ChatOptions options;
    const ordered_json request = ordered_json::parse(body, nullptr, false);
    if (!request.is_object())
        return options; // the database words the refusal
    options.stream = request.contains("stream") && request["stream"] == true;
    for (const char *name : kPassedOn)
        if (request.contains(name) && !request[name].is_null())
            options.fields[name] = request[name];
    return options;
}

std::string upstream_body(const ModelConfig &model, const ordered_json &messages,
                          const ChatOptions &options, std::optional<long long> most_tokens) {
    ordered_json body = options.fields;
    if (model.temperature && !body.contains("temperature"))
        body["temperature"] = *model.temperature;
    if (model.max_tokens && !body.contains("max_tokens") && !body.contains("max_completion_tokens"))
        body["max_tokens"] = *model.max_tokens;
    if (most_tokens)
        limit_tokens(body, *most_tokens);
    body["messages"] = filtered_messages(messages);
    body["stream"] = true;
    body["stream_options"] = {{"include_usage", true}};
    return dump(body);
}

std::string with_model(std::string_view body, std::string_view model) {
    return "{\"model\":" + dump(model) + "," + std::string(body.substr(1));
}

std::optional<Chunk> parse_chunk(std::string_view text) {
    if (is_nested_too_deep(text))
        return std::nullopt;
    const ordered_json source = ordered_json::parse(text, nullptr, false);
    if (!source.is_object())
        return std::nullopt;
    Chunk chunk;
    chunk.is_error = source.contains("error") && !source["error"].is_null();
    if (source.contains("usage") && source["usage"].is_object())
        chunk.usage = source["usage"];
    const bool has_choice = source.contains("choices") && source["choices"].is_array() &&
                            !source["choices"].empty() && source["choices"][0].is_object();
    if (!has_choice)
        return chunk.is_error || source.contains("choices") || !chunk.usage.is_null()
                   ? std::optional<Chunk>(std::move(chunk))
                   : std::nullopt;
    const ordered_json &choice = source["choices"][0];
    const std::string_view raw_choice = first_raw_element(raw_member(text, "choices"));
    if (choice.contains("finish_reason") && choice["finish_reason"].is_string())
        chunk.finish_reason = choice["finish_reason"].get<std::string>();
    for (const char *name : {"delta", "message"})
        if (choice.contains(name) && choice[name].is_object())
            read_delta(choice[name], raw_member(raw_choice, name), chunk);
    if (choice.contains("logprobs") && is_worth_sending(choice["logprobs"])) {
        chunk.raw_logprobs = raw_member(raw_choice, "logprobs");
        in_one_line(chunk.raw_logprobs);
    }
    return chunk;
}

Head new_head(std::string model) {
    return {"chatcmpl-" + random_hex(12), static_cast<long long>(std::time(nullptr)),
            std::move(model)};
}

std::string delta_frame(const Head &head, std::string_view delta, std::string_view logprobs) {
    std::string text = frame(chunk_object(head, ordered_json::array()));
    constexpr std::string_view kTail = "]}\n\n"; // the end of the empty list of choices
    text.resize(text.size() - kTail.size());
    text.append(R"({"index": 0, "delta": )").append(delta);
    if (!logprobs.empty())
        text.append(R"(, "logprobs": )").append(logprobs);
    return text.append(R"(, "finish_reason": null})").append(kTail);
}

std::string finish_frame(const Head &head, std::string_view finish_reason) {
    return frame(chunk_object(head, one_choice(ordered_json::object(), finish_reason)));
}

std::string usage_frame(const Head &head, const ordered_json &usage, const ordered_json &metrics,
                        std::string_view trace_id) {
    ordered_json chunk = chunk_object(head, ordered_json::array());
    chunk["usage"] = usage;
    chunk["stream_metrics"] = metrics;
    chunk["trace_id"] = trace_id;
    return frame(chunk);
}

std::string error_frame(std::string_view error_object) {
    return "data: " + spaced(R"({"error":)" + std::string(error_object) + "}") + "\n\n";
}

std::string completion_body(const Head &head, const ordered_json &message,
                            std::string_view finish_reason, const ordered_json &usage,
                            const ordered_json &metrics) {
    return dump(
        {{"id", head.id},
         {"object", "chat.completion"},
         {"created", head.created},
         {"model", head.model},
         {"choices", ordered_json::array(
                         {{{"index", 0}, {"message", message}, {"finish_reason", finish_reason}}})},
         {"usage", usage},
         {"stream_metrics", metrics}});
}

std::string spaced(std::string_view compact) {
    std::string out;
    out.reserve(compact.size() + compact.size() / 8);
    bool in_string = false;
    for (std::size_t i = 0; i < compact.size(); ++i) {
        const char c = compact[i];
        out.push_back(c);
        if (in_string && c == '\\' && i + 1 < compact.size())
            out.push_back(compact[++i]);
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == ',' || c == ':'))
            out.push_back(' ');
    }
    return out;
}

} // namespace tenancy::server::llm
