#include "http_model.hpp"

#include <atomic>
#include <charconv>
#include <condition_variable>

#include <httplib.h>

#include "llm/channel.hpp"
#include "llm/sse_reader.hpp"
#include "llm/wire.hpp"
#include "tcp_received.hpp"
#include "thread_cache.hpp"

namespace tenancy::server::llm {

// Connections that wait for their next request. What providers close is noticed when it is used.
class HttpModel::Pool {
public:
    /// The one used last, or null when a new one is needed.
    std::unique_ptr<httplib::Client> take() {
        const std::lock_guard lock(mutex_);
        while (!idle_.empty()) {
            Idle found = std::move(idle_.back());
            idle_.pop_back();
            if (found.client->is_socket_open() != 0 && Clock::now() - found.since < kIdleTime)
                return std::move(found.client);
        }
        return nullptr;
    }

    ThreadCache &threads() { return threads_; }

    void give_back(std::unique_ptr<httplib::Client> client) {
        const std::lock_guard lock(mutex_);
        if (idle_.size() == kIdleConnections)
            idle_.erase(idle_.begin());
        idle_.push_back({std::move(client), Clock::now()});
    }

private:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::seconds kIdleTime{30};
    struct Idle {
        std::unique_ptr<httplib::Client> client;
        Clock::time_point since;
    };
    std::mutex mutex_;
    std::vector<Idle> idle_; // used last at the end
    ThreadCache threads_;
};

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kQueuedEvents = 256;
constexpr std::size_t kMaxWholeAnswer = std::size_t{16} * 1024 * 1024;
// The library reads headers without end; this many bytes without a status are too many.
constexpr std::size_t kMaxHead = std::size_t{256} * 1024;
// What is read behind the end marker, so that the connection can be used again.
constexpr int kMaxPiecesAfterEnd = 16;

Step failed(std::string reason, bool may_retry = false) {
    Step step{Step::Kind::failed, "", std::move(reason), 0, false};
    step.may_retry = may_retry;
    return step;
}

// Overloaded or broken for the moment, as opposed to a request that nobody would take.
bool is_passing(int status) {
    return status == 0 || status == 408 || status == 429 || status >= 500;
}

Step refused(std::string reason, int status) {
    Step step{Step::Kind::failed, "", std::move(reason), status, true};
    step.may_retry = is_passing(status);
    return step;
}

// Seconds only; a date is as if there were none.
std::chrono::milliseconds retry_after_of(const httplib::Response &response) {
    const std::string text = response.get_header_value("Retry-After");
    int seconds = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    const bool is_number = problem == std::errc() && end == text.data() + text.size();
    return std::chrono::seconds(is_number ? std::clamp(seconds, 0, 86400) : 0);
}

bool is_before_the_request(httplib::Error error) {
    return error == httplib::Error::Connection || error == httplib::Error::ConnectionTimeout ||
           error == httplib::Error::SSLConnection || error == httplib::Error::SSLLoadingCerts ||
           error == httplib::Error::SSLServerVerification;
}

// Reads one answer on its own thread, because the HTTP library pushes bytes and the server pulls
// them, and because the wait for a byte must be interruptible when the client goes away.
class HttpCall : public ModelCall {
public:
    HttpCall(const ModelConfig &config, HttpModel::Pool &pool, const std::string &origin,
             std::string path, const ModelRequest &request)
        : config_(config), pool_(pool), path_(std::move(path)), client_(pool.take()),
          is_reused_(client_ != nullptr), events_(kQueuedEvents),
          deadline_(std::min(request.deadline, started_ + config.total_timeout)) {
        if (!is_reused_)
            connect_to(origin);
        received_before_ = is_reused_ ? tcp_received(client_->socket()) : 0;
        fill_request(request);
        pool_.threads().run([this] { work(); });
    }

