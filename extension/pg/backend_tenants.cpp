#include "pg/postgres.hpp"

#include "pg/backend_tenants.hpp"

#include "pg/registry.hpp"

#include <cstring>

namespace tenancy::pg {

namespace {

constexpr char kName[] = "pg_tenancy backend tenants";
constexpr int kMostAttempts = 1000; // at a record that its backend is writing

struct BackendTenant {
    Oid database;
    int pid;
    LocalTransactionId lxid;
    char tenant_id[kMaxTenantBytes + 1];
};

// One per backend, which alone writes it: odd while it does.
struct Record {
    pg_atomic_uint32 version;
    BackendTenant value;
};

Record *records = nullptr;

Size size_of_records() {
    return mul_size(static_cast<Size>(MaxBackends), sizeof(Record));
}

// False when the backend writes it without end: then it is in no transaction to be shown.
bool read_record(Record &record, BackendTenant &value) {
    for (int i = 0; i < kMostAttempts; i++) {
        const uint32 before = pg_atomic_read_u32(&record.version);
        pg_read_barrier();
        std::memcpy(&value, &record.value, sizeof value);
        pg_read_barrier();
        if (before % 2 == 0 && before == pg_atomic_read_u32(&record.version))
            return true;
    }
    return false;
}

} // namespace

void backend_tenants_request() {
    RequestAddinShmemSpace(size_of_records());
}

void backend_tenants_attach() {
    bool found = false;
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    records = static_cast<Record *>(ShmemInitStruct(kName, size_of_records(), &found));
    if (!found)
        std::memset(static_cast<void *>(records), 0, size_of_records());
    LWLockRelease(AddinShmemInitLock);
}

void note_backend_tenant(const char *tenant_id) {
    const int slot = own_backend_slot();
    if (records == nullptr || slot < 0 || slot >= MaxBackends)
        return;
    Record &record = records[slot];
    pg_atomic_fetch_add_u32(&record.version, 1); // a full barrier, as below
    record.value.database = MyDatabaseId;
    record.value.pid = MyProcPid;
    record.value.lxid = current_lxid();
    strlcpy(record.value.tenant_id, tenant_id, sizeof record.value.tenant_id);
    pg_atomic_fetch_add_u32(&record.version, 1);
}

} // namespace tenancy::pg

using namespace tenancy::pg; // NOLINT: SQL entry points live outside any namespace

extern "C" {

PG_FUNCTION_INFO_V1(pgt_backend_tenants);

// () -> pid, tenant_id of the backends of this database that are in a tenant's transaction
Datum pgt_backend_tenants(PG_FUNCTION_ARGS) {
    InitMaterializedSRF(fcinfo, 0);
    const auto *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    for (int slot = 0; records != nullptr && slot < MaxBackends; slot++) {
        BackendTenant backend;
        if (!read_record(records[slot], backend) || backend.database != MyDatabaseId ||
            !backend_is_in_transaction(slot, backend.lxid))
            continue;
        Datum values[2] = {Int32GetDatum(backend.pid), CStringGetTextDatum(backend.tenant_id)};
        bool nulls[2] = {};
        tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
    PG_RETURN_VOID();
}
}
