// Tenants' shares of places that all of them use.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "slots.hpp"

namespace tenancy::server {

/// What a tenant has of the places; given back at the end of the last copy. Null: refused.
using Share = std::shared_ptr<const void>;

/// Divides slots among tenants without a figure for each: a tenant gets one more while it has less
/// than four times what is free (a dynamic threshold: Choudhury and Hahne, IEEE/ACM Transactions on
/// Networking 6(2), 1998). Alone it has up to four fifths; with others fewer; and there is always a
/// place left for a tenant that has none, from five slots on, until 20 tenants want all they can
/// get.
class Shares {
public:
    /// `slots` outlives this and all shares.
    explicit Shares(const Slots &slots) : slots_(slots) {}

    /// For who has taken a place already.
    Share take(const std::string &tenant) {
        const std::lock_guard lock(mutex_);
        const std::size_t taken = slots_.taken(); // with the caller's own, which was free before
        const std::size_t free = slots_.most() >= taken ? slots_.most() - taken + 1 : 1;
        std::size_t &held = held_[tenant];
        if (held >= kTimesFree * free)
            return nullptr;
        ++held;
        return {this, [this, tenant](const void *) { give_back(tenant); }};
    }

private:
    static constexpr std::size_t kTimesFree = 4;

    void give_back(const std::string &tenant) {
        const std::lock_guard lock(mutex_);
        const auto found = held_.find(tenant);
        if (found != held_.end() && --found->second == 0)
            held_.erase(found);
    }

    const Slots &slots_;
    std::mutex mutex_;
    std::map<std::string, std::size_t> held_; // none is 0
};

} // namespace tenancy::server
