-- Checks of request bodies and query values, and how a route refuses. Bad input is an answer (422), never
-- an exception: what is wrong is found before anything is cast.

-- The tables have a CHECK of their own each.
CREATE FUNCTION agent.session_id_rule() RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{"session_id": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,128}$"}}'::jsonb;
COMMENT ON FUNCTION agent.session_id_rule() IS 'The rule of a body''s session_id, as agent.invalid_fields() takes it';
REVOKE ALL ON FUNCTION agent.session_id_rule() FROM PUBLIC;

CREATE FUNCTION agent.parse_time(input text) RETURNS timestamptz
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO'
AS $$
BEGIN
    IF input !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?$' THEN
        RETURN NULL;
    END IF;
    RETURN input::timestamptz;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION agent.parse_time(text) IS
    'ISO 8601 date or time as an instant, UTC where no offset is given; NULL when it is none';
REVOKE ALL ON FUNCTION agent.parse_time(text) FROM PUBLIC;

CREATE FUNCTION agent.field_verdicts(body jsonb, rules jsonb) RETURNS jsonb
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pgt_field_verdicts';
COMMENT ON FUNCTION agent.field_verdicts(jsonb, jsonb) IS
    'What is wrong with the members of a body by {field: rule}: {field: kind of error}; NULL when nothing is. '
    'A rule has type (string, integer, number, boolean, object, list, time, any of types) '
    'and may have required, min, max, pattern, one_of, items (the type of a list''s), expected (for the message)';
REVOKE ALL ON FUNCTION agent.field_verdicts(jsonb, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.field_error(kind text, loc jsonb, input jsonb, rule jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT pg_catalog.jsonb_build_object('type', kind, 'loc', loc,
        'msg', CASE kind
            WHEN 'missing' THEN 'Field required'
            WHEN 'string_type' THEN 'Input should be a valid string'
            WHEN 'string_pattern_mismatch' THEN 'String should match pattern ''' || (rule ->> 'pattern') || ''''
            WHEN 'string_too_long' THEN 'String should have at most ' || (rule ->> 'max') || ' characters'
            WHEN 'datetime_parsing' THEN 'Input should be a valid datetime'
            WHEN 'bool_type' THEN 'Input should be a valid boolean'
            WHEN 'list_type' THEN 'Input should be a valid list'
            WHEN 'too_short' THEN 'List should have at least ' || (rule ->> 'min') || ' item after validation, not 0'
            WHEN 'int_parsing' THEN 'Input should be a valid integer, unable to parse string as an integer'
            WHEN 'int_type' THEN 'Input should be a valid integer'
            WHEN 'float_type' THEN 'Input should be a valid number'
            WHEN 'greater_than_equal' THEN 'Input should be greater than or equal to ' || (rule ->> 'min')
            WHEN 'less_than_equal' THEN 'Input should be less than or equal to ' || (rule ->> 'max')
            WHEN 'dict_type' THEN 'Input should be a valid dictionary'
            ELSE 'Input should be ' || (rule ->> 'expected') END,
        'input', CASE WHEN pg_catalog.octet_length(input::text) <= 256 THEN input
            ELSE pg_catalog.to_jsonb(pg_catalog.left(input::text, 64) || '...') END);
END;
COMMENT ON FUNCTION agent.field_error(text, jsonb, jsonb, jsonb) IS
    'One entry of a 422 answer: type, loc, msg and the input, long inputs cut';
REVOKE ALL ON FUNCTION agent.field_error(text, jsonb, jsonb, jsonb) FROM PUBLIC;

CREATE FUNCTION agent.invalid_fields(body jsonb, place text, rules jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kinds jsonb;
BEGIN
    IF jsonb_typeof(body) NOT IN ('object', 'null') THEN
        RETURN jsonb_build_array(agent.field_error('dict_type', '["body"]', body, NULL));
    END IF;
    kinds := agent.field_verdicts(body, rules);
    IF kinds IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN (
        SELECT jsonb_agg(agent.field_error(k.value, jsonb_build_array(place, k.key), body -> k.key, rules -> k.key)
            ORDER BY k.key COLLATE "C")
        FROM jsonb_each_text(kinds) AS k);
END
$$;
COMMENT ON FUNCTION agent.invalid_fields(jsonb, text, jsonb) IS
    'All that is wrong with a body by {field: rule}, as the detail of a 422 answer; NULL when nothing is. '
    'Fields without a rule are ignored';
REVOKE ALL ON FUNCTION agent.invalid_fields(jsonb, text, jsonb) FROM PUBLIC;
