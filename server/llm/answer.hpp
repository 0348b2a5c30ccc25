// Puts the pieces of a model's answer together and measures them. Pure but for the times it is
// given.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "wire.hpp"

namespace tenancy::server::llm {

class Answer {
public:
    using Time = std::chrono::steady_clock::time_point;

    explicit Answer(Time started) : started_(started) {}

    void add(const Chunk &chunk, Time now);

    /// {"role":"assistant","content":...,"tool_calls":[...]?}
    ordered_json message() const;
    /// Nothing was said: no content, no reasoning, no tool call.
    bool is_empty() const;
    /// The model's reason, or "" while it has given none.
    const std::string &finish_reason() const { return finish_reason_; }

    /// Pieces with text so far: a lower bound of the output tokens, as each token is in one piece.
    long long pieces() const { return pieces_; }

    /// The provider's usage with the three counts as integers, or null when it sent none.
    ordered_json usage() const;
    /// The same without the parts that the reference does not show.
    ordered_json client_usage() const;
    /// A stand-in for a missing usage: a quarter of the bytes, rounded up.
    ordered_json estimated_usage(std::size_t prompt_bytes) const;

    /// The stream_metrics object; at most 500 latencies, because relays read a frame as one line.
    ordered_json metrics(Time now) const;

private:
    void add_tool_calls(const ordered_json &pieces);

    Time started_;
    std::string content_;
    std::string reasoning_;
    std::vector<ordered_json> tool_calls_;
    std::string finish_reason_;
    ordered_json usage_;
    std::optional<Time> first_reasoning_;
    std::optional<Time> first_content_;
    std::optional<Time> last_token_;
    std::vector<double> latencies_;
    long long pieces_ = 0;
};

} // namespace tenancy::server::llm
