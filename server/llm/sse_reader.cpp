#include "sse_reader.hpp"

namespace tenancy::server::llm {

bool SseReader::feed(std::string_view bytes, std::vector<std::string> &events) {
    for (const char c : bytes) {
        const bool completes_crlf = after_cr_ && c == '\n';
        after_cr_ = c == '\r';
        if (completes_crlf)
            continue;
        if (c == '\n' || c == '\r') {
            end_line(events);
            continue;
        }
        line_.push_back(c);
        if (line_.size() + data_.size() > most_)
            return false;
    }
    return true;
}

void SseReader::end_line(std::vector<std::string> &events) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (line_.empty()) {
        if (has_data_)
            events.push_back(std::move(data_));
        data_.clear();
        has_data_ = false;
        return;
    }
    std::string_view line = line_;
    if (line.substr(0, kByteOrderMark.size()) == kByteOrderMark)
        line.remove_prefix(kByteOrderMark.size());
    const std::size_t colon = line.find(':');
    if (line.substr(0, colon) == "data") {
        std::string_view value =
            colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
        if (!value.empty() && value.front() == ' ')
            value.remove_prefix(1);
        if (has_data_)
            data_.push_back('\n');
        data_ += value;
        has_data_ = true;
    }
    line_.clear();
}

} // namespace tenancy::server::llm
