#include "handlers.hpp"

#include "problem.hpp"

namespace tenancy::server {

std::optional<Response> take_place(RequestContext &context, Slots &slots, Shares &shares,
                                   Share &taken) {
    auto place = std::make_shared<Place>(slots);
    if (!place->is_taken()) {
        context.refusal = code_name(Code::overloaded);
        return problem(Code::overloaded);
    }
    const Share own = shares.take(context.tenant);
    if (own == nullptr) {
        context.rejection = "concurrency";
        context.refusal = code_name(Code::over_share);
        return problem(Code::over_share);
    }
    taken = std::make_shared<std::pair<Share, std::shared_ptr<Place>>>(own, std::move(place));
    return std::nullopt;
}

} // namespace tenancy::server
