// The server's own words for HTTP: what a handler sees and gives back. No library type appears
// here.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tenancy::server {

struct Header {
    std::string name;
    std::string value;
};

/// A list of header fields in arrival order; names compare without regard to ASCII case.
class Headers {
public:
    void add(std::string name, std::string value);
    /// Replaces every field of that name.
    void set(std::string name, std::string value);
    void remove(std::string_view name);
    /// The first value, or nothing.
    std::optional<std::string_view> find(std::string_view name) const;
    std::size_t count(std::string_view name) const;
    const std::vector<Header> &all() const { return fields_; }

private:
    std::vector<Header> fields_;
};

/// How far the request got on its way in; anything but `complete` has no trustworthy body.
enum class Intake {
    complete,
    malformed,         // not HTTP, ambiguous framing, or cut off
    too_large,         // body over the limit
    uri_too_long,      // request line over the limit
    unsupported_media, // a body that is not plain JSON
    timed_out,         // not received within the time limit
};

struct Request {
    Intake intake = Intake::complete;
    std::string method;
    std::string path;  // as sent, before '?', still percent-encoded
    std::string query; // as sent, after '?'
    Headers headers;
    std::string body;
    /// False once the client has gone away or the server cuts streams to shut down.
    std::function<bool()> is_connected = [] { return true; };
};

/// Produces a streamed body. Each call may wait a moment, appends what is ready to `chunk` (perhaps
/// nothing) and returns false when the body is complete.
using StreamBody =
    std::function<bool(std::string &chunk, const std::function<bool()> &is_connected)>;

struct Response {
    int status = 200;
    Headers headers;
    std::string body;
    StreamBody stream; // when set, `body` is not used
    /// Called once, after the last byte was handed to the kernel or the client was lost.
    std::function<void(std::size_t bytes_sent)> on_sent;
};

using Handler = std::function<Response(const Request &)>;

/// Whether a large body may be read, judged by the head of its request alone.
struct Admitted {
    std::optional<Response> refusal;   // or nothing: it may
    std::shared_ptr<const void> place; // kept until the body is here
    std::shared_ptr<const void> room;  // kept until the answer is out
};
using Admission = std::function<Admitted(const Request &)>;

/// ASCII-only, locale-free comparison.
bool equals_ignoring_case(std::string_view a, std::string_view b);

/// Decodes %XX; nothing when an escape is broken. '+' is a space only in a query.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);

struct QueryParameter {
    std::string name;
    std::optional<std::string> value; // nothing: broken escapes, bytes that are no UTF-8, U+0000
};

/// name=value pairs of a query string in order; those whose name cannot be read are dropped.
std::vector<QueryParameter> parse_query(std::string_view query);

/// A 200-style answer with a JSON body.
Response json_response(int status, std::string body);

} // namespace tenancy::server
