#include "http_model.hpp"

#include <condition_variable>
#include <thread>

#include <httplib.h>

#include "llm/channel.hpp"
#include "llm/sse_reader.hpp"

namespace tenancy::server::llm {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kQueuedEvents = 256;
constexpr std::size_t kMaxWholeAnswer = std::size_t{16} * 1024 * 1024;

Step failed(std::string reason) {
    return {Step::Kind::failed, "", std::move(reason), 0, false};
}

Step refused(std::string reason, int status) {
    return {Step::Kind::failed, "", std::move(reason), status, true};
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
    HttpCall(const ModelConfig &config, const std::string &origin, std::string path,
             const ModelRequest &request)
        : config_(config), path_(std::move(path)), client_(origin), events_(kQueuedEvents) {
        client_.set_connection_timeout(config.connect_timeout);
        client_.set_read_timeout(config.total_timeout);
        client_.set_write_timeout(config.idle_timeout);
        client_.set_tcp_nodelay(true);
        if (!config.ca_file.empty())
            client_.set_ca_cert_path(config.ca_file);
        fill_request(request);
        worker_ = std::thread([this] { work(); });
    }

    ~HttpCall() override {
        events_.close();
        std::unique_lock lock(mutex_);
        // stop() has no effect before the connection is up, hence again and again.
        while (!finished_changed_.wait_for(lock, std::chrono::milliseconds(20),
                                           [&] { return finished_; })) {
            lock.unlock();
            client_.stop();
            lock.lock();
        }
        lock.unlock();
        worker_.join();
    }

    Step next(std::chrono::milliseconds patience) override {
        auto step = events_.pop(patience);
        const auto now = Clock::now();
        if (now - started_ > config_.total_timeout)
            return {Step::Kind::timeout, "", "total_timeout_seconds", 0, false};
        if (step) {
            last_event_ = now;
            has_event_ = true;
            return std::move(*step);
        }
        const auto quiet = now - last_event_;
        if (quiet > (has_event_ ? config_.idle_timeout : config_.first_token_timeout))
            return {Step::Kind::timeout, "",
                    has_event_ ? "idle_timeout_seconds" : "first_token_timeout_seconds", 0, false};
        return {};
    }

private:
    void fill_request(const ModelRequest &request) {
        request_.method = "POST";
        request_.path = path_;
        request_.body = request.body;
        request_.headers = {{"Content-Type", "application/json"},
                            {"Accept", "text/event-stream"},
                            {"Accept-Encoding", "identity"},
                            {"User-Agent", "tenancyd"},
                            {"X-Request-ID", request.request_id}};
        if (!request.traceparent.empty())
            request_.headers.emplace("traceparent", request.traceparent);
        if (!config_.api_key.empty())
            request_.headers.emplace("Authorization", "Bearer " + config_.api_key.reveal());
        request_.response_handler = [this](const httplib::Response &r) { return begin(r); };
        request_.content_receiver = [this](const char *data, std::size_t size, std::uint64_t,
                                           std::uint64_t) {
            return receive({data, size});
        };
    }

    // The thread's whole life: nothing may escape from it.
    void work() noexcept {
        try {
            httplib::Response response;
            auto error = httplib::Error::Success;
            const bool complete = client_.send(request_, response, error);
            events_.push(conclude(complete, error));
        } catch (...) {
            try_push_failure();
        }
        {
            const std::lock_guard lock(mutex_);
            finished_ = true;
        }
        finished_changed_.notify_all();
    }

    void try_push_failure() noexcept {
        try {
            events_.push(failed("unexpected exception"));
        } catch (...) {
            events_.close(); // the reader sees its time-out
        }
    }

    // Response line and headers are here.
    bool begin(const httplib::Response &response) {
        status_ = response.status;
        const std::string type = response.get_header_value("Content-Type");
        is_stream_ = type.rfind("text/event-stream", 0) == 0;
        return status_ == 200 && !events_.is_closed();
    }

    bool receive(std::string_view bytes) {
        if (!is_stream_) {
            whole_ += bytes;
            return whole_.size() <= kMaxWholeAnswer && !events_.is_closed();
        }
        std::vector<std::string> found;
        if (!reader_.feed(bytes, found)) {
            too_large_ = true;
            return false;
        }
        for (std::string &event : found) {
            if (event == "[DONE]")
                saw_end_ = true;
            else if (!saw_end_ && !events_.push({Step::Kind::data, std::move(event), "", 0, false}))
                return false;
        }
        // After the end marker a provider may keep the connection open: do not wait for it.
        return !saw_end_;
    }

    Step conclude(bool complete, httplib::Error error) {
        if (status_ != 0 && status_ != 200)
            return refused("the provider answered with status " + std::to_string(status_), status_);
        if (saw_end_)
            return {Step::Kind::done, "", "", 0, false};
        if (too_large_)
            return failed("the provider sent an event that is too large");
        if (!complete)
            return is_before_the_request(error) ? refused(httplib::to_string(error), 0)
                                                : failed(httplib::to_string(error));
        if (!is_stream_) {
            events_.push({Step::Kind::data, std::move(whole_), "", 0, false});
            return {Step::Kind::done, "", "", 0, false};
        }
        return {Step::Kind::done, "", "", 0, false};
    }

    const ModelConfig &config_;
    std::string path_;
    httplib::Client client_;
    httplib::Request request_;
    Channel<Step> events_;
    SseReader reader_;
    std::string whole_;
    int status_ = 0;
    bool is_stream_ = false;
    bool saw_end_ = false;
    bool too_large_ = false;
    const Clock::time_point started_ = Clock::now();
    Clock::time_point last_event_ = Clock::now();
    bool has_event_ = false;
    std::mutex mutex_;
    std::condition_variable finished_changed_;
    bool finished_ = false;
    std::thread worker_;
};

} // namespace

HttpModel::HttpModel(const ModelConfig &config) : config_(config) {
    const std::size_t host = config.endpoint.find("//") + 2;
    const std::size_t slash = config.endpoint.find('/', host);
    origin_ = config.endpoint.substr(0, slash);
    path_ = (slash == std::string::npos ? "" : config.endpoint.substr(slash)) + "/chat/completions";
}

std::unique_ptr<ModelCall> HttpModel::start(const ModelRequest &request) {
    return std::make_unique<HttpCall>(config_, origin_, path_, request);
}

} // namespace tenancy::server::llm
