// The rules of the rows that a turn leaves: sql/install/56-record-rules.sql declares them and makes
// one CHECK of each. PostgreSQL reads the text of every CHECK of a table again in each statement
// that writes to it: column by column that took a quarter of a turn.
#include "pg/postgres.hpp"

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <string_view>

namespace tenancy::pg {

namespace {

using Names = std::initializer_list<const char *>;

struct Row {
    TupleDesc desc;
    Datum *values;
    bool *nulls;
};

// The first argument, with its columns' descriptions until ReleaseTupleDesc().
Row row_argument(FunctionCallInfo fcinfo) {
    HeapTupleHeader header = PG_GETARG_HEAPTUPLEHEADER(0);
    TupleDesc desc =
        lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header), HeapTupleHeaderGetTypMod(header));
    const auto columns = static_cast<Size>(desc->natts);
    const Row row{desc, static_cast<Datum *>(palloc(columns * sizeof(Datum))),
                  static_cast<bool *>(palloc(columns * sizeof(bool)))};
    HeapTupleData tuple{};
    tuple.t_len = HeapTupleHeaderGetDatumLength(header);
    tuple.t_data = header;
    heap_deform_tuple(&tuple, desc, row.values, row.nulls);
    return row;
}

// By name, so that no order of columns is taken for granted.
int column(const Row &row, const char *name) {
    for (int i = 0; i < row.desc->natts; i++)
        if (std::strcmp(name, NameStr(TupleDescAttr(row.desc, i)->attname)) == 0)
            return i;
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
                    errmsg("%s has no column \"%s\"", format_type_be(row.desc->tdtypeid), name),
                    errdetail("A rule of its rows reads that column."),
                    errhint("Give the column its name back. The tables of pg_tenancy are not for "
                            "changes of existing columns.")));
    return 0;
}

bool is_null(const Row &row, const char *name) {
    return row.nulls[column(row, name)];
}

std::string_view bytes_of(Datum value) {
    const struct varlena *bytes = PG_DETOAST_DATUM_PACKED(value);
    return {VARDATA_ANY(bytes), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(bytes))};
}

// Of a text or bytea; of null there are none.
std::string_view bytes(const Row &row, const char *name) {
    const int at = column(row, name);
    return row.nulls[at] ? std::string_view{} : bytes_of(row.values[at]);
}

// Of an integer or bigint; null is 0.
std::int64_t number(const Row &row, const char *name) {
    const int at = column(row, name);
    if (row.nulls[at])
        return 0;
    return TupleDescAttr(row.desc, at)->atttypid == INT4OID ? DatumGetInt32(row.values[at])
                                                            : DatumGetInt64(row.values[at]);
}

// As in any CHECK, null keeps each rule from here on.

bool are_amounts(const Row &row, Names names) {
    return std::all_of(names.begin(), names.end(),
                       [&](const char *name) { return number(row, name) >= 0; });
}

bool is_one_of(const Row &row, const char *name, Names words) {
    return is_null(row, name) ||
           std::find(words.begin(), words.end(), bytes(row, name)) != words.end();
}

// In characters.
bool is_length(const Row &row, const char *name, int least, int most) {
    if (is_null(row, name))
        return true;
    const std::string_view text = bytes(row, name);
    const int length = pg_mbstrlen_with_len(text.data(), static_cast<int>(text.size()));
    return length >= least && length <= most;
}

// ^[A-Za-z0-9_-]{1,128}$
bool is_session_id(const Row &row, const char *name) {
    if (is_null(row, name))
        return true;
    const std::string_view id = bytes(row, name);
    return !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-';
    });
}

bool is_encoded(std::string_view text) {
    return pg_verifymbstr(text.data(), static_cast<int>(text.size()), true);
}

bool is_encoded(Datum value, Oid type) {
    if (type == JSONBOID) {
        Jsonb *json = DatumGetJsonbP(value);
        return is_encoded(JsonbToCString(nullptr, &json->root, VARSIZE(json)));
    }
    if (type != TEXTARRAYOID)
        return is_encoded(bytes_of(value));
    Datum *items = nullptr;
    bool *nulls = nullptr;
    int count = 0;
    deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls,
                      &count);
    for (int i = 0; i < count; i++)
        if (!nulls[i] && !is_encoded(bytes_of(items[i])))
            return false;
    return true;
}

// tenancy.is_text() of text, text[] and jsonb.
bool are_texts(const Row &row, Names names) {
    return std::all_of(names.begin(), names.end(), [&](const char *name) {
        const int at = column(row, name);
        return row.nulls[at] || is_encoded(row.values[at], TupleDescAttr(row.desc, at)->atttypid);
    });
}

