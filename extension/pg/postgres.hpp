// Every PostgreSQL header this extension uses, once, as C and first: their macros must not meet
// C++ headers that were not warned. The only file that looks at PG_VERSION_NUM.
#pragma once

// Lets the headers of core/ be included after postgres.h, which they refuse everywhere else.
#define TENANCY_PG_BOUNDARY

extern "C" {
#include "postgres.h"

#include "access/detoast.h"         // toast_raw_datum_size
#include "access/genam.h"           // systable_beginscan
#include "access/htup_details.h"    // heap_deform_tuple
#include "access/parallel.h"        // IsInParallelMode, InitializingParallelWorker
#include "access/table.h"           // table_open
#include "access/xact.h"            // IsTransactionState
#include "catalog/dependency.h"     // getExtensionOfObject
#include "catalog/index.h"          // IndexGetRelation
#include "catalog/indexing.h"       // CatalogTupleInsert
#include "catalog/namespace.h"      // get_namespace_oid
#include "catalog/objectaccess.h"   // object_access_hook
#include "catalog/pg_class.h"       // Form_pg_class
#include "catalog/pg_collation_d.h" // DEFAULT_COLLATION_OID
#include "catalog/pg_extension.h"   // Form_pg_extension
#include "catalog/pg_inherits.h"    // InheritsRelidSeqnoIndexId
#include "catalog/pg_namespace.h"   // Form_pg_namespace
#include "catalog/pg_proc_d.h"      // Anum_pg_proc_oid
#include "catalog/pg_type_d.h"      // TEXTOID
#include "commands/async.h"         // Async_Notify
#include "commands/defrem.h"        // defGetBoolean
#include "commands/extension.h"     // get_extension_oid
#include "commands/trigger.h"       // CALLED_AS_TRIGGER
#include "common/hashfn.h"          // hash_any_extended
#include "executor/executor.h"      // ExecutorCheckPerms_hook
#include "executor/spi.h"           // SPI_* names used by trigger.h
#include "fmgr.h"
#include "funcapi.h" // InitMaterializedSRF
#include "mb/pg_wchar.h"
#include "miscadmin.h"            // process_shared_preload_libraries_in_progress
#include "nodes/makefuncs.h"      // makeVar
#include "optimizer/plancat.h"    // get_relation_info_hook
#include "optimizer/planner.h"    // planner_hook
#include "parser/analyze.h"       // post_parse_analyze_hook
#include "parser/parse_collate.h" // assign_expr_collations
#include "parser/parse_oper.h"    // make_op
#include "port/atomics.h"
#include "rewrite/rowsecurity.h" // row_security_policy_hook_restrictive
#include "storage/ipc.h"         // shmem_startup_hook
#include "storage/latch.h"       // SetLatch
#include "storage/lock.h"        // LockAcquire
#include "storage/lwlock.h"      // LWLockAcquire
#include "storage/proc.h"        // MyProc
#include "storage/procarray.h"   // ProcNumberGetProc
#include "storage/shmem.h"       // ShmemInitHash
#include "storage/sinvaladt.h"   // BackendIdGetProc
#include "tcop/tcopprot.h"       // debug_query_string
#include "tcop/utility.h"        // ProcessUtility_hook
#include "utils/acl.h"           // has_privs_of_role
#include "utils/array.h"
#include "utils/backend_status.h" // pgstat_report_activity
#include "utils/builtins.h"
#include "utils/fmgroids.h" // F_TEXTEQ
#include "utils/guc.h"
#include "utils/inval.h" // CacheRegisterRelcacheCallback
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"   // int64_to_numeric
#include "utils/plancache.h" // ResetPlanCache
#include "utils/rel.h"
#include "utils/rls.h"      // check_enable_rls
#include "utils/selfuncs.h" // get_relation_stats_hook
#include "utils/snapmgr.h"  // PushActiveSnapshot
#include "utils/syscache.h" // SearchSysCache1
#include "utils/timeout.h"  // RegisterTimeout
#include "utils/timestamp.h"
#include "utils/typcache.h" // lookup_rowtype_tupdesc
#include "utils/varlena.h"  // SplitIdentifierString
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif
}

namespace tenancy::pg {

// Number of the local transaction this backend is in; 0 outside one (also during start-up).
inline LocalTransactionId current_lxid() {
    if (MyProc == nullptr || !IsTransactionState())
        return InvalidLocalTransactionId;
#if PG_VERSION_NUM >= 170000
    return MyProc->vxid.lxid;
#else
    return MyProc->lxid;
#endif
}

// This backend's place among all that may run at one time, from 0; negative when it has none yet.
inline int own_backend_slot() {
#if PG_VERSION_NUM >= 170000
    return MyProcNumber;
#else
    return MyBackendId - 1;
#endif
}

// Whether the backend at a place is in the transaction of that number. Numbers of a place do not
// come again, whoever has it.
inline bool backend_is_in_transaction(int slot, LocalTransactionId lxid) {
#if PG_VERSION_NUM >= 170000
    const PGPROC *proc = ProcNumberGetProc(slot);
    return proc != nullptr && lxid != InvalidLocalTransactionId && proc->vxid.lxid == lxid;
#else
    const PGPROC *proc = BackendIdGetProc(slot + 1);
    return proc != nullptr && lxid != InvalidLocalTransactionId && proc->lxid == lxid;
#endif
}

// Memory that the settings machinery will free; nullptr when there is none.
inline void *setting_alloc(Size size) {
#if PG_VERSION_NUM >= 160000
    return guc_malloc(LOG, size);
#else
    return malloc(size); // NOLINT: guc.c of version 15 frees it with free()
#endif
}

// Whether a query names this relation, rather than the planner having added it for its parent.
inline bool is_named_in_query(const RangeTblEntry &entry) {
#if PG_VERSION_NUM >= 160000
    return entry.perminfoindex != 0;
#else
    return entry.requiredPerms != 0;
#endif
}

} // namespace tenancy::pg
