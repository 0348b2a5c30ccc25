#include "pg/postgres.hpp"

#include "pg/app_role.hpp"

#include "pg/guard_registry.hpp"

namespace tenancy::pg {

namespace {

// The last answer: sessions rarely change their user.
struct Answer {
    Oid role;
    uint64 generation;
    bool is_application;
};

bool is_application(Oid role, Answer &last) {
    if (last.generation != guard_generation() || last.role != role) {
        const uint64 generation = guard_generation(); // read first, as in guard_registry.cpp
        last = {role, generation, is_application_role(role)};
    }
    return last.is_application;
}

Answer last_session{};
Answer last_current{};

bool session_is_application() {
    return is_application(GetSessionUserId(), last_session);
}

bool current_is_application() {
    return is_application(GetUserId(), last_current);
}

} // namespace

bool application_runs_this() {
    if (current_is_application())
        return true;
    return !InLocalUserIdChange() && session_is_application();
}

bool application_caused_this() {
    if (current_is_application())
        return true;
    return session_is_application() && !has_bypassrls_privilege(GetUserId());
}

bool application_is_client() {
    return current_is_application() || session_is_application();
}

} // namespace tenancy::pg