    ~HttpCall() override {
        events_.close();
        std::unique_lock lock(mutex_);
        // stop() has no effect before the connection is up, hence again and again.
        while (!finished_changed_.wait_for(lock, std::chrono::milliseconds(20),
                                           [&] { return finished_; })) {
            lock.unlock();
            client_->stop();
            lock.lock();
        }
        if (is_reusable_)
            pool_.give_back(std::move(client_));
    }

    Step next(std::chrono::milliseconds patience) override {
        auto step = events_.pop(patience);
        const auto now = Clock::now();
        if (now > deadline_)
            return {Step::Kind::timeout, "", "total_timeout_seconds", 0, false};
        if (step) {
            last_event_ = now;
            has_event_ = true;
            return std::move(*step);
        }
        if (status_ == 0 && tcp_received(client_->socket()) > received_before_ + kMaxHead)
            return failed("the provider's headers are too large");
        const auto quiet = now - last_event_;
        if (quiet > (has_event_ ? config_.idle_timeout : config_.first_token_timeout)) {
            Step late{Step::Kind::timeout, "",
                      has_event_ ? "idle_timeout_seconds" : "first_token_timeout_seconds", 0,
                      false};
            late.may_retry = !has_event_;
            return late;
        }
        return {};
    }

private:
    void connect_to(const std::string &origin) {
        client_ = std::make_unique<httplib::Client>(origin);
        client_->set_connection_timeout(config_.connect_timeout);
        client_->set_read_timeout(config_.total_timeout);
        client_->set_write_timeout(config_.idle_timeout);
        client_->set_tcp_nodelay(true);
        client_->set_keep_alive(true);
        if (!config_.ca_file.empty())
            client_->set_ca_cert_path(config_.ca_file);
    }

    void fill_request(const ModelRequest &request) {
        request_.method = "POST";
        request_.path = path_;
        request_.body = with_model(request.body, config_.name);
        request_.headers = {{"Content-Type", "application/json"},
                            {"Accept", "text/event-stream"},
                            {"Accept-Encoding", "identity"},
                            {"User-Agent", "tenancyd"},
                            {"X-Request-ID", request.request_id}};
        if (!request.traceparent.empty())
            request_.headers.emplace("traceparent", request.traceparent);
        if (!config_.api_key.empty())
            request_.headers.emplace("Authorization", "Bearer " + config_.api_key.reveal());
        for (const auto &[name, value] : config_.headers)
            request_.headers.emplace(name, value.reveal());
        request_.response_handler = [this](const httplib::Response &r) { return begin(r); };
        request_.content_receiver = [this](const char *data, std::size_t size, std::uint64_t,
                                           std::uint64_t) {
            return receive({data, size});
        };
    }

    // On a thread of its own: nothing may escape from it.
    void work() noexcept {
        try {
            httplib::Response response;
            auto error = httplib::Error::Success;
            bool complete = client_->send(request_, response, error);
            if (!complete && is_reused_ && status_ == 0 && !events_.is_closed()) {
                // Closed by the provider while it was idle, before it read the request (RFC 9112,
                // section 9.3.1): the library connects anew.
                received_before_ = 0;
                complete = client_->send(request_, response, error);
            }
            is_reusable_ = complete && status_ == 200;
            if (!saw_end_)
                events_.push(conclude(complete, error));
        } catch (...) {
            try_push_failure();
        }
        const std::lock_guard lock(mutex_);
        finished_ = true;
        finished_changed_.notify_all(); // with the lock: once it is free, this object may be gone
    }

    void try_push_failure() noexcept {
        try {
            events_.push({failed("unexpected exception")});
        } catch (...) {
            events_.close(); // the reader sees its time-out
        }
    }

    // Response line and headers are here.
    bool begin(const httplib::Response &response) {
        status_ = response.status;
        retry_after_ = retry_after_of(response);
        const std::string type = response.get_header_value("Content-Type");
        is_stream_ = type.rfind("text/event-stream", 0) == 0;
        is_plain_ = !is_stream_ && type.rfind("application/json", 0) != 0;
        return status_ == 200 && !events_.is_closed();
    }

