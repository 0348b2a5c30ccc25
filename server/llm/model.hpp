// The one interface behind which a language model answers: the built-in echo or an HTTP provider.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace tenancy::server::llm {

struct ModelRequest {
    std::string body; // OpenAI chat-completions request without its model, JSON text of an object
                      // with members, streaming asked for
    std::string request_id;
    std::string traceparent; // may be empty
    std::chrono::steady_clock::time_point deadline =
        std::chrono::steady_clock::time_point::max(); // of all tries together
};

/// What next() brought.
struct Step {
    enum class Kind {
        waiting, // nothing yet; ask again
        data,    // `data` holds one chat.completion.chunk (or a whole chat.completion) as JSON text
        done,    // the model has finished cleanly
        retrying, // failed; another try follows. `reason` and the like are as for `failed`
        timeout,  // a configured time ran out
        failed, // refused, broken or unreachable; `reason` says which, without quoting the provider
    };
    Kind kind = Kind::waiting;
    std::string data;
    std::string reason;
    int upstream_status = 0;                  // HTTP status of a refusal, 0 otherwise
    bool was_refused = false;                 // failed before the provider did any work
    bool may_retry = false;                   // of failed and timeout: another try could go better
    std::chrono::milliseconds retry_after{0}; // what the provider asked for
};

/// One answer in the making. Destroying it stops the work behind it.
class ModelCall {
public:
    ModelCall() = default;
    virtual ~ModelCall() = default;
    ModelCall(const ModelCall &) = delete;
    ModelCall &operator=(const ModelCall &) = delete;
    ModelCall(ModelCall &&) = delete;
    ModelCall &operator=(ModelCall &&) = delete;

    /// Waits at most `patience` for something to happen.
    virtual Step next(std::chrono::milliseconds patience) = 0;

    /// Name of the model that runs, or ran last; empty: the configured one, there is no other.
    virtual std::string_view model() const { return {}; }
};

class Model {
public:
    Model() = default;
    virtual ~Model() = default;
    Model(const Model &) = delete;
    Model &operator=(const Model &) = delete;
    Model(Model &&) = delete;
    Model &operator=(Model &&) = delete;

    /// Begins an answer; never blocks for long. Safe from any thread.
    virtual std::unique_ptr<ModelCall> start(const ModelRequest &request) = 0;
};

} // namespace tenancy::server::llm
