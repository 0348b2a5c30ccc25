// OpenAI's JSON: what goes to the provider, what comes back, and the frames that go to the client.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "../config.hpp"

namespace tenancy::server::llm {

using ordered_json = nlohmann::ordered_json;

/// What the server itself reads of a chat request; the rest is the database's and the model's.
struct ChatOptions {
    bool stream = false;
    ordered_json fields = ordered_json::object(); // sampling and tools, passed on as they came
};

/// `body` must have passed json_defect().
ChatOptions read_chat_options(std::string_view body);

/// The provider's request but for its model: configured defaults, the turn's messages, the client's
/// options. Always streamed, because only a stream shows when the first token came and can be cut.
/// `most_tokens`: what the database holds money for; the provider is never asked for more.
std::string upstream_body(const ModelConfig &model, const ordered_json &messages,
                          const ChatOptions &options,
                          std::optional<long long> most_tokens = std::nullopt);

/// The same with its model.
std::string with_model(std::string_view body, std::string_view model);

/// One piece of a provider's answer.
struct Chunk {
    ordered_json delta = ordered_json::object(); // without the role; empty when it says nothing
    std::string
        raw_delta; // the members of delta as the provider wrote them, JSON text of an object
    std::string raw_logprobs;  // likewise; empty when there are none
    std::string finish_reason; // empty: not yet
    ordered_json usage;        // null: not in this piece
    bool is_error = false;     // the provider sent an error object
};

/// Reads a chat.completion.chunk, or a whole chat.completion as if it were one. Nothing when the
/// text is neither.
std::optional<Chunk> parse_chunk(std::string_view text);

/// The members that all frames of one answer share.
struct Head {
    std::string id; // chatcmpl- and 24 hex digits
    long long created = 0;
    std::string model;
};

/// A fresh head with the current time (Unix seconds).
Head new_head(std::string model);

/// "data: <json>\n\n" frames of the client's stream, in the spacing of Python's json module.
/// `delta` and `logprobs` are JSON text and go out as they are; no logprobs when empty.
std::string delta_frame(const Head &head, std::string_view delta, std::string_view logprobs = {});
inline constexpr std::string_view kRoleDelta = R"({"role": "assistant"})";
std::string finish_frame(const Head &head, std::string_view finish_reason);
std::string usage_frame(const Head &head, const ordered_json &usage, const ordered_json &metrics,
                        std::string_view trace_id);
/// `error_object` is JSON text.
std::string error_frame(std::string_view error_object);
inline constexpr std::string_view kDoneFrame = "data: [DONE]\n\n";

/// The body of an answer that is not streamed.
std::string completion_body(const Head &head, const ordered_json &message,
                            std::string_view finish_reason, const ordered_json &usage,
                            const ordered_json &metrics);

/// Compact JSON with a space after each ',' and ':' outside strings.
std::string spaced(std::string_view compact);

} // namespace tenancy::server::llm
