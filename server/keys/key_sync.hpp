// The key loader: keeps the signing keys in the database equal to what their issuers publish.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "../config.hpp"
#include "../db/connection.hpp"
#include "key_source.hpp"
#include "schedule.hpp"
#include "sync_metrics.hpp"

namespace tenancy::server::keys {

/// Of several loaders on one database one is active: the one whose connection holds the database's
/// lock. The others ask for it every second.
class KeySync {
public:
    KeySync(const Config &config, SyncMetrics &metrics);

    /// One step: connects, takes the lock, fetches what is due. Never throws for what the outside
    /// does.
    void tick();

    /// Every issuer once, whatever the schedule says; false when one failed. True, with nothing
    /// done, when another loader is active.
    bool run_once();

private:
    struct Issuer {
        const IssuerConfig *config;
        KeySource source;
        Schedule schedule;
    };

    bool become_active();
    void lose_connection();
    bool read_unknown_kids();
    bool refresh(Issuer &issuer);
    bool load(Issuer &issuer, const KeySet &set);
    bool keep(const Issuer &issuer);
    long long unknown_kids(const Issuer &issuer) const;

    const Config &config_;
    SyncMetrics &metrics_;
    std::vector<Issuer> issuers_;
    std::unique_ptr<db::Connection> connection_;
    bool is_active_ = false;
    bool comes_again_ = true; // false: runs once
    std::map<std::string, long long> unknown_kids_;
};

/// `tenancyd sync-keys`: runs until SIGTERM or SIGINT, or once; SIGHUP reads `file` again. Returns
/// the exit status.
int sync_keys(const Config &config, const std::string &file, bool once);

} // namespace tenancy::server::keys
