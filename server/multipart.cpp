#include "multipart.hpp"

#include "http.hpp"

namespace tenancy::server {

namespace {

constexpr std::size_t kMaxParts = 16;
constexpr std::size_t kMaxHeaderBytes = 8192;
constexpr std::size_t kMaxBoundary = 70; // RFC 2046

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
        text.remove_suffix(1);
    return text;
}

// Takes the text before `end` off `rest`, and `end`; all of it when there is none.
std::string_view take_until(std::string_view &rest, std::string_view end) {
    const std::size_t at = rest.find(end);
    const std::string_view taken = rest.substr(0, at);
    rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + end.size());
    return taken;
}

// A quoted string's value; `rest` starts behind the opening quote and loses the closing one.
std::string take_quoted(std::string_view &rest) {
    std::string value;
    while (!rest.empty() && rest.front() != '"') {
        // Browsers escape only the quote; a backslash before anything else belongs to a path.
        if (rest.front() == '\\' && rest.size() > 1 && (rest[1] == '"' || rest[1] == '\\'))
            rest.remove_prefix(1);
        value.push_back(rest.front());
        rest.remove_prefix(1);
    }
    if (!rest.empty())
        rest.remove_prefix(1);
    return value;
}

// The value of a parameter of a header such as `form-data; name="file"`.
std::optional<std::string> parameter(std::string_view header, std::string_view wanted) {
    take_until(header, ";");
    while (!header.empty()) {
        const std::string_view name = trimmed(take_until(header, "="));
        header = trimmed(header);
        std::string value;
        if (!header.empty() && header.front() == '"') {
            header.remove_prefix(1);
            value = take_quoted(header);
            take_until(header, ";");
        } else {
            value = std::string(trimmed(take_until(header, ";")));
        }
        if (equals_ignoring_case(name, wanted))
            return value;
    }
    return std::nullopt;
}

std::optional<FormPart> read_headers(std::string_view headers) {
    FormPart part;
    std::optional<std::string> name;
    while (!headers.empty()) {
        std::string_view line = take_until(headers, "\r\n");
        const std::string_view field = trimmed(take_until(line, ":"));
        if (equals_ignoring_case(field, "Content-Type")) {
            part.type = trimmed(line);
        } else if (equals_ignoring_case(field, "Content-Disposition")) {
            name = parameter(line, "name");
            part.filename = parameter(line, "filename");
        }
    }
    if (!name)
        return std::nullopt;
    part.name = std::move(*name);
    return part;
}

// What follows a delimiter: the end of the form ("--"), the next part (a line break), or neither.
enum class After { end, part, broken };

After after_delimiter(std::string_view &rest) {
    if (rest.substr(0, 2) == "--")
        return After::end;
    return trimmed(take_until(rest, "\r\n")).empty() && !rest.empty() ? After::part : After::broken;
}

} // namespace

bool is_form_type(std::string_view content_type) {
    return equals_ignoring_case(trimmed(content_type.substr(0, content_type.find(';'))),
                                "multipart/form-data");
}

std::optional<std::vector<FormPart>> parse_multipart(std::string_view body,
                                                     std::string_view content_type) {
    const auto boundary = parameter(content_type, "boundary");
    if (!is_form_type(content_type) || !boundary || boundary->empty() ||
        boundary->size() > kMaxBoundary)
        return std::nullopt;
    const std::string delimiter = "\r\n--" + *boundary;
    // The first delimiter may be the body's first line.
    if (body.substr(0, delimiter.size() - 2) == std::string_view(delimiter).substr(2))
        body.remove_prefix(delimiter.size() - 2);
    else
        take_until(body, delimiter);
    std::vector<FormPart> parts;
    for (;;) {
        const After after = after_delimiter(body);
        if (after == After::end)
            return parts;
        const std::size_t headers_end = body.substr(0, kMaxHeaderBytes + 4).find("\r\n\r\n");
        if (after == After::broken || parts.size() == kMaxParts ||
            headers_end == std::string_view::npos)
            return std::nullopt;
        auto part = read_headers(body.substr(0, headers_end));
        // The line break that ends the headers may be the delimiter's own when there is no content.
        body.remove_prefix(headers_end + 2);
        const std::size_t end = body.find(delimiter);
        if (!part || end == std::string_view::npos)
            return std::nullopt;
        part->content = body.substr(0, end).substr(end == 0 ? 0 : 2);
        body.remove_prefix(end + delimiter.size());
        parts.push_back(std::move(*part));
    }
}

} // namespace tenancy::server
