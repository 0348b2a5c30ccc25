#include "http_server.hpp"

#include <algorithm>
#include <atomic>

#include <httplib.h>

#include "acceptor.hpp"
#include "http_stream.hpp"
#include "request_head.hpp"
#include "routes.hpp"
#include "socket.hpp"

namespace tenancy::server {

namespace {

constexpr std::size_t kMaxRequestsPerConnection = 10000;
constexpr std::chrono::milliseconds kStay{100};
constexpr std::chrono::milliseconds kStaySlice{10};

// One request and its answer, while the library works on it.
struct Exchange {
    Request request;
    bool has_head = false;             // request line and headers arrived
    bool is_answered = false;          // the handler has been called
    bool must_close = false;           // input may be left over that must not be read as a request
    bool is_upload = false;            // by its route: a form with a file, under a limit of its own
    bool is_late = false;              // its time was over before it was here
    std::shared_ptr<const void> place; // of who sends a large body, until it is here
    std::shared_ptr<const void> room;  // for that body, until the answer is out
    std::function<void(std::size_t)> on_sent;
    Socket *socket = nullptr;
    SocketStream *stream = nullptr;
};

bool has_body_by_method(const std::string &method) {
    return method == "POST" || method == "PUT" || method == "PATCH" || method == "DELETE";
}

// The library's view of the request, copied into our words.
void take_head(const httplib::Request &from, Request &to) {
    to.method = from.method;
    const std::size_t question = from.target.find('?');
    to.path = from.target.substr(0, question);
    to.query = question == std::string::npos ? "" : from.target.substr(question + 1);
    for (const auto &[name, value] : from.headers)
        if (name != "REMOTE_ADDR" && name != "REMOTE_PORT" && name != "LOCAL_ADDR" &&
            name != "LOCAL_PORT")
            to.headers.add(name, value);
}

// Headers on which the library would act by itself, each in a way we do not want: compressing (and
// so holding back) streams, cutting ranges, parsing forms, inflating bodies without limit.
void hide_from_library(httplib::Request &request) {
    for (const char *name : {"Accept-Encoding", "Range", "Content-Type", "Content-Encoding"})
        request.headers.erase(name);
    request.ranges.clear();
    // Without a length the library would read until the connection closes; RFC 9112 says: no body.
    if (!request.has_header("Content-Length") && !request.has_header("Transfer-Encoding"))
        request.headers.emplace("Content-Length", "0");
}

} // namespace

// Only process_request(), which parses one request and writes one response, is used of the
// library's server: accepting, queueing, keep-alive and time limits are ours. It is protected,
// hence the inheritance.
class HttpServer::Impl : private httplib::Server {
public:
    Impl(const LimitsConfig &limits, server::Handler handler, std::function<void()> on_shed)
        : limits_(limits), handler_(std::move(handler)),
          acceptor_(
              limits, [this](Connection &connection) { return serve(connection); },
              std::move(on_shed)) {
        svr_sock_ = 0; // any value but "closed": the library cuts streams of a closed server
        set_payload_max_length(std::max(limits.max_body_bytes, limits.max_upload_bytes));
        set_pre_routing_handler([this](const httplib::Request &, httplib::Response &response) {
            return answer_before_body(response);
        });
        // No route is registered with the library, whose patterns are regular expressions over the
        // client's input. Every request therefore ends in its error handler, which is our door.
        set_error_handler(HandlerWithResponse(
            [this](const httplib::Request &request, httplib::Response &response) {
                return answer(request, response);
            }));
        set_post_routing_handler(
            [](const httplib::Request &, httplib::Response &response) { tidy_headers(response); });
    }

    std::string start(const std::string &host, int port) {
        std::string problem = acceptor_.listen(host, port);
        if (problem.empty())
            acceptor_.start();
        return problem;
    }

    void stop(std::chrono::steady_clock::time_point deadline) {
        acceptor_.stop_accepting();
        if (acceptor_.wait_idle(deadline))
            return;
        is_cutting_ = true;
        acceptor_.cut();
        acceptor_.wait_idle(std::chrono::steady_clock::now() + std::chrono::hours(1));
    }

    void set_admission(Admission admission) { admission_ = std::move(admission); }
    Acceptor &acceptor() { return acceptor_; }

private:
    using HandlerResponse = httplib::Server::HandlerResponse;

    // The library's handlers are not told which connection they serve.
    static Exchange *&current() {
        static thread_local Exchange *exchange = nullptr;
        return exchange;
    }

