#include "fallback.hpp"

#include <algorithm>
#include <random>
#include <thread>

namespace tenancy::server::llm {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{250};
constexpr milliseconds kLongestPause{5000};

// Half to one and a half of it: servers that failed together do not come back together.
milliseconds jittered(milliseconds pause) {
    static thread_local std::minstd_rand source{std::random_device{}()};
    std::uniform_int_distribution<long> spread(pause.count() / 2, pause.count() * 3 / 2);
    return milliseconds(spread(source));
}

class FallbackCall : public ModelCall {
public:
    FallbackCall(const std::vector<Candidate> &candidates, long retries, ModelRequest request)
        : candidates_(candidates), retries_(retries), request_(std::move(request)) {
        call_ = candidates_.front().model->start(request_);
    }

    Step next(milliseconds patience) override {
        if (!call_ && !begin(patience))
            return {};
        Step step = call_->next(patience);
        if (step.kind == Step::Kind::data)
            has_begun_ = true;
        if (step.kind != Step::Kind::failed && step.kind != Step::Kind::timeout)
            return step;
        may_have_cost_ = may_have_cost_ || !step.was_refused;
        if (!has_begun_ && step.may_retry && plan(step)) {
            call_.reset();
            step.kind = Step::Kind::retrying;
        }
        step.was_refused = !may_have_cost_;
        return step;
    }

    std::string_view model() const override { return candidates_[index_].name; }

private:
    // True when the next try runs; false: its time has not come.
    bool begin(milliseconds patience) {
        const auto wait = resume_at_ - Clock::now();
        if (wait > patience) {
            std::this_thread::sleep_for(patience);
            return false;
        }
        std::this_thread::sleep_for(std::max(wait, Clock::duration::zero()));
        index_ = next_index_;
        call_ = candidates_[index_].model->start(request_);
        return true;
    }

    // Decides what is tried after a failure. False: nothing is.
    bool plan(const Step &failure) {
        longest_asked_ = std::max(longest_asked_, failure.retry_after);
        next_index_ = index_ + 1;
        resume_at_ = Clock::now();
        if (next_index_ == candidates_.size()) {
            if (round_ == retries_ || longest_asked_ > kLongestPause)
                return false;
            next_index_ = 0;
            resume_at_ += std::max(jittered(kFirstPause * (1U << static_cast<unsigned>(round_))),
                                   longest_asked_);
            longest_asked_ = {};
            ++round_;
        }
        return resume_at_ < request_.deadline;
    }

    const std::vector<Candidate> &candidates_;
    const long retries_;
    const ModelRequest request_;
    std::unique_ptr<ModelCall> call_; // null between two tries
    std::size_t index_ = 0;
    std::size_t next_index_ = 0;
    long round_ = 0;
    milliseconds longest_asked_{0}; // by a Retry-After of this round
    Clock::time_point resume_at_;
    bool has_begun_ = false;
    bool may_have_cost_ = false;
};

} // namespace

std::unique_ptr<ModelCall> FallbackModel::start(const ModelRequest &request) {
    return std::make_unique<FallbackCall>(candidates_, retries_, request);
}

} // namespace tenancy::server::llm
