#include "pg/postgres.hpp"

#include "pg/counters.hpp"

#include "pg/heap_rows.hpp"
#include "pg/slots.hpp"
#include "pg/windows.hpp"

#include <algorithm>
#include <cstring>

namespace tenancy::pg {

namespace {

// Attribute numbers: the column order of sql/install/44-budgets.sql and 40-rates.sql.
enum BudgetColumn {
    budget_id_column = 1,
    budget_tenant_id,
    budget_scope,
    budget_period,
    budget_time_zone,
    budget_limit_picodollars,
    budget_limit_tokens,
    budget_warn_ratio,
    budget_mode,
    budget_valid_from,
    budget_valid_until
};
enum RateColumn { rate_tenant_id = 1, rate_max_concurrent = 5 };

constexpr char kBudgetsIndex[] = "budgets_tenant_id_scope_period_time_zone_valid_from_valid_u_key";
constexpr int kFirstCapacity = 8;

// A counter, and what decides which of several is in force.
struct Candidate {
    Counter counter;
    bool is_now, is_default;
    TimestampTz valid_from, valid_until;
};

struct Candidates {
    Candidate *items;
    int count, capacity;
};

// nullptr: the turn has no such value, and the budget does not count it.
const char *scope_value(const char *scope, const TurnScope &turn) {
    const auto or_empty = [](const char *text) { return text == nullptr ? "" : text; };
    if (std::strcmp(scope, "session") == 0)
        return turn.session_id;
    if (std::strcmp(scope, "subject") == 0)
        return or_empty(turn.subject);
    return std::strcmp(scope, "model") == 0 ? or_empty(turn.model) : "";
}

Candidate candidate(const Row &row, const TurnScope &turn) {
    Candidate it{};
    Counter &counter = it.counter;
    counter.budget_id = row.bigint(budget_id_column);
    counter.scope = row.cstring(budget_scope);
    counter.scope_value = scope_value(counter.scope, turn);
    counter.period = row.cstring(budget_period);
    const Window window =
        window_of(counter.period, turn.admitted_at, row.cstring(budget_time_zone));
    counter.window_start = window.start;
    counter.window_end = window.end;
    counter.money_limit =
        row.is_null(budget_limit_picodollars) ? -1 : row.bigint(budget_limit_picodollars);
    counter.tokens_limit = row.is_null(budget_limit_tokens) ? -1 : row.bigint(budget_limit_tokens);
    if (!row.is_null(budget_warn_ratio))
        counter.warn_ratio =
            PointerGetDatum(PG_DETOAST_DATUM_COPY(row.values[budget_warn_ratio - 1]));
    counter.enforced = std::strcmp(row.cstring(budget_mode), "enforce") == 0;
    it.is_default = std::strcmp(row.cstring(budget_tenant_id), kAllTenants) == 0;
    it.valid_from = DatumGetTimestampTz(row.values[budget_valid_from - 1]);
    it.valid_until = DatumGetTimestampTz(row.values[budget_valid_until - 1]);
    it.is_now = it.valid_from <= turn.admitted_at && turn.admitted_at < it.valid_until;
    return it;
}

void read_budgets(Candidates &list, const char *owner, const TurnScope &turn) {
    ScanKeyData key;
    text_key(&key, budget_tenant_id, owner);
    const Oid schema = get_namespace_oid("tenancy", false);
    for_each_row(
        ledger_relation(), relation_named(schema, kBudgetsIndex), 1, &key, [&](const Row &row) {
            const Candidate it = candidate(row, turn);
            if (it.counter.scope_value == nullptr)
                return;
            if (list.count == list.capacity) {
                list.capacity *= 2;
                list.items = static_cast<Candidate *>(
                    repalloc(list.items, sizeof(Candidate) * static_cast<Size>(list.capacity)));
            }
            list.items[list.count++] = it;
        });
}

// Of several rows for one scope and period the tenant's own goes before the default, one with an
// end before one without, then the one that began last.
bool goes_before(const Candidate &a, const Candidate &b) {
    if (a.is_default != b.is_default)
        return b.is_default;
    if ((a.valid_until == DT_NOEND) != (b.valid_until == DT_NOEND))
        return b.valid_until == DT_NOEND;
    if (a.valid_from != b.valid_from)
        return a.valid_from > b.valid_from;
    return a.counter.budget_id < b.counter.budget_id;
}

bool is_in_force(const Candidates &list, const Candidate &it) {
    if (!it.is_now)
        return false;
    for (int i = 0; i < list.count; i++) {
        const Candidate &other = list.items[i];
        if (other.is_now && std::strcmp(other.counter.scope, it.counter.scope) == 0 &&
            std::strcmp(other.counter.period, it.counter.period) == 0 && goes_before(other, it))
            return false;
    }
    return true;
}

// The turns of a tenant are always counted: so every turn of a transaction is pending there, and a
// rebuild knows.
Counter turns_counter(const TurnScope &turn) {
    const char *const owners[] = {turn.tenant_id, kAllTenants};
    const Oid schema = get_namespace_oid("tenancy", false);
    Counter counter{};
    bool found = false;
    counter.scope = "turns";
    counter.scope_value = "";
    counter.period = "total";
    counter.window_start = DT_NOBEGIN;
    counter.window_end = DT_NOEND;
    counter.money_limit = counter.tokens_limit = -1;
    counter.in_force = true;
    for (int i = 0; i < 2 && !found; i++) {
        ScanKeyData key;
        text_key(&key, rate_tenant_id, owners[i]);
        for_each_row(relation_named(schema, "rate_limits"),
                     relation_named(schema, "rate_limits_pkey"), 1, &key, [&](const Row &row) {
                         found = true;
                         counter.enforced = !row.is_null(rate_max_concurrent);
                         if (counter.enforced)
                             counter.tokens_limit = row.integer(rate_max_concurrent);
                     });
    }
    return counter;
}

} // namespace

Counters counters_of(const TurnScope &turn) {
    Candidates list{static_cast<Candidate *>(palloc(sizeof(Candidate) * kFirstCapacity)), 0,
                    kFirstCapacity};
    read_budgets(list, turn.tenant_id, turn);
    read_budgets(list, kAllTenants, turn);
    Counters counters{
        static_cast<Counter *>(palloc(sizeof(Counter) * static_cast<Size>(list.count + 1))), 0};
    counters.items[counters.count++] = turns_counter(turn);
    for (int i = 0; i < list.count; i++) {
        Counter &counter = counters.items[counters.count++];
        counter = list.items[i].counter;
        counter.in_force = is_in_force(list, list.items[i]);
        counter.enforced = counter.enforced && counter.in_force;
    }
    std::sort(counters.items, counters.items + counters.count,
              [](const Counter &a, const Counter &b) { return a.budget_id < b.budget_id; });
    return counters;
}

} // namespace tenancy::pg
