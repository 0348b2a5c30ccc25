// The built-in model `echo`: answers with the text of the last user message, streamed in small
// pieces; as the argument "text" of a tool when tool_choice insists on one, and as reasoning, too,
// when there is a reasoning_effort. Usage is counted as one token per four bytes of UTF-8 text,
// rounded up (prompt: the text of all messages together), so that tests and demonstrations are
// deterministic.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>
#include <vector>

#include "model.hpp"

namespace tenancy::server::llm {

/// Tokens as echo counts them: ceil(bytes / 4).
std::size_t echo_tokens(std::size_t bytes);

/// Pieces of at most `most` bytes, cut between UTF-8 characters. `text` must be well-formed.
std::vector<std::string_view> split_text(std::string_view text, std::size_t most);

class EchoModel : public Model {
public:
    /// `delay` passes before each piece.
    explicit EchoModel(std::chrono::milliseconds delay) : delay_(delay) {}
    std::unique_ptr<ModelCall> start(const ModelRequest &request) override;

private:
    std::chrono::milliseconds delay_;
};

} // namespace tenancy::server::llm
