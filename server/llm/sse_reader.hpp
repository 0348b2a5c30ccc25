// Incremental reader of an event stream (WHATWG HTML, section 9.2). Pure: bytes in, data fields
// out.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tenancy::server::llm {

class SseReader {
public:
    /// Events of more than `most` bytes are an error: the other side is not trusted with our
    /// memory.
    explicit SseReader(std::size_t most = std::size_t{4} * 1024 * 1024) : most_(most) {}

    /// Takes the next bytes, however they are cut, and appends the data of each event that is now
    /// complete. Comments and fields other than "data" are skipped. False: an event is too large;
    /// nothing more can be read.
    bool feed(std::string_view bytes, std::vector<std::string> &events);

private:
    void end_line(std::vector<std::string> &events);

    std::size_t most_;
    std::string line_;
    std::string data_;
    bool has_data_ = false;
    bool after_cr_ = false; // the LF of a CR LF pair may come in the next piece
};

} // namespace tenancy::server::llm
