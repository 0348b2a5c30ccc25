#include "pg/postgres.hpp"

#include "pg/key_uses.hpp"

namespace tenancy::pg {

namespace {

constexpr std::int64_t kForgottenAfterUs = std::int64_t{24} * 3600 * 1'000'000;

SharedTable<UseKey, Use> table("pg_tenancy key uses");

} // namespace

SharedTable<UseKey, Use> &uses_table() {
    return table;
}

void use_count(UseKind kind, const core::Sha256 &subject, std::int64_t now_us) {
    if (!table.is_ready())
        return;
    const UseKey key{MyDatabaseId, kind, subject};
    const auto count = [&](Use &use) {
        pg_atomic_fetch_add_u64(&use.count, 1);
        pg_atomic_write_u64(&use.last_us, static_cast<uint64>(now_us));
    };
    if (table.with(key, count))
        return;
    (void)table.create(
        key,
        [](Use &use) {
            pg_atomic_init_u64(&use.count, 0);
            pg_atomic_init_u64(&use.last_us, 0);
        },
        [&] {
            (void)table.drop_if([&](Use &use) {
                return static_cast<std::int64_t>(pg_atomic_read_u64(&use.last_us)) <
                       now_us - kForgottenAfterUs;
            });
        });
    (void)table.with(key, count);
}

} // namespace tenancy::pg
