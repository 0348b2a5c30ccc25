// A path that parses leads to the place spelled by its own segments, and to no shorter one.
#include "core/claim_path.hpp"
#include "core/tenant.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace tenancy;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char *>(data), size);
    (void)core::check_claim_value(text);
    (void)core::check_tenant_id(text);
    const auto path = core::ClaimPath::parse(text);
    if (!path)
        return 0;
    std::string place;
    for (const std::string &segment : path->segments()) {
        if (segment.empty() || path->leads_to(place))
            std::abort();
        place.append("m").append(segment).push_back('\0');
    }
    if (!path->leads_to(place))
        std::abort();
    return 0;
}
