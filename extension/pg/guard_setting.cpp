#include "pg/postgres.hpp"

#include "pg/guard_setting.hpp"

#include <cstddef>
#include <cstring>
#include <iterator>

namespace tenancy::pg {

namespace {

struct Description {
    const char *name;
    const char *reason;
};

constexpr Description kGuards[] = {
    {"floor", "The tenant policy holds whatever the table's policies say."},
    {"protection", "A protected table without its row-level security would show every tenant."},
    {"indexes", "An index that mixes tenants tells whether another tenant has a value."},
    {"statistics", "Estimates of a plan tell which values other tenants have."},
    {"limits", "One tenant must not hold up all others."},
    {"explain", "Costs of a plan tell how much data other tenants have."},
    {"explain_analyze", "It counts rows of other tenants that a filter removed."},
    {"role", "All tenants share the role; what changes it hits their next session."},
    {"lock", "A table lock makes every other tenant wait."},
    {"notify", "A channel outside the tenant's own is heard by all; see tenancy.channel()."},
    {"listen", "The next tenant in a pooled session would hear what this one listens to."},
    {"two_phase", "Prepared transactions are shared by all tenants."},
    {"hold", "The cursor would show its rows to the next user of a pooled session."},
    {"prepare", "A prepared statement stays in a pooled session and can replace another's."},
    {"temp", "Temporary objects stay in a pooled session and can hide real ones."},
    {"create", "Objects and privileges belong to a role of their own, not the application's."},
    {"do", "A block is a program of the caller's own."},
    {"load", "A library runs code in the server."},
    {"truncate", "TRUNCATE empties the table for every tenant; row-level security does not apply."},
    {"copy", "Files and programs of the server are shared by all tenants."},
    {"session_authorization", "The session belongs to the application's role."},
};
static_assert(std::size(kGuards) == static_cast<std::size_t>(Guard::none));

constexpr uint32 kAll = (uint32{1} << std::size(kGuards)) - 1;

char *value = nullptr;
uint32 standing = kAll;

// Bit of the guard with this name; 0 when there is none.
uint32 bit_named(const char *name) {
    for (std::size_t i = 0; i < std::size(kGuards); i++)
        if (std::strcmp(kGuards[i].name, name) == 0)
            return uint32{1} << i;
    return 0;
}

// Takes a list of guards to lift. False, with the detail for the user, when it is not one.
bool parse_lifted(const char *text, uint32 *lifted) {
    List *names = NIL;
    if (!SplitIdentifierString(pstrdup(text), ',', &names) || names == NIL) {
        GUC_check_errdetail("It is 'on', 'off' or a comma-separated list of guards to lift.");
        return false;
    }
    ListCell *cell = nullptr;
    foreach (cell, names) {
        const uint32 bit = bit_named(static_cast<const char *>(lfirst(cell)));
        if (bit == 0) {
            GUC_check_errdetail("There is no guard %s.", static_cast<const char *>(lfirst(cell)));
            return false;
        }
        *lifted |= bit;
    }
    return true;
}

bool check_guard(char **newval, void **extra, GucSource /*source*/) {
    uint32 lifted = 0;
    if (std::strcmp(*newval, "off") == 0)
        lifted = kAll;
    else if (std::strcmp(*newval, "on") != 0 && !parse_lifted(*newval, &lifted))
        return false;
    auto *left = static_cast<uint32 *>(setting_alloc(sizeof(uint32)));
    if (left == nullptr) {
        GUC_check_errmsg("out of memory");
        return false;
    }
    *left = kAll & ~lifted;
    *extra = left;
    return true;
}

// Plans are made under the guards that stood; none may outlive a change.
void assign_guard(const char * /*newval*/, void *extra) {
    const uint32 left = *static_cast<const uint32 *>(extra);
    if (left == standing)
        return;
    standing = left;
    ResetPlanCache();
}

} // namespace

void define_guard_setting() {
    // Superusers only. For ALTER ROLE ... SET on the role of a developer or of a migration tool
    // that is a member of an application role; 'off' on an application role itself opens every
    // attack that the guards are there for.
    DefineCustomStringVariable("tenancy.guard",
                               "Guards of application roles: on, off, or a list of those to lift.",
                               "Guards that are not named in the list stand.", &value, "on",
                               PGC_SUSET, 0, check_guard, assign_guard, nullptr);
}

bool guard_stands(Guard guard) {
    return (standing & (uint32{1} << static_cast<unsigned>(guard))) != 0;
}

const char *guard_name(Guard guard) {
    return kGuards[static_cast<std::size_t>(guard)].name;
}

const char *guard_reason(Guard guard) {
    return kGuards[static_cast<std::size_t>(guard)].reason;
}

const char *guard_setting_lifting(Guard guard) {
    return standing == kAll ? guard_name(guard) : psprintf("%s, %s", value, guard_name(guard));
}

} // namespace tenancy::pg
