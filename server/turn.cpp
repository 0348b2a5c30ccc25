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
}

// A destructor must not throw; what can go wrong here is memory running out.
void Turn::end_quietly() noexcept {
    try {
        end(TurnStatus::aborted);
    } catch (...) {
        log_of(start_, LogLevel::error, "turn_not_recorded",
               {{"reason", R"("unexpected exception")"}});
    }
}

void Turn::dispatch(const llm::ModelRequest &request) {
    call_ = start_.settings->model->start(request);
    may_cost_ = true;
}

void Turn::log_failure(std::string_view event, const llm::Step &step) const {
    log_of(start_, LogLevel::warn, event,
           {log_text("model", ran_), log_text("reason", step.reason),
            log_number("upstream_status", static_cast<long long>(step.upstream_status))});
}

Turn::Progress Turn::fail(Code code, const llm::Step &step) const {
    log_failure("upstream_failed", step);
    Progress progress;
    progress.kind = Progress::Kind::failed;
    progress.failure = code;
    return progress;
}

Turn::Progress Turn::advance() {
    llm::Step step = call_->next(kPatience);
    ran_ = call_->model();
    switch (step.kind) {
    case llm::Step::Kind::waiting:
        return {};
    case llm::Step::Kind::retrying:
        log_failure("upstream_retried", step);
        return {};
    case llm::Step::Kind::timeout:
        return fail(Code::upstream_timeout, step);
    case llm::Step::Kind::failed:
        may_cost_ = !step.was_refused;
        return fail(Code::upstream_failed, step);
    case llm::Step::Kind::done:
        if (answer_.finish_reason().empty() && answer_.is_empty()) {
            step.reason = "the provider's stream ended without an answer";
            return fail(Code::upstream_failed, step);
        }
        break;
    case llm::Step::Kind::data: {
        const auto chunk = llm::parse_chunk(step.data);
        if (!chunk || chunk->is_error) {
            step.reason = chunk ? "the provider sent an error" : "the provider sent no chat chunk";
            return fail(Code::upstream_failed, step);
        }
        answer_.add(*chunk, Clock::now());
        if (must_stop()) {
            call_.reset();
            cut_ = true;
            Progress progress;
            progress.kind = Progress::Kind::cut;
            progress.delta = chunk->raw_delta;
            progress.logprobs = chunk->raw_logprobs;
            return progress;
        }
        return {Progress::Kind::piece, chunk->raw_delta, chunk->raw_logprobs,
                !chunk->finish_reason.empty(), Code::upstream_failed};
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
        {"model", ran_.empty() ? start_.settings->config.model.name : ran_},
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
    log_of(start_, LogLevel::error, "turn_not_recorded",
           {log_text("sqlstate", error != nullptr ? error->sqlstate : ""),
            log_number("status", static_cast<long long>(ended != nullptr ? ended->status : 0))});
    return false;
}

// Of the model's call; numbers and names, nothing of what was said.
void Turn::send_span(TurnStatus status, const ordered_json &usage) const {
    if (services_.spans == nullptr)
        return;
    const std::string &asked = start_.settings->config.model.name;
    Span span;
    span.trace_id = start_.otel_trace_id;
    span.span_id = start_.model_span_id;
    span.parent_span_id = start_.span_id;
    span.name = "chat " + (ran_.empty() ? asked : ran_);
    span.kind = Span::Kind::client;
    span.start = started_;
    span.end = Clock::now();
    span.has_failed = status == TurnStatus::error;
    span.attributes = {{"gen_ai.operation.name", "chat"},
                       {"gen_ai.request.model", asked},
                       {"gen_ai.response.model", ran_.empty() ? asked : ran_},
                       {"tenancy.tenant_id", start_.tenant},
                       {"tenancy.subject", start_.subject},
                       {"tenancy.request_id", start_.request_id},
                       {"tenancy.trace_id", start_.trace_id},
                       {"tenancy.turn_status", status_name(status)}};
    if (usage.is_object()) {
        span.attributes.emplace_back("gen_ai.usage.input_tokens",
                                     usage["prompt_tokens"].get<long long>());
        span.attributes.emplace_back("gen_ai.usage.output_tokens",
                                     usage["completion_tokens"].get<long long>());
    }
    services_.spans->add(std::move(span));
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
    send_span(status, usage);
    const bool recorded = record(result_json(status, failure, usage, estimated));
    const std::chrono::duration<double> whole = Clock::now() - started_;
    const bool counted = usage.is_object();
    services_.metrics.count_turn({status_name(status), start_.stream, whole.count(), took.count(),
                                  counted ? usage["prompt_tokens"].get<long long>() : 0,
                                  counted ? usage["completion_tokens"].get<long long>() : 0, cut_});
    return recorded;
}

} // namespace tenancy::server
