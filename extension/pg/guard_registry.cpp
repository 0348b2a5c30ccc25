#include "pg/postgres.hpp"

#include "pg/guard_registry.hpp"

#include "pg/heap_rows.hpp"

namespace tenancy::pg {

namespace {

// Column order of sql/install/81-protected-tables.sql and 20-registry.sql.
constexpr int kTableRelation = 1;
constexpr int kTableTenantColumn = 2;
constexpr int kRoleName = 1;

constexpr long kExpectedTables = 64;

uint64 changes = 1;           // bumped by every invalidation that may concern us
uint64 loaded_generation = 0; // value of `changes` when the registry was read
MemoryContext memory = nullptr;
HTAB *tables = nullptr; // every relation that was asked for, and all registered ones
List *app_roles = NIL;  // OIDs
Oid tables_relation = InvalidOid;
Oid roles_relation = InvalidOid;

// Where the extension is not installed, any new table may be the first of it.
void on_relation_change(Datum /*arg*/, Oid relid) {
    if (relid == InvalidOid || !OidIsValid(tables_relation) || !OidIsValid(roles_relation) ||
        relid == tables_relation || relid == roles_relation || tables == nullptr ||
        hash_search(tables, &relid, HASH_FIND, nullptr) != nullptr)
        ++changes;
}

void on_role_change(Datum /*arg*/, int /*cache*/, uint32 /*hash*/) {
    ++changes;
}

ProtectedTable *enter(Oid relid) {
    bool found = false;
    auto *entry = static_cast<ProtectedTable *>(hash_search(tables, &relid, HASH_ENTER, &found));
    if (!found)
        *entry = {relid, false, false, false, {}, Standing::unknown, nullptr};
    return entry;
}

// Both columns are NOT NULL. An empty name would be a column that is not there: locked.
void add_table(const Row &row) {
    ProtectedTable *entry = enter(DatumGetObjectId(row.values[kTableRelation - 1]));
    entry->looked_up = entry->is_protected = true;
    if (!row.is_null(kTableTenantColumn))
        entry->tenant_column = *DatumGetName(row.values[kTableTenantColumn - 1]);
}

void add_role(const Row &row) {
    const Oid role = row.is_null(kRoleName)
                         ? InvalidOid
                         : get_role_oid(NameStr(*DatumGetName(row.values[kRoleName - 1])), true);
    if (!OidIsValid(role))
        return;
    MemoryContext caller = MemoryContextSwitchTo(memory);
    app_roles = lappend_oid(app_roles, role);
    MemoryContextSwitchTo(caller);
}

void start_empty() {
    tables = nullptr;      // an error below must not leave a pointer into memory that is gone,
    loaded_generation = 0; // nor half a registry that looks whole
    app_roles = NIL;
    if (memory == nullptr)
        memory =
            AllocSetContextCreate(CacheMemoryContext, "pg_tenancy guards", ALLOCSET_DEFAULT_SIZES);
    MemoryContextReset(memory);
    HASHCTL control{};
    control.keysize = sizeof(Oid);
    control.entrysize = sizeof(ProtectedTable);
    control.hcxt = memory;
    tables = hash_create("pg_tenancy protected tables", kExpectedTables, &control,
                         HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

// Without the extension a schema of this name is somebody's own; nothing in it is believed.
void find_relations() {
    const Oid schema = OidIsValid(get_extension_oid("pg_tenancy", true))
                           ? get_namespace_oid("tenancy", true)
                           : InvalidOid;
    const bool here = OidIsValid(schema);
    tables_relation = here ? get_relname_relid("protected_tables", schema) : InvalidOid;
    roles_relation = here ? get_relname_relid("app_roles", schema) : InvalidOid;
}

void refresh() {
    if (loaded_generation == changes && tables != nullptr)
        return;
    const uint64 generation = changes; // read first: a change seen while reading reads again
    start_empty();
    find_relations();
    if (OidIsValid(tables_relation))
        for_each_row(tables_relation, InvalidOid, 0, nullptr, add_table);
    if (OidIsValid(roles_relation))
        for_each_row(roles_relation, InvalidOid, 0, nullptr, add_role);
    loaded_generation = generation;
}

List *parents_of(Oid relid) {
    List *parents = NIL;
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(relid));
    Relation inherits = table_open(InheritsRelationId, AccessShareLock);
    SysScanDesc scan =
        systable_beginscan(inherits, InheritsRelidSeqnoIndexId, true, nullptr, 1, &key);
    for (HeapTuple tuple = systable_getnext(scan); HeapTupleIsValid(tuple);
         tuple = systable_getnext(scan))
        parents =
            lappend_oid(parents, reinterpret_cast<Form_pg_inherits>(GETSTRUCT(tuple))->inhparent);
    systable_endscan(scan);
    table_close(inherits, AccessShareLock);
    return parents;
}

// Entered before the catalog is read, so that a change of the relation in the meantime is noticed.
ProtectedTable *look_up(Oid relid) {
    ProtectedTable *entry = enter(relid);
    if (entry->looked_up)
        return entry;
    List *parents = parents_of(relid);
    ListCell *cell = nullptr;
    foreach (cell, parents) {
        const ProtectedTable *parent = look_up(lfirst_oid(cell));
        if (parent->is_protected) {
            entry->is_protected = entry->is_child = true;
            entry->tenant_column = parent->tenant_column;
        }
    }
    list_free(parents);
    entry->looked_up = true;
    return entry;
}

} // namespace

void guard_registry_initialize() {
    CacheRegisterRelcacheCallback(on_relation_change, Datum{0});
    CacheRegisterSyscacheCallback(AUTHOID, on_role_change, Datum{0});
    CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, on_role_change, Datum{0});
}

ProtectedTable *find_protected(Oid relid) {
    if (relid < FirstNormalObjectId)
        return nullptr;
    refresh();
    if (!OidIsValid(tables_relation))
        return nullptr;
    ProtectedTable *entry = look_up(relid);
    return entry->is_protected ? entry : nullptr;
}

bool is_application_role(Oid role) {
    refresh();
    if (app_roles == NIL || superuser_arg(role))
        return false;
    ListCell *cell = nullptr;
    foreach (cell, app_roles)
        if (is_member_of_role_nosuper(role, lfirst_oid(cell)))
            return true;
    return false;
}

bool is_listed_application_role(Oid role) {
    refresh();
    return list_member_oid(app_roles, role);
}

Oid protected_user_table() {
    refresh();
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, tables);
    Oid found = InvalidOid;
    while (const auto *table = static_cast<ProtectedTable *>(hash_seq_search(&scan))) {
        if (OidIsValid(found) || !table->is_protected)
            continue; // to the end: that closes the scan
        const bool ours = OidIsValid(getExtensionOfObject(RelationRelationId, table->relid));
        if (!ours && get_rel_relkind(table->relid) != '\0')
            found = table->relid;
    }
    return found;
}

MemoryContext guard_memory() {
    return memory;
}

uint64 guard_generation() {
    return changes;
}

} // namespace tenancy::pg
