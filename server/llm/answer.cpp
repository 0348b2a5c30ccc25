#include "answer.hpp"

#include <cmath>

namespace tenancy::server::llm {

namespace {

constexpr std::size_t kMaxLatencies = 500;
constexpr std::size_t kMaxToolCalls = 128;

double seconds_between(Answer::Time from, Answer::Time to) {
    const std::chrono::duration<double> seconds = to - from;
    return std::round(seconds.count() * 1e6) / 1e6;
}

ordered_json seconds_or_null(Answer::Time from, const std::optional<Answer::Time> &to) {
    return to ? ordered_json(seconds_between(from, *to)) : ordered_json(nullptr);
}

long long count_in(const ordered_json &object, const char *name) {
    const auto found = object.find(name);
    if (found == object.end() || !found->is_number_integer())
        return 0;
    if (found->is_number_unsigned() && found->get<unsigned long long>() > 1000000000000ULL)
        return 0; // no answer has that many tokens: the provider lies
    return std::max(0LL, found->get<long long>());
}

// Adds a string piece of a tool call to what is there.
void append_text(ordered_json &object, const char *name, const ordered_json &piece) {
    const auto found = piece.find(name);
    if (found != piece.end() && found->is_string())
        object[name] = object.value(name, "") + found->get<std::string>();
}

} // namespace

void Answer::add(const Chunk &chunk, Time now) {
    bool is_token = false;
    if (const auto text = chunk.delta.find("reasoning_content");
        text != chunk.delta.end() && text->is_string()) {
        reasoning_ += text->get_ref<const std::string &>();
        first_reasoning_ = first_reasoning_.value_or(now);
        is_token = true;
    }
    if (const auto text = chunk.delta.find("content");
        text != chunk.delta.end() && text->is_string()) {
        content_ += text->get_ref<const std::string &>();
        first_content_ = first_content_.value_or(now);
        is_token = true;
    }
    if (const auto calls = chunk.delta.find("tool_calls"); calls != chunk.delta.end())
        add_tool_calls(*calls);
    if (!chunk.finish_reason.empty())
        finish_reason_ = chunk.finish_reason;
    if (!chunk.usage.is_null())
        usage_ = chunk.usage;
    if (!is_token)
        return;
    ++pieces_;
    if (last_token_ && latencies_.size() < kMaxLatencies)
        latencies_.push_back(seconds_between(*last_token_, now));
    last_token_ = now;
}

// A call comes in pieces that share an index; its id and name come first, its arguments bit by bit.
void Answer::add_tool_calls(const ordered_json &pieces) {
    for (const ordered_json &piece : pieces) {
        if (!piece.is_object())
            continue;
        const auto index = static_cast<std::size_t>(
            piece.contains("index") ? count_in(piece, "index")
                                    : static_cast<long long>(tool_calls_.size()));
        if (index >= kMaxToolCalls)
            continue;
        while (tool_calls_.size() <= index)
            tool_calls_.push_back({{"id", ""},
                                   {"type", "function"},
                                   {"function", {{"name", ""}, {"arguments", ""}}}});
        ordered_json &call = tool_calls_[index];
        append_text(call, "id", piece);
        if (const auto function = piece.find("function"); function != piece.end()) {
            append_text(call["function"], "name", *function);
            append_text(call["function"], "arguments", *function);
        }
    }
}

ordered_json Answer::message() const {
    const bool is_silent = content_.empty() && !tool_calls_.empty();
    ordered_json message = {
        {"role", "assistant"},
        {"content", is_silent ? ordered_json(nullptr) : ordered_json(content_)}};
    if (!reasoning_.empty())
        message["reasoning_content"] = reasoning_;
    if (!tool_calls_.empty())
        message["tool_calls"] = tool_calls_;
    return message;
}

bool Answer::is_empty() const {
    return content_.empty() && reasoning_.empty() && tool_calls_.empty();
}

ordered_json Answer::usage() const {
    if (!usage_.is_object())
        return nullptr;
    const long long prompt = count_in(usage_, "prompt_tokens");
    const long long completion = count_in(usage_, "completion_tokens");
    ordered_json usage = {{"prompt_tokens", prompt},
                          {"completion_tokens", completion},
                          {"total_tokens", prompt + completion}};
    const auto detail = [&](const char *group, const char *name, const char *as) {
        const auto found = usage_.find(group);
        if (found != usage_.end() && found->is_object() && found->contains(name))
            usage[as] = count_in(*found, name);
    };
    detail("prompt_tokens_details", "cached_tokens", "cached_tokens");
    detail("completion_tokens_details", "reasoning_tokens", "reasoning_tokens");
    return usage;
}

ordered_json Answer::client_usage() const {
    ordered_json shown = usage();
    if (shown.is_object()) {
        shown.erase("cached_tokens");
        shown.erase("reasoning_tokens");
    }
    return shown;
}

ordered_json Answer::estimated_usage(std::size_t prompt_bytes) const {
    std::size_t bytes = content_.size() + reasoning_.size();
    for (const ordered_json &call : tool_calls_)
        bytes += call["function"].value("arguments", "").size();
    const std::size_t prompt = (prompt_bytes + 3) / 4;
    const std::size_t completion = (bytes + 3) / 4;
    return {{"prompt_tokens", prompt},
            {"completion_tokens", completion},
            {"total_tokens", prompt + completion}};
}

ordered_json Answer::metrics(Time now) const {
    return {{"time_to_first_reasoning", seconds_or_null(started_, first_reasoning_)},
            {"time_to_first_content", seconds_or_null(started_, first_content_)},
            {"total_time", seconds_between(started_, now)},
            {"inter_token_latencies", latencies_},
            {"model_calls", 1},
            {"tool_calls", tool_calls_.size()}};
}

} // namespace tenancy::server::llm
