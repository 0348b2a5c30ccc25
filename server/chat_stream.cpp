#include "chat_stream.hpp"

namespace tenancy::server {

namespace {

using llm::ordered_json;
using Kind = Turn::Progress::Kind;

// role chunk, deltas, finish chunk, usage chunk, [DONE]; an error event and [DONE] when it breaks.
class ChatStream {
public:
    ChatStream(std::unique_ptr<Turn> turn, Turn::Progress first)
        : turn_(std::move(turn)), first_(std::move(first)),
          head_(llm::new_head(turn_->start().model)) {}

    bool next(std::string &out, const std::function<bool()> &is_connected) {
        if (!opened_) {
            opened_ = true;
            out += llm::delta_frame(head_, llm::kRoleDelta);
            return play(out, first_);
        }
        if (!is_connected()) {
            turn_->end(TurnStatus::aborted);
            return false;
        }
        return play(out, turn_->advance());
    }

private:
    bool play(std::string &out, const Turn::Progress &progress) {
        switch (progress.kind) {
        case Kind::waiting:
            return true;
        case Kind::piece:
            if (!progress.delta.empty())
                out += llm::delta_frame(head_, progress.delta, progress.logprobs);
            return true;
        case Kind::finished:
            close(out);
            return false;
        case Kind::cut:
            if (!progress.delta.empty())
                out += llm::delta_frame(head_, progress.delta, progress.logprobs);
            close(out);
            return false;
        case Kind::failed:
            turn_->end(TurnStatus::error, progress.failure);
            out += llm::error_frame(stream_error(progress.failure));
            out += llm::kDoneFrame;
            return false;
        }
        return false;
    }

    // The turn is on record before the client learns that it is complete: what it asks next sees
    // it.
    void close(std::string &out) {
        const llm::Answer &answer = turn_->answer();
        const ordered_json metrics = turn_->metrics();
        out += llm::finish_frame(head_, turn_->finish_reason());
        if (turn_->is_cut())
            out += llm::error_frame(stream_error(Code::budget_stream_cut));
        if (turn_->end(TurnStatus::ok))
            out += llm::usage_frame(head_, answer.client_usage(), metrics, turn_->start().trace_id);
        else
            out +=
                llm::error_frame(stream_error(Code::unavailable, "the turn could not be recorded"));
        out += llm::kDoneFrame;
    }

    std::unique_ptr<Turn> turn_;
    Turn::Progress first_;
    llm::Head head_;
    bool opened_ = false;
};

} // namespace

Response stream_response(std::unique_ptr<Turn> turn, Turn::Progress first) {
    Response response;
    response.headers.add("Content-Type", "text/event-stream; charset=utf-8");
    response.headers.add("Cache-Control", "no-cache");
    response.headers.add("X-Accel-Buffering", "no");
    // Shared only because std::function must be copyable; there is one owner at a time.
    const auto stream = std::make_shared<ChatStream>(std::move(turn), std::move(first));
    response.stream = [stream](std::string &out, const std::function<bool()> &is_connected) {
        return stream->next(out, is_connected);
    };
    return response;
}

} // namespace tenancy::server
