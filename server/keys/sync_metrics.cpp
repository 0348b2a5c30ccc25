#include "sync_metrics.hpp"

#include <ctime>

#include "../metrics_text.hpp"

namespace tenancy::server::keys {

namespace {

void add_refreshes(std::string &out, const std::string &issuer, const char *result,
                   unsigned long long count) {
    out += "tenancyd_key_refreshes_total{" + metrics_label("issuer", issuer) + "," +
           metrics_label("result", result) + "} " + std::to_string(count) + "\n";
}

} // namespace

void SyncMetrics::count(const std::string &issuer, RefreshResult result) {
    const std::lock_guard lock(mutex_);
    Counts &counts = issuers_[issuer];
    switch (result) {
    case RefreshResult::loaded:
        ++counts.loaded;
        break;
    case RefreshResult::unchanged:
        ++counts.unchanged;
        break;
    case RefreshResult::failed:
        ++counts.failed;
        return;
    case RefreshResult::refused:
        ++counts.refused;
        return;
    }
    counts.last_success = std::time(nullptr);
}

void SyncMetrics::set_active(bool is_active) {
    const std::lock_guard lock(mutex_);
    is_active_ = is_active;
}

std::string SyncMetrics::text() const {
    const std::lock_guard lock(mutex_);
    std::string out = "# TYPE tenancyd_key_sync_active gauge\ntenancyd_key_sync_active " +
                      std::string(is_active_ ? "1" : "0") +
                      "\n# TYPE tenancyd_key_refreshes_total counter\n";
    for (const auto &[issuer, counts] : issuers_) {
        add_refreshes(out, issuer, "loaded", counts.loaded);
        add_refreshes(out, issuer, "unchanged", counts.unchanged);
        add_refreshes(out, issuer, "failed", counts.failed);
        add_refreshes(out, issuer, "refused", counts.refused);
    }
    out += "# TYPE tenancyd_key_last_success_timestamp_seconds gauge\n";
    for (const auto &[issuer, counts] : issuers_)
        out += "tenancyd_key_last_success_timestamp_seconds{" + metrics_label("issuer", issuer) +
               "} " + std::to_string(counts.last_success) + "\n";
    return out;
}

} // namespace tenancy::server::keys
