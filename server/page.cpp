#include "handlers.hpp"

// The assembler looks for the files where the compiler looks for headers.
// NOLINTNEXTLINE(*-macro-usage)
#define EMBED(name, file)                                                                          \
    asm(".pushsection .rodata\n" name ":\n.incbin \"page/" file "\"\n" name "_end:\n.popsection")

EMBED("page_index_html", "index.html");
EMBED("page_style_css", "style.css");
EMBED("page_page_js", "page.js");
EMBED("page_chart_js", "chart.js");

extern "C" {
extern const char page_index_html[], page_index_html_end[];
extern const char page_style_css[], page_style_css_end[];
extern const char page_page_js[], page_page_js_end[];
extern const char page_chart_js[], page_chart_js_end[];
}

namespace tenancy::server {

namespace {

// Nothing but the page's own two files and the API it came from; no frame, no form, no base. (CSP
// level 3)
constexpr const char *kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

Response file(const char *type, const char *begin, const char *end) {
    Response response;
    response.headers.add("Content-Type", type);
    response.headers.add("Content-Security-Policy", kPolicy);
    response.headers.add("Referrer-Policy", "no-referrer");
    response.headers.add("Cross-Origin-Opener-Policy", "same-origin");
    response.headers.add("Cross-Origin-Resource-Policy", "same-origin");
    response.headers.add("Cache-Control",
                         "no-cache"); // another version's files never mix with these
    response.body.assign(begin, end);
    return response;
}

} // namespace

Response answer_page(std::string_view path) {
    if (path == "/page/style.css")
        return file("text/css; charset=utf-8", page_style_css, page_style_css_end);
    if (path == "/page/page.js")
        return file("text/javascript; charset=utf-8", page_page_js, page_page_js_end);
    if (path == "/page/chart.js")
        return file("text/javascript; charset=utf-8", page_chart_js, page_chart_js_end);
    return file("text/html; charset=utf-8", page_index_html, page_index_html_end);
}

} // namespace tenancy::server