    // Serves the request that has arrived, and those that follow at once. False: to be closed.
    bool serve(Connection &connection) {
        for (;;) {
            if (!serve_one(connection))
                return false;
            const Arrival next = await_next(connection.socket);
            if (next != Arrival::whole || acceptor_.waiting() > 0)
                return next != Arrival::gone;
        }
    }

    // While a quarter of the threads has nothing to do, one stays with its client for a moment: a
    // client that asks again at once is spared the way over the acceptor's loop.
    Arrival await_next(Socket &socket) {
        const Arrival next = socket.collect(acceptor_.most_collected());
        const bool may_stay = next == Arrival::partial && socket.buffered() == 0 &&
                              !acceptor_.is_stopping() &&
                              4 * acceptor_.busy() < 3 * limits_.threads;
        if (!may_stay)
            return next;
        for (auto left = kStay; left.count() > 0 && acceptor_.waiting() == 0; left -= kStaySlice)
            if (socket.wait_readable(kStaySlice))
                return socket.collect(acceptor_.most_collected());
        return next;
    }

    bool serve_one(Connection &connection) {
        Socket &socket = connection.socket;
        Exchange exchange;
        exchange.socket = &socket;
        exchange.request.is_connected = [this, &socket] {
            return !is_cutting_ && socket.is_peer_there();
        };
        const auto now = Socket::Clock::now();
        exchange.is_late =
            connection.state == Connection::State::receiving && now >= connection.deadline;
        connection.state = Connection::State::idle;
        exchange.must_close = exchange.is_late || acceptor_.is_stopping() ||
                              ++connection.served >= kMaxRequestsPerConnection;
        current() = &exchange;
        const std::size_t sent_before = socket.bytes_sent();
        socket.allow(limits_.max_header_bytes, now); // the head is here, or will be refused
        SocketStream stream(socket);
        exchange.stream = &stream;
        bool was_closed = false;
        bool ok = process(stream, was_closed, [this, &stream](httplib::Request &request) {
            stream.end_of_head();
            accept_head(request);
        });
        current() = nullptr;
        ok = stream.flush() && ok;
        if (exchange.on_sent)
            exchange.on_sent(socket.bytes_sent() - sent_before);
        return ok && !was_closed && !exchange.must_close;
    }

    // cpp-httplib of Debian 13 also asks for the addresses of both ends; nothing of ours reads
    // them.
    template <class Setup>
    bool process(SocketStream &stream, bool &was_closed, const Setup &setup) {
        if constexpr (requires { this->process_request(stream, false, was_closed, setup); })
            return this->process_request(stream, false, was_closed, setup);
        else
            return this->process_request(stream, {}, 0, {}, 0, false, was_closed, setup);
    }

    void accept_head(httplib::Request &request) {
        Exchange &exchange = *current();
        exchange.has_head = true;
        take_head(request, exchange.request);
        hide_from_library(request);
        const Match match = match_route(exchange.request.method, exchange.request.path);
        exchange.is_upload = match.route != nullptr && match.route->kind == Kind::upload;
        const std::size_t max_body = max_body_of(exchange);
        exchange.request.intake =
            judge_head(exchange.request.headers, max_body, exchange.is_upload);
        if (exchange.is_late && exchange.request.intake == Intake::complete)
            exchange.request.intake = Intake::timed_out;
        const Headers &headers = exchange.request.headers;
        const bool announces_body = headers.find("Transfer-Encoding") ||
                                    headers.find("Content-Length").value_or("0") != "0";
        if (announces_body && !has_body_by_method(request.method))
            exchange.must_close = true; // the library leaves that body unread
        if (request.method == "DELETE" && headers.find("Transfer-Encoding"))
            exchange.must_close = true; // likewise
    }

    std::size_t max_body_of(const Exchange &exchange) const {
        return exchange.is_upload ? std::max(limits_.max_body_bytes, limits_.max_upload_bytes)
                                  : limits_.max_body_bytes;
    }

    HandlerResponse answer_before_body(httplib::Response &response) {
        Exchange &exchange = *current();
        if (exchange.request.intake != Intake::complete) {
            exchange.must_close = true;
            call_handler(exchange, response);
            return HandlerResponse::Handled;
        }
        if (!has_whole_body(exchange) && admission_) {
            Admitted admitted = admission_(exchange.request);
            if (admitted.refusal) {
                exchange.must_close = true;
                give(exchange, std::move(*admitted.refusal), response);
                return HandlerResponse::Handled;
            }
            exchange.place = std::move(admitted.place);
            exchange.room = std::move(admitted.room);
        }
        // Chunk headers take room on the wire too; the body itself is measured when it is here.
        exchange.socket->allow_body(2 * max_body_of(exchange) + limits_.max_header_bytes,
                                    Socket::Clock::now() + limits_.request_timeout);
        return HandlerResponse::Unhandled;
    }

