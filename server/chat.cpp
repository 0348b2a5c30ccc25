// A chat turn from begin to end: begin_turn, release the connection, the model, end_turn. Two round
// trips, and no database connection is held while the model works.
#include "chat_stream.hpp"
#include "handlers.hpp"
#include "json_text.hpp"
#include "random_id.hpp"
#include "turn.hpp"

namespace tenancy::server {

namespace {

using llm::ordered_json;

std::string text_member(const ordered_json &object, const char *name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// Prompt size for the estimate: everything but the images, which are not billed by their bytes.
std::size_t text_bytes(const ordered_json &messages) {
    std::size_t bytes = 0;
    for (const ordered_json &message : messages) {
        const auto content = message.find("content");
        if (content == message.end())
            continue;
        if (content->is_string())
            bytes += content->get_ref<const std::string &>().size();
        else if (content->is_array())
            for (const ordered_json &part : *content)
                bytes += text_member(part, "text").size();
    }
    return bytes;
}

TurnStart turn_start(const RequestContext &context, const ordered_json &begun, bool stream,
                     rate::Taken taken) {
    TurnStart start;
    start.settings = context.settings;
    start.taken = std::move(taken);
    start.ticket = text_member(begun, "ticket");
    start.trace_id = text_member(begun, "trace_id");
    start.model = text_member(begun, "model");
    start.request_id = context.request_id;
    start.tenant = context.tenant;
    start.subject = context.subject;
    start.span_id = context.span_id;
    start.otel_trace_id = context.otel_trace_id;
    start.model_span_id = random_hex(8);
    start.deadline = context.deadline;
    start.prompt_bytes = text_bytes(begun["messages"]);
    start.stream = stream;
    return start;
}

bool is_usable(const ordered_json &begun) {
    return begun.is_object() && !text_member(begun, "ticket").empty() &&
           begun.contains("messages") && begun["messages"].is_array();
}

Response failure_response(Code code) {
    return problem(code);
}

// Usage for the client: zeroes when the provider sent none, as the reference does.
ordered_json usage_or_zero(const llm::Answer &answer) {
    ordered_json usage = answer.client_usage();
    if (usage.is_null())
        usage = {{"prompt_tokens", 0}, {"completion_tokens", 0}, {"total_tokens", 0}};
    return usage;
}

Response finish_sync(Turn &turn) {
    const llm::Answer &answer = turn.answer();
    const ordered_json metrics = turn.metrics();
    // An answer that is not on record was not paid for and not remembered: it is not given out.
    if (!turn.end(TurnStatus::ok))
        return problem(Code::unavailable, "the turn could not be recorded");
    return json_response(200, llm::completion_body(llm::new_head(turn.start().model),
                                                   answer.message(), turn.finish_reason(),
                                                   usage_or_zero(answer), metrics));
}

// Looking costs system calls, and pieces may come by the thousand.
constexpr std::chrono::milliseconds kLookAfterClient{25};

Response run_sync(Turn &turn, const Request &request) {
    using Clock = std::chrono::steady_clock;
    auto looked_at = Clock::now();
    for (;;) {
        const Turn::Progress progress = turn.advance();
        if (progress.kind == Turn::Progress::Kind::finished ||
            progress.kind == Turn::Progress::Kind::cut)
            return finish_sync(turn);
        if (progress.kind == Turn::Progress::Kind::failed) {
            turn.end(TurnStatus::error, progress.failure);
            return failure_response(progress.failure);
        }
        const auto now = Clock::now();
        if (now - looked_at < kLookAfterClient)
            continue;
        looked_at = now;
        if (!request.is_connected()) {
            turn.end(TurnStatus::aborted);
            return problem(Code::unavailable);
        }
    }
}

// Nothing for the client in it, such as a chunk that only announces the role.
bool says_nothing(const Turn::Progress &progress) {
    return progress.kind == Turn::Progress::Kind::waiting ||
           (progress.kind == Turn::Progress::Kind::piece && progress.delta.empty() &&
            !progress.finish_reason_came);
}

// Streaming starts with the model's first word: until then a failure still has a status.
Response run_stream(std::unique_ptr<Turn> turn, const Request &request) {
    Turn::Progress first;
    while (says_nothing(first)) {
        if (!request.is_connected()) {
            turn->end(TurnStatus::aborted);
            return problem(Code::unavailable);
        }
        first = turn->advance();
    }
    if (first.kind == Turn::Progress::Kind::failed) {
        turn->end(TurnStatus::error, first.failure);
        return failure_response(first.failure);
    }
    return stream_response(std::move(turn), std::move(first));
}

std::optional<long long> most_tokens(const ordered_json &begun) {
    const auto found = begun.find("max_tokens");
    if (found == begun.end() || !found->is_number_integer())
        return std::nullopt;
    return found->get<long long>();
}

Response run_turn(Services &services, RequestContext &context, const Request &request,
                  const ordered_json &begun, const llm::ChatOptions &options, rate::Taken taken) {
    context.trace_id = text_member(begun, "trace_id");
    TurnStart start = turn_start(context, begun, options.stream, std::move(taken));
    // Only now is it known whose turn it is.
    const auto refusal = take_place(context, services.turns, services.turn_shares, start.share);
    const std::string traceparent = "00-" + start.otel_trace_id + "-" + start.model_span_id +
                                    (context.is_sampled ? "-01" : "-00");
    auto turn = std::make_unique<Turn>(services, std::move(start));
    if (refusal) {
        turn->end(TurnStatus::aborted); // what it holds is given back, and nothing was sent
        return *refusal;
    }
    turn->dispatch({llm::upstream_body(context.settings->config.model, begun["messages"], options,
                                       most_tokens(begun)),
                    context.request_id, traceparent, context.deadline});
    return options.stream ? run_stream(std::move(turn), request) : run_sync(*turn, request);
}

} // namespace

Response answer_chat(Services &services, RequestContext &context, const Request &request) {
    if (const auto defect = json_defect(request.body))
        return invalid_json_problem(defect->reason, defect->loc);
    // Spares the database what would be refused; the place itself is taken when it has answered.
    if (services.turns.taken() >= services.turns.most() || services.is_stopping) {
        context.refusal = "overloaded";
        return problem(Code::overloaded);
    }
    const llm::ChatOptions options = llm::read_chat_options(request.body);
    Called called = call_route(services, context, "begin_turn", request.body);
    if (const auto *error = std::get_if<db::Error>(&called.outcome))
        return refuse_for(context, *error);
    const auto &answer = std::get<db::Answer>(called.outcome);
    Response passed = pass_through(context, answer);
    if (answer.status != 200)
        return passed;
    const ordered_json begun = is_nested_too_deep(answer.body)
                                   ? ordered_json()
                                   : ordered_json::parse(answer.body, nullptr, false);
    if (!is_usable(begun)) {
        log_of(context, LogLevel::error, "begin_turn_unusable", {});
        return problem(Code::internal);
    }
    Response response =
        run_turn(services, context, request, begun, options, std::move(called.taken));
    // What begin_turn says of the limits; values from after the hold, which a stream sends first.
    for (const Header &header : passed.headers.all())
        if (header.name != "Content-Type")
            response.headers.set(header.name, header.value);
    return response;
}

} // namespace tenancy::server
