#include "core/policy.hpp"

#include <utility>

namespace tenancy::core {

const Issuer &IssuerSet::add(Issuer issuer) {
    std::string name = issuer.policy.issuer;
    return issuers_.insert_or_assign(std::move(name), std::move(issuer)).first->second;
}

const Issuer *IssuerSet::find(std::string_view issuer) const {
    const auto found = issuers_.find(issuer);
    return found == issuers_.end() ? nullptr : &found->second;
}

} // namespace tenancy::core