    static bool has_whole_body(const Exchange &exchange) {
        const Headers &headers = exchange.request.headers;
        const auto length = headers.find("Content-Length"); // digits only, or it would be refused
        return !headers.find("Transfer-Encoding") &&
               (!length || std::stoull(std::string(*length)) <= exchange.socket->buffered());
    }

    HandlerResponse answer(const httplib::Request &request, httplib::Response &response) {
        Exchange &exchange = *current();
        exchange.place.reset();
        if (exchange.is_answered)
            return HandlerResponse::Unhandled;
        if (!exchange.has_head || response.status != 404) {
            exchange.must_close = true;
            exchange.request.intake = intake_of(exchange, response.status);
        } else if (request.body.size() > max_body_of(exchange)) {
            exchange.request.intake = Intake::too_large;
        } else {
            exchange.request.body = request.body;
        }
        call_handler(exchange, response);
        return HandlerResponse::Handled;
    }

    static Intake intake_of(const Exchange &exchange, int library_status) {
        if (exchange.socket->failure() == Socket::Failure::timed_out)
            return Intake::timed_out;
        if (exchange.socket->failure() == Socket::Failure::over_budget || library_status == 413)
            return Intake::too_large;
        return library_status == 414 ? Intake::uri_too_long : Intake::malformed;
    }

    void call_handler(Exchange &exchange, httplib::Response &to) {
        give(exchange, handler_(exchange.request), to);
    }

    static void give(Exchange &exchange, server::Response response, httplib::Response &to) {
        exchange.is_answered = true;
        exchange.on_sent = std::move(response.on_sent);
        to.status = response.status;
        for (const Header &header : response.headers.all())
            if (!breaks_header_block(header))
                to.headers.emplace(header.name, header.value);
        if (response.stream) {
            set_stream(exchange, std::move(response.stream), to);
        } else {
            exchange.stream->hold();
            to.body = std::move(response.body);
        }
    }

    // A header from the database must not be able to end the header block.
    static bool breaks_header_block(const Header &header) {
        return (header.name + header.value).find_first_of(std::string("\r\n\0", 3)) !=
               std::string::npos;
    }

    static void set_stream(const Exchange &exchange, StreamBody body, httplib::Response &to) {
        const std::string type = to.get_header_value("Content-Type");
        to.headers.erase("Content-Type");
        to.set_chunked_content_provider(
            type, [body = std::move(body), connected = exchange.request.is_connected](
                      std::size_t, httplib::DataSink &sink) {
                std::string chunk;
                const bool more = body(chunk, connected);
                if (!chunk.empty() && !sink.write(chunk.data(), chunk.size()))
                    return false;
                if (more)
                    return true;
                if (!connected())
                    return false; // cut: no terminating chunk, so that it does not look complete
                sink.done();
                return true;
            });
    }

    static void tidy_headers(httplib::Response &response) {
        response.headers.erase("Keep-Alive");
        response.headers.erase("Accept-Ranges");
        if (response.status == 204)
            response.headers.erase("Content-Length");
        if (current()->must_close) {
            response.headers.erase("Connection");
            response.headers.emplace("Connection", "close");
        }
    }

    const LimitsConfig limits_;
    const server::Handler handler_;
    Admission admission_;
    std::atomic<bool> is_cutting_{false};
    Acceptor acceptor_; // last: its threads end before what they use
};

HttpServer::HttpServer(const LimitsConfig &limits, Handler handler, std::function<void()> on_shed)
    : impl_(std::make_unique<Impl>(limits, std::move(handler), std::move(on_shed))) {}

HttpServer::~HttpServer() = default;

void HttpServer::set_admission(Admission admission) {
    impl_->set_admission(std::move(admission));
}

void HttpServer::set_tls(TlsContext context) {
    impl_->acceptor().set_tls(std::move(context));
}

std::string HttpServer::start(const std::string &host, int port) {
    return impl_->start(host, port);
}

void HttpServer::stop(std::chrono::steady_clock::time_point deadline) {
    impl_->stop(deadline);
}

std::size_t HttpServer::busy_threads() const {
    return impl_->acceptor().busy();
}

std::size_t HttpServer::waiting_connections() const {
    return impl_->acceptor().waiting();
}

} // namespace tenancy::server
