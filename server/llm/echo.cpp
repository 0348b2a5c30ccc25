#include "echo.hpp"

#include <algorithm>
#include <string>
#include <thread>

#include <nlohmann/json.hpp>

#include "../utf8.hpp"
#include "wire.hpp"

namespace tenancy::server::llm {

namespace {

using nlohmann::json;

constexpr std::size_t kPieceBytes = 12;

// The text of a message: a plain string, or the "text" parts of a list put together.
std::string text_of(const json &message) {
    const auto content = message.find("content");
    if (content == message.end())
        return {};
    if (content->is_string())
        return content->get<std::string>();
    std::string text;
    if (content->is_array())
        for (const json &part : *content)
            if (part.is_object() && part.value("type", "") == "text")
                text += part.value("text", "");
    return text;
}

// The tool that a request insists on: the one it names, or the first when one is "required".
std::string wanted_tool(const json &request) {
    const json choice = request.value("tool_choice", json());
    const json tools = request.value("tools", json::array());
    const json named = choice == "required" && !tools.empty() ? tools.front() : choice;
    if (!named.is_object() || !named.contains("function") || !named["function"].is_object())
        return {};
    const json name = named["function"].value("name", json());
    return name.is_string() ? name.get<std::string>() : "";
}

// Echoes the last user message, in pieces: as content, as the argument of a tool when the request
// insists on one, and before that as reasoning when the request asks for an effort.
class EchoCall : public ModelCall {
public:
    EchoCall(const json &request, std::chrono::milliseconds delay)
        : tool_(wanted_tool(request)), delay_(delay) {
        for (const json &message : request.value("messages", json::array())) {
            const std::string text = message.is_object() ? text_of(message) : "";
            prompt_bytes_ += text.size();
            if (message.is_object() && message.value("role", "") == "user")
                answer_ = text;
        }
        if (request.contains("reasoning_effort") && request["reasoning_effort"] != "none")
            for (const std::string_view piece : split_text(answer_, kPieceBytes))
                deltas_.push_back({{"reasoning_content", std::string(piece)}});
        if (tool_.empty())
            add_content();
        else
            add_tool_call();
        due_ = std::chrono::steady_clock::now() + delay_;
    }

    Step next(std::chrono::milliseconds patience) override {
        const auto wait = due_ - std::chrono::steady_clock::now();
        if (wait > std::chrono::nanoseconds::zero()) {
            std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(wait, patience));
            if (wait > patience)
                return {};
        }
        if (position_ < deltas_.size()) {
            due_ = std::chrono::steady_clock::now() + delay_;
            return choice(std::move(deltas_[position_++]), nullptr);
        }
        switch (tail_++) {
        case 0:
            return choice(json::object(), tool_.empty() ? "stop" : "tool_calls");
        case 1:
            return data({{"choices", json::array()}, {"usage", usage()}});
        default:
            return {Step::Kind::done, "", "", 0, false};
        }
    }

private:
    void add_content() {
        for (const std::string_view piece : split_text(answer_, kPieceBytes))
            deltas_.push_back({{"content", std::string(piece)}});
    }

    // As providers do: id and name first, then the arguments bit by bit.
    void add_tool_call() {
        deltas_.push_back(tool_piece({{"id", "call_echo"},
                                      {"type", "function"},
                                      {"function", {{"name", tool_}, {"arguments", ""}}}}));
        const std::string arguments = json({{"text", answer_}}).dump();
        for (const std::string_view piece : split_text(arguments, kPieceBytes))
            deltas_.push_back(tool_piece({{"function", {{"arguments", std::string(piece)}}}}));
    }

    static json tool_piece(json call) {
        call["index"] = 0;
        return {{"tool_calls", json::array({std::move(call)})}};
    }

    static Step choice(json delta, const json &reason) {
        return data({{"choices",
                      {{{"index", 0}, {"delta", std::move(delta)}, {"finish_reason", reason}}}}});
    }

    // In the spacing of the frames that the client gets: a delta goes out as it is.
    static Step data(const json &chunk) {
        return {Step::Kind::data, spaced(chunk.dump()), "", 0, false};
    }

    json usage() const {
        const std::size_t prompt = echo_tokens(prompt_bytes_);
        const std::size_t completion = echo_tokens(answer_.size());
        return {{"prompt_tokens", prompt},
                {"completion_tokens", completion},
                {"total_tokens", prompt + completion}};
    }

    std::string answer_;
    std::string tool_;
    std::vector<json> deltas_;
    std::size_t position_ = 0;
    std::size_t prompt_bytes_ = 0;
    int tail_ = 0;
    std::chrono::milliseconds delay_;
    std::chrono::steady_clock::time_point due_;
};

} // namespace

std::size_t echo_tokens(std::size_t bytes) {
    return (bytes + 3) / 4;
}

std::vector<std::string_view> split_text(std::string_view text, std::size_t most) {
    std::vector<std::string_view> pieces;
    while (!text.empty()) {
        std::size_t length = 0;
        while (length < text.size()) {
            const std::size_t next = utf8_length(text, length);
            if (length > 0 && length + next > most)
                break;
            length += next;
        }
        pieces.push_back(text.substr(0, length));
        text.remove_prefix(pieces.back().size());
    }
    return pieces;
}

std::unique_ptr<ModelCall> EchoModel::start(const ModelRequest &request) {
    return std::make_unique<EchoCall>(json::parse(request.body), delay_);
}

} // namespace tenancy::server::llm
