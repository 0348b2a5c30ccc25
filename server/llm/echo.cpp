#include "echo.hpp"

#include <algorithm>
#include <string>
#include <thread>

#include <nlohmann/json.hpp>

#include "../utf8.hpp"

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

class EchoCall : public ModelCall {
public:
    EchoCall(const json &request, std::chrono::milliseconds delay) : delay_(delay) {
        for (const json &message : request.value("messages", json::array())) {
            const std::string text = message.is_object() ? text_of(message) : "";
            prompt_bytes_ += text.size();
            if (message.is_object() && message.value("role", "") == "user")
                answer_ = text;
        }
        pieces_ = split_text(answer_, kPieceBytes);
        due_ = std::chrono::steady_clock::now() + delay_;
    }

    Step next(std::chrono::milliseconds patience) override {
        const auto wait = due_ - std::chrono::steady_clock::now();
        if (wait > std::chrono::nanoseconds::zero()) {
            std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(wait, patience));
            if (wait > patience)
                return {};
        }
        if (position_ < pieces_.size()) {
            due_ = std::chrono::steady_clock::now() + delay_;
            const std::string_view piece = pieces_[position_++];
            return data({{"choices",
                          {{{"index", 0},
                            {"delta", {{"content", std::string(piece)}}},
                            {"finish_reason", nullptr}}}}});
        }
        switch (tail_++) {
        case 0:
            return data({{"choices",
                          {{{"index", 0}, {"delta", json::object()}, {"finish_reason", "stop"}}}}});
        case 1:
            return data({{"choices", json::array()}, {"usage", usage()}});
        default:
            return {Step::Kind::done, "", "", 0, false};
        }
    }

private:
    static Step data(const json &chunk) { return {Step::Kind::data, chunk.dump(), "", 0, false}; }

    json usage() const {
        const std::size_t prompt = echo_tokens(prompt_bytes_);
        const std::size_t completion = echo_tokens(answer_.size());
        return {{"prompt_tokens", prompt},
                {"completion_tokens", completion},
                {"total_tokens", prompt + completion}};
    }

    std::string answer_;
    std::vector<std::string_view> pieces_; // into answer_
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
