// One chat turn after begin_turn: owns the ticket and the model's call, and sees to it that
// end_turn is called exactly once, whatever happens in between.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "llm/answer.hpp"
#include "problem.hpp"
#include "request_context.hpp"
#include "services.hpp"

namespace tenancy::server {

/// What begin_turn handed out, and how the client asked.
struct TurnStart {
    SettingsPointer settings; // of its request
    std::string ticket;
    std::string trace_id;
    std::string model; // as the database decided
    std::string request_id;
    std::string tenant;
    std::string subject;
    std::string span_id;
    std::string model_span_id; // of the model's call, below span_id
    std::string otel_trace_id;
    std::chrono::steady_clock::time_point deadline;
    std::size_t prompt_bytes = 0;
    bool stream = false;
    rate::Taken taken; // from the shared limit
    Share share;       // of services.turns; null: there was no place
};

enum class TurnStatus { ok, error, aborted };

class Turn {
public:
    Turn(Services &services, TurnStart start);
    /// Ends the turn as aborted unless it has ended.
    ~Turn();
    Turn(const Turn &) = delete;
    Turn &operator=(const Turn &) = delete;
    Turn(Turn &&) = delete;
    Turn &operator=(Turn &&) = delete;

    /// Sends the request to the model.
    void dispatch(const llm::ModelRequest &request);

    /// What happened on the model's side since the last call. cut: the database says that what the
    /// turn holds is used up, or its tenant is suspended; the model is stopped.
    // The JSON library's constructors throw nothing here, which the checker cannot tell.
    // NOLINTNEXTLINE(bugprone-exception-escape)
    struct Progress {
        enum class Kind { waiting, piece, finished, failed, cut };
        Kind kind = Kind::waiting;
        std::string delta;    // of a piece, JSON text in the provider's bytes; may be empty
        std::string logprobs; // likewise
        bool finish_reason_came = false;
        Code failure = Code::upstream_failed;
    };
    /// Waits a moment at most.
    Progress advance();

    /// Tells the database; at most one call has an effect. False: it was not recorded (and logged).
    bool end(TurnStatus status, Code failure = Code::upstream_failed);

    /// The reason for the client: the model's own, or "length" when the turn was cut.
    std::string finish_reason() const;
    bool is_cut() const { return cut_; }
    const llm::Answer &answer() const { return answer_; }
    const TurnStart &start() const { return start_; }
    /// The metrics at the end of the model's work.
    llm::ordered_json metrics() const;

private:
    void log_failure(std::string_view event, const llm::Step &step) const;
    Progress fail(Code code, const llm::Step &step) const;
    std::string result_json(TurnStatus status, Code failure, const llm::ordered_json &usage,
                            bool estimated) const;
    bool record(const std::string &result);
    void give_back_unused(const std::string &end_body) const;
    void send_span(TurnStatus status, const llm::ordered_json &usage) const;
    bool must_stop();
    void end_quietly() noexcept;

    Services &services_;
    TurnStart start_;
    std::chrono::steady_clock::time_point started_;
    llm::Answer answer_;
    std::unique_ptr<llm::ModelCall> call_;
    std::string ran_;       // the model that runs, or ran last
    bool may_cost_ = false; // the provider may have worked for this turn
    bool ended_ = false;
    bool cut_ = false; // the database stopped it
    std::chrono::steady_clock::time_point metered_at_;
};

} // namespace tenancy::server
