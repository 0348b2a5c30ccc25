#include "turn.hpp"

#include "log.hpp"

namespace tenancy::server {

namespace {

using Clock = std::chrono::steady_clock;
using llm::ordered_json;

// How often a quiet stream looks whether its client is still there.
constexpr std::chrono::milliseconds kPatience{50};
// How often a running turn tells the database how far it is. After a crash, what came since the
// last time is not charged.
constexpr std::chrono::seconds kMeterInterval{2};
// How long the end of a turn is tried again while the database is away.
constexpr std::chrono::seconds kEndPatience{15};

const char *status_name(TurnStatus status) {
    switch (status) {
    case TurnStatus::ok:
        return "ok";
    case TurnStatus::error:
        return "error";
    case TurnStatus::aborted:
        break;
    }
    return "aborted";
}

Settlement settlement_of(const std::string &body) {
    const auto answer = ordered_json::parse(body, nullptr, false);
    Settlement settlement;
    if (!answer.is_object())
        return settlement;
    if (const auto charged = answer.find("charged_picodollars");
        charged != answer.end() && charged->is_number_unsigned())
        settlement.picodollars = charged->get<unsigned long long>();
    settlement.overrun = answer.value("overrun", ordered_json()) == true;
    settlement.late = answer.value("late", ordered_json()) == true;
    return settlement;
}

} // namespace

Turn::Turn(Services &services, TurnStart start)
    : services_(services), start_(std::move(start)), started_(Clock::now()), answer_(started_),
      metered_at_(started_) {}

Turn::~Turn() {
    call_.reset();
    end_quietly();
    services_.turns.give_back();
}

// A destructor must not throw; what can go wrong here is memory running out.
void Turn::end_quietly() noexcept {
    try {
        end(TurnStatus::aborted);
    } catch (...) {
        log_event(LogLevel::error, "turn_not_recorded", {{"reason", R"("unexpected exception")"}});
    }
}

void Turn::dispatch(const llm::ModelRequest &request) {
    call_ = start_.settings->model->start(request);
    may_cost_ = true;
}

Turn::Progress Turn::fail(Code code, std::string_view reason, int upstream_status) const {
    log_event(LogLevel::warn, "upstream_failed",
              {log_text("request_id", start_.request_id), log_text("trace_id", start_.trace_id),
               log_text("reason", reason),
               log_number("upstream_status", static_cast<long long>(upstream_status))});
    Progress progress;
    progress.kind = Progress::Kind::failed;
    progress.failure = code;
    return progress;
}

Turn::Progress Turn::advance() {
    llm::Step step = call_->next(kPatience);
    switch (step.kind) {
    case llm::Step::Kind::waiting:
        return {};
    case llm::Step::Kind::timeout:
        return fail(Code::upstream_timeout, step.reason, 0);
    case llm::Step::Kind::failed:
        may_cost_ = !step.was_refused;
        return fail(Code::upstream_failed, step.reason, step.upstream_status);
    case llm::Step::Kind::done:
        if (answer_.finish_reason().empty() && answer_.is_empty())
            return fail(Code::upstream_failed, "the provider's stream ended without an answer", 0);
        break;
    case llm::Step::Kind::data: {
        const auto chunk = llm::parse_chunk(step.data);
        if (!chunk || chunk->is_error)
            return fail(Code::upstream_failed,
                        chunk ? "the provider sent an error" : "the provider sent no chat chunk",
                        0);
        answer_.add(*chunk, Clock::now());
        if (must_stop()) {
            call_.reset();
            cut_ = true;
            Progress progress;
            progress.kind = Progress::Kind::cut;
            progress.delta = chunk->delta;
            return progress;
        }
        return {Progress::Kind::piece, chunk->delta, !chunk->finish_reason.empty(),
                Code::upstream_failed};
    }
    }
    Progress progress;
    progress.kind = Progress::Kind::finished;
    return progress;
}

// A database that cannot be asked stops nothing: what was held covers the turn, and the end settles
// it.
bool Turn::must_stop() {
    const auto now = Clock::now();
    if (now - metered_at_ < kMeterInterval)
        return false;
    metered_at_ = now;
    return services_.database.meter_turn(start_.ticket, answer_.pieces()) == db::Metered::stop;
}

std::string Turn::finish_reason() const {
    if (cut_)
        return "length";
    return answer_.finish_reason().empty() ? "stop" : answer_.finish_reason();
}

ordered_json Turn::metrics() const {
    return answer_.metrics(Clock::now());
}

std::string Turn::result_json(TurnStatus status, Code failure, const ordered_json &usage,
                              bool estimated) const {
    const bool has_message = status == TurnStatus::ok || !answer_.is_empty();
    const std::string reason = cut_ ? "length" : answer_.finish_reason();
    ordered_json result = {
        {"status", status_name(status)},
        {"finish_reason", reason.empty() ? ordered_json(nullptr) : ordered_json(reason)},
        {"message", has_message ? answer_.message() : ordered_json(nullptr)},
        {"model", start_.settings->config.model.name},
        {"usage", usage},
        {"estimated", estimated},
        {"stream", start_.stream},
        {"stream_metrics", metrics()},
        {"error", nullptr}};
    if (status == TurnStatus::error)
        result["error"] = {{"type", code_name(failure)}, {"message", code_name(failure)}};
    return result.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

// Of the tokens that the turn took from the shared limit, those that the database says it did not
// use; nothing for a turn that was ended before by somebody else.
void Turn::give_back_unused(const std::string &end_body) const {
    if (start_.settings->shared_limit == nullptr)
        return;
    const auto body = ordered_json::parse(end_body, nullptr, false);
    const auto used = body.find("used_tokens");
    if (used != body.end() && used->is_number_integer())
        start_.settings->shared_limit->give_back_unused(start_.taken, used->get<long long>());
}

bool Turn::record(const std::string &result) {
    const auto answer = services_.database.end_turn(start_.ticket, result, kEndPatience);
    const auto *error = std::get_if<db::Error>(&answer);
    const auto *ended = std::get_if<db::Answer>(&answer);
    if (ended != nullptr && ended->status < 300) {
        services_.metrics.count_settlement(settlement_of(ended->body));
        give_back_unused(ended->body);
        return true;
    }
    services_.metrics.count_unrecorded_turn();
    log_event(LogLevel::error, "turn_not_recorded",
              {log_text("request_id", start_.request_id), log_text("trace_id", start_.trace_id),
               log_text("sqlstate", error != nullptr ? error->sqlstate : ""),
               log_number("status", static_cast<long long>(ended != nullptr ? ended->status : 0))});
    return false;
}

bool Turn::end(TurnStatus status, Code failure) {
    if (ended_)
        return true;
    ended_ = true;
    ordered_json usage = answer_.usage();
    // What reached the provider costs, whether it said so or not.
    const bool estimated = usage.is_null() && may_cost_;
    if (estimated)
        usage = answer_.estimated_usage(start_.prompt_bytes);
    const std::chrono::duration<double> took = Clock::now() - started_;
    const bool recorded = record(result_json(status, failure, usage, estimated));
    const std::chrono::duration<double> whole = Clock::now() - started_;
    const bool counted = usage.is_object();
    services_.metrics.count_turn({status_name(status), start_.stream, whole.count(), took.count(),
                                  counted ? usage["prompt_tokens"].get<long long>() : 0,
                                  counted ? usage["completion_tokens"].get<long long>() : 0, cut_});
    return recorded;
}

} // namespace tenancy::server