    // Some servers stream under another type, and clients of OpenAI's do not look at it: what does
    // not begin as a JSON object is a stream, as was asked for.
    void tell_stream_from_object(std::string_view bytes) {
        const std::size_t first = bytes.find_first_not_of(" \t\r\n");
        if (!is_plain_ || first == std::string_view::npos)
            return;
        is_stream_ = bytes[first] != '{';
        is_plain_ = false;
    }

    bool receive(std::string_view bytes) {
        tell_stream_from_object(bytes);
        if (!is_stream_) {
            whole_ += bytes;
            return whole_.size() <= kMaxWholeAnswer && !events_.is_closed();
        }
        std::vector<std::string> found;
        if (!reader_.feed(bytes, found)) {
            too_large_ = true;
            return false;
        }
        std::vector<Step> steps;
        for (std::string &event : found) {
            if (saw_end_)
                break;
            saw_end_ = event == "[DONE]";
            const Step::Kind kind = saw_end_ ? Step::Kind::done : Step::Kind::data;
            steps.push_back({kind, std::move(event), "", 0, false});
        }
        if (!steps.empty() && !events_.push(std::move(steps)))
            return false;
        // Nobody waits for what comes after the end marker; but a connection that is read to its
        // end can be used again.
        return !saw_end_ || ++pieces_after_end_ <= kMaxPiecesAfterEnd;
    }

    // What is left to say when the connection has nothing more.
    std::vector<Step> conclude(bool complete, httplib::Error error) {
        if (!complete || status_ != 200 || too_large_)
            return {failure_of(error)};
        std::vector<Step> steps;
        if (!is_stream_)
            steps.push_back({Step::Kind::data, std::move(whole_), "", 0, false});
        steps.push_back({Step::Kind::done, "", "", 0, false});
        return steps;
    }

    Step failure_of(httplib::Error error) const {
        if (status_ != 0 && status_ != 200) {
            Step step =
                refused("the provider answered with status " + std::to_string(status_), status_);
            step.retry_after = retry_after_;
            return step;
        }
        if (too_large_)
            return failed("the provider sent an event that is too large");
        return is_before_the_request(error) ? refused(httplib::to_string(error), 0)
                                            : failed(httplib::to_string(error), status_ == 0);
    }

    const ModelConfig &config_;
    const Clock::time_point started_ = Clock::now();
    HttpModel::Pool &pool_;
    std::string path_;
    std::unique_ptr<httplib::Client> client_;
    const bool is_reused_;
    bool is_reusable_ = false; // set before finished_
    httplib::Request request_;
    Channel<Step> events_;
    SseReader reader_;
    std::string whole_;
    std::atomic<int> status_{0}; // 0: no response line yet
    std::chrono::milliseconds retry_after_{0};
    std::atomic<std::size_t> received_before_{0}; // over this connection, by earlier answers
    int pieces_after_end_ = 0;
    bool is_stream_ = false;
    bool is_plain_ = false; // by its type neither a stream nor JSON: the first byte will tell
    bool saw_end_ = false;
    bool too_large_ = false;
    const Clock::time_point deadline_;
    Clock::time_point last_event_ = started_;
    bool has_event_ = false;
    std::mutex mutex_;
    std::condition_variable finished_changed_;
    bool finished_ = false;
};

} // namespace

HttpModel::HttpModel(const ModelConfig &config) : config_(config), pool_(std::make_unique<Pool>()) {
    const std::size_t host = config.endpoint.find("//") + 2;
    const std::size_t slash = config.endpoint.find('/', host);
    origin_ = config.endpoint.substr(0, slash);
    path_ = (slash == std::string::npos ? "" : config.endpoint.substr(slash)) + "/chat/completions";
}

HttpModel::~HttpModel() = default;

std::unique_ptr<ModelCall> HttpModel::start(const ModelRequest &request) {
    return std::make_unique<HttpCall>(config_, *pool_, origin_, path_, request);
}

} // namespace tenancy::server::llm
