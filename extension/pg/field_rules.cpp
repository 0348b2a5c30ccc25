// Checks the members of a JSON object by rules, for agent.invalid_fields():
// sql/install/58-validation.sql declares it and says what a rule may have. Every request is
// checked, hence not in PL/pgSQL.
#include "pg/postgres.hpp"

#include "pg/own_function.hpp"

#include <cstring>
#include <string_view>

namespace tenancy::pg {

namespace {

constexpr int kMostDigits = 15;
constexpr int64 kTooMuch = 1'000'000'000'000'000;

// Of an object; null when there is no such member.
const JsonbValue *member(JsonbContainer *object, std::string_view name, JsonbValue *to) {
    return getKeyJsonValueFromContainer(object, name.data(), static_cast<int>(name.size()), to);
}

std::string_view text_of(const JsonbValue &value) {
    return {value.val.string.val, static_cast<size_t>(value.val.string.len)};
}

bool is_text(const JsonbValue *value, std::string_view text) {
    return value != nullptr && value->type == jbvString && text_of(*value) == text;
}

std::string_view shape_of(const JsonbValue &value) {
    switch (value.type) {
    case jbvNull:
        return "null";
    case jbvString:
        return "string";
    case jbvNumeric:
        return "number";
    case jbvBool:
        return "boolean";
    default:
        return JsonContainerIsArray(value.val.binary.data) ? "array" : "object";
    }
}

// A number that a rule has, such as its max.
const JsonbValue *number_of(JsonbContainer *rule, std::string_view name, JsonbValue *to) {
    const JsonbValue *found = member(rule, name, to);
    if (found != nullptr && found->type != jbvNumeric)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the rule's \"%.*s\" is not a number", static_cast<int>(name.size()),
                               name.data())));
    return found;
}

bool is_less(Numeric a, Numeric b) {
    return DatumGetBool(DirectFunctionCall2(numeric_lt, NumericGetDatum(a), NumericGetDatum(b)));
}

// In the elements of an array that the rule has.
bool lists(JsonbContainer *rule, std::string_view name, JsonbValue *wanted) {
    JsonbValue list;
    const JsonbValue *found = member(rule, name, &list);
    return found != nullptr && found->type == jbvBinary &&
           JsonContainerIsArray(found->val.binary.data) &&
           findJsonbValueFromContainer(found->val.binary.data, JB_FARRAY, wanted) != nullptr;
}

const char *judge_number(Numeric number, JsonbContainer *rule) {
    JsonbValue bound;
    JsonbValue wanted;
    wanted.type = jbvNumeric;
    wanted.val.numeric = number;
    if (member(rule, "one_of", &bound) != nullptr && !lists(rule, "one_of", &wanted))
        return "literal_error";
    if (const JsonbValue *min = number_of(rule, "min", &bound))
        if (is_less(number, min->val.numeric))
            return "greater_than_equal";
    if (const JsonbValue *max = number_of(rule, "max", &bound))
        if (is_less(max->val.numeric, number))
            return "less_than_equal";
    return nullptr;
}

bool is_huge(Numeric number) {
    return is_less(int64_to_numeric(kTooMuch), number) ||
           is_less(number, int64_to_numeric(-kTooMuch));
}

// A number without a fraction, or its text, of at most kMostDigits digits.
const char *judge_integer(const JsonbValue &value, JsonbContainer *rule) {
    const char *const wrong = value.type == jbvString ? "int_parsing" : "int_type";
    if (value.type != jbvString && value.type != jbvNumeric)
        return wrong;
    if (value.type == jbvNumeric && is_huge(value.val.numeric))
        return wrong; // its text could have 131,072 digits
    const std::string_view text =
        value.type == jbvString
            ? text_of(value)
            : DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value.val.numeric)));
    const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
    if (digits.empty() || digits.size() > kMostDigits ||
        digits.find_first_not_of("0123456789") != std::string_view::npos)
        return wrong;
    int64 number = 0;
    for (const char digit : digits)
        number = 10 * number + (digit - '0');
    return judge_number(int64_to_numeric(text.starts_with('-') ? -number : number), rule);
}

bool matches(const JsonbValue &value, const JsonbValue &pattern) {
    return DatumGetBool(DirectFunctionCall2Coll(
        textregexeq, DEFAULT_COLLATION_OID,
        PointerGetDatum(cstring_to_text_with_len(value.val.string.val, value.val.string.len)),
        PointerGetDatum(cstring_to_text_with_len(pattern.val.string.val, pattern.val.string.len))));
}

const char *judge_string(const JsonbValue &value, JsonbContainer *rule) {
    if (value.type != jbvString)
        return "string_type";
    JsonbValue found;
    const JsonbValue *pattern = member(rule, "pattern", &found);
    if (pattern != nullptr && pattern->type == jbvString && !matches(value, *pattern))
        return "string_pattern_mismatch";
    if (const JsonbValue *max = number_of(rule, "max", &found)) {
        const int length = pg_mbstrlen_with_len(value.val.string.val, value.val.string.len);
        if (is_less(max->val.numeric, int64_to_numeric(length)))
            return "string_too_long";
    }
    return nullptr;
}

