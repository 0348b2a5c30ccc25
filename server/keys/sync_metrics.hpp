// What a key loader counts, in Prometheus text format. Label values come from the configuration.
#pragma once

#include <map>
#include <mutex>
#include <string>

namespace tenancy::server::keys {

enum class RefreshResult { loaded, unchanged, failed, refused };

class SyncMetrics {
public:
    void count(const std::string &issuer, RefreshResult result);
    void set_active(bool is_active);
    std::string text() const;

private:
    struct Counts {
        unsigned long long loaded = 0, unchanged = 0, failed = 0, refused = 0;
        long long last_success = 0; // Unix seconds; 0 = never
    };

    mutable std::mutex mutex_;
    std::map<std::string, Counts> issuers_;
    bool is_active_ = false;
};

} // namespace tenancy::server::keys