bool is_array_of_objects(Jsonb *json) {
    if (!JB_ROOT_IS_ARRAY(json) || JB_ROOT_IS_SCALAR(json))
        return false;
    JsonbIterator *iterator = JsonbIteratorInit(&json->root);
    JsonbValue element;
    (void)JsonbIteratorNext(&iterator, &element, true); // the array itself
    while (JsonbIteratorNext(&iterator, &element, true) == WJB_ELEM) {
        CHECK_FOR_INTERRUPTS();
        if (element.type != jbvBinary || !JsonContainerIsObject(element.val.binary.data))
            return false;
    }
    return true;
}

bool is_turn(const Row &row) {
    return is_one_of(row, "status", {"open", "ok", "error", "aborted", "expired"}) &&
           (bytes(row, "status") == "open") == is_null(row, "ended_at") &&
           bytes(row, "ticket_hash").size() == 32 && is_session_id(row, "session_id") &&
           are_amounts(row, {"hold_picodollars", "hold_tokens", "input_token_bound", "rate_tokens",
                             "metered_output_tokens"}) &&
           are_texts(row, {"request_id", "model", "fallback_models", "model_label", "instance_id",
                           "input"});
}

// Each part is at most the whole, so the wholes need no rule of their own against less than 0.
bool is_usage(const Row &row) {
    return are_amounts(row, {"input_tokens", "cached_input_tokens", "cache_write_tokens",
                             "reasoning_tokens", "requests", "cost_picodollars"}) &&
           number(row, "cached_input_tokens") <=
               number(row, "input_tokens") - number(row, "cache_write_tokens") &&
           number(row, "reasoning_tokens") <= number(row, "output_tokens") &&
           are_texts(row, {"model", "admitted_model", "price_id"});
}

// Texts first: of other bytes no length can be told.
bool is_trace(const Row &row) {
    return are_texts(row, {"trace_id", "session_id", "model", "traceparent"}) &&
           is_one_of(row, "status", {"open", "ok", "error", "aborted"}) &&
           is_length(row, "trace_id", 1, 64);
}

bool is_span(const Row &row) {
    return is_one_of(row, "status", {"ok", "error", "aborted"}) &&
           are_texts(row, {"span_id", "parent_span_id", "name", "attributes", "events"});
}

// Texts first, as above.
bool is_audit_row(const Row &row) {
    return are_texts(row, {"resource_type", "resource_id", "reason", "trace_id", "session_id",
                           "request_id"}) &&
           is_length(row, "resource_type", 0, 64) && is_length(row, "resource_id", 0, 128) &&
           is_length(row, "reason", 0, 256) &&
           is_one_of(row, "outcome", {"allow", "deny", "error"}) &&
           (is_null(row, "status") ||
            (number(row, "status") >= 100 && number(row, "status") <= 599));
}

Datum verdict(FunctionCallInfo fcinfo, bool (*rule)(const Row &)) {
    const Row row = row_argument(fcinfo);
    const bool is_kept = rule(row);
    ReleaseTupleDesc(row.desc);
    return BoolGetDatum(is_kept);
}

} // namespace

extern "C" {

PG_FUNCTION_INFO_V1(pgt_is_messages);
PG_FUNCTION_INFO_V1(pgt_is_turn);
PG_FUNCTION_INFO_V1(pgt_is_usage);
PG_FUNCTION_INFO_V1(pgt_is_trace);
PG_FUNCTION_INFO_V1(pgt_is_span);
PG_FUNCTION_INFO_V1(pgt_is_audit_row);

// (jsonb) -> false for null, too
Datum pgt_is_messages(PG_FUNCTION_ARGS) {
    PG_RETURN_BOOL(!PG_ARGISNULL(0) && is_array_of_objects(PG_GETARG_JSONB_P(0)));
}

// (agent.turns)
Datum pgt_is_turn(PG_FUNCTION_ARGS) {
    return verdict(fcinfo, is_turn);
}

// (agent.usage)
Datum pgt_is_usage(PG_FUNCTION_ARGS) {
    return verdict(fcinfo, is_usage);
}

// (agent.traces)
Datum pgt_is_trace(PG_FUNCTION_ARGS) {
    return verdict(fcinfo, is_trace);
}

// (agent.spans)
Datum pgt_is_span(PG_FUNCTION_ARGS) {
    return verdict(fcinfo, is_span);
}

// (agent.audit_log)
Datum pgt_is_audit_row(PG_FUNCTION_ARGS) {
    return verdict(fcinfo, is_audit_row);
}

} // extern "C"

} // namespace tenancy::pg