bool has_other_element(JsonbContainer *array, const JsonbValue &wanted) {
    JsonbIterator *iterator = JsonbIteratorInit(array);
    JsonbValue element;
    (void)JsonbIteratorNext(&iterator, &element, true); // the array itself
    while (JsonbIteratorNext(&iterator, &element, true) == WJB_ELEM) {
        CHECK_FOR_INTERRUPTS();
        if (!is_text(&wanted, shape_of(element)))
            return true;
    }
    return false;
}

const char *judge_list(const JsonbValue &value, JsonbContainer *rule) {
    if (shape_of(value) != "array")
        return "list_type";
    JsonbContainer *const array = value.val.binary.data;
    JsonbValue found;
    if (const JsonbValue *min = number_of(rule, "min", &found))
        if (is_less(int64_to_numeric(JsonContainerSize(array)), min->val.numeric))
            return "too_short";
    const JsonbValue *items = member(rule, "items", &found);
    return items != nullptr && has_other_element(array, *items) ? "value_error" : nullptr;
}

const char *judge_any(const JsonbValue &value, JsonbContainer *rule) {
    const std::string_view shape = shape_of(value);
    JsonbValue wanted;
    wanted.type = jbvString;
    wanted.val.string.val = const_cast<char *>(shape.data()); // only read
    wanted.val.string.len = static_cast<int>(shape.size());
    return lists(rule, "types", &wanted) ? nullptr : "value_error";
}

// agent.parse_time(text) knows which times are taken.
const char *judge_time(const JsonbValue &value) {
    if (value.type != jbvString)
        return "datetime_parsing";
    const Oid types[1] = {TEXTOID};
    FmgrInfo flinfo;
    fmgr_info(own_function("agent", "parse_time", types, lengthof(types)), &flinfo);
    LOCAL_FCINFO(call, 1);
    InitFunctionCallInfoData(*call, &flinfo, 1, InvalidOid, nullptr, nullptr);
    call->args[0].value =
        PointerGetDatum(cstring_to_text_with_len(value.val.string.val, value.val.string.len));
    call->args[0].isnull = false;
    (void)FunctionCallInvoke(call);
    return call->isnull ? "datetime_parsing" : nullptr;
}

// The kind of error, or null. The kinds are those of the usual validation library of Python
// servers.
const char *judge(const JsonbValue *value, JsonbContainer *rule) {
    JsonbValue found;
    if (value == nullptr || value->type == jbvNull)
        return member(rule, "required", &found) != nullptr ? "missing" : nullptr;
    const JsonbValue *type = member(rule, "type", &found);
    if (is_text(type, "string"))
        return judge_string(*value, rule);
    if (is_text(type, "integer"))
        return judge_integer(*value, rule);
    if (is_text(type, "number"))
        return value->type == jbvNumeric ? judge_number(value->val.numeric, rule) : "float_type";
    if (is_text(type, "boolean"))
        return value->type == jbvBool ? nullptr : "bool_type";
    if (is_text(type, "object"))
        return shape_of(*value) == "object" ? nullptr : "dict_type";
    if (is_text(type, "list"))
        return judge_list(*value, rule);
    if (is_text(type, "any"))
        return judge_any(*value, rule);
    if (is_text(type, "time"))
        return judge_time(*value);
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a rule has no such type"),
                    errhint("Types are string, integer, number, boolean, object, list, any and "
                            "time.")));
    return nullptr;
}

void add(JsonbParseState **state, const JsonbValue &name, const char *kind) {
    if (*state == nullptr)
        (void)pushJsonbValue(state, WJB_BEGIN_OBJECT, nullptr);
    JsonbValue key = name;
    JsonbValue value;
    value.type = jbvString;
    value.val.string.val = const_cast<char *>(kind); // only read
    value.val.string.len = static_cast<int>(std::strlen(kind));
    (void)pushJsonbValue(state, WJB_KEY, &key);
    (void)pushJsonbValue(state, WJB_VALUE, &value);
}

} // namespace

extern "C" {

PG_FUNCTION_INFO_V1(pgt_field_verdicts);

// agent.field_verdicts(body jsonb, rules jsonb) -> jsonb
Datum pgt_field_verdicts(PG_FUNCTION_ARGS) {
    if (PG_ARGISNULL(1))
        PG_RETURN_NULL();
    Jsonb *body = PG_ARGISNULL(0) ? nullptr : PG_GETARG_JSONB_P(0);
    if (body != nullptr && !JB_ROOT_IS_OBJECT(body))
        body = nullptr;
    JsonbParseState *state = nullptr;
    JsonbIterator *iterator = JsonbIteratorInit(&PG_GETARG_JSONB_P(1)->root);
    JsonbValue name;
    JsonbIteratorToken token = WJB_DONE;
    while ((token = JsonbIteratorNext(&iterator, &name, true)) != WJB_DONE) {
        CHECK_FOR_INTERRUPTS();
        if (token != WJB_KEY)
            continue;
        JsonbValue rule;
        JsonbValue found;
        (void)JsonbIteratorNext(&iterator, &rule, true);
        if (shape_of(rule) != "object")
            ereport(ERROR,
                    (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a rule is not an object")));
        const JsonbValue *value =
            body == nullptr ? nullptr : member(&body->root, text_of(name), &found);
        if (const char *kind = judge(value, rule.val.binary.data))
            add(&state, name, kind);
    }
    if (state == nullptr)
        PG_RETURN_NULL();
    PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, nullptr)));
}

} // extern "C"

} // namespace tenancy::pg
