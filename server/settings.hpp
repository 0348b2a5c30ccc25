// What a running server may get anew: the configuration and what is made of it.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "config.hpp"
#include "llm/model.hpp"
#include "rate/shared_limit.hpp"

namespace tenancy::server {

/// One generation. Whoever works holds the pointer until the work is done.
struct Settings {
    Config config;
    std::unique_ptr<llm::Model> model;
    std::shared_ptr<rate::SharedLimit> shared_limit; // null: the database alone limits
};
using SettingsPointer = std::shared_ptr<const Settings>;

class LiveSettings {
public:
    explicit LiveSettings(SettingsPointer first) : current_(std::move(first)) {}

    SettingsPointer current() const {
        const std::lock_guard lock(mutex_);
        return current_;
    }
    void replace(SettingsPointer next) {
        const std::lock_guard lock(mutex_);
        current_ = std::move(next);
    }

private:
    mutable std::mutex mutex_;
    SettingsPointer current_;
};

} // namespace tenancy::server
