#include "handlers.hpp"

#include <mutex>

namespace tenancy::server {

namespace {

class Readiness {
public:
    bool ask(db::Database &database) {
        const std::lock_guard lock(mutex_); // callers beside the one that asks wait for its answer
        const auto now = std::chrono::steady_clock::now();
        if (now - asked_ >= std::chrono::seconds(1) || !has_asked_) {
            is_ready_ = database.is_ready();
            asked_ = std::chrono::steady_clock::now();
            has_asked_ = true;
        }
        return is_ready_;
    }

private:
    std::mutex mutex_;
    std::chrono::steady_clock::time_point asked_;
    bool has_asked_ = false;
    bool is_ready_ = false;
};

} // namespace

Response answer_live() {
    return json_response(200, R"({"status":"ok"})");
}

Response answer_ready(Services &services) {
    static Readiness readiness;
    const bool ready = !services.is_stopping && readiness.ask(services.database);
    return ready ? json_response(200, R"({"status":"ready"})")
                 : json_response(503, R"({"status":"not ready"})");
}

} // namespace tenancy::server
