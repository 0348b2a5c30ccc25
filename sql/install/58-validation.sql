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
    IF input !~ '^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?$' THEN
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

-- The kinds are those of the usual validation library of Python servers, so clients know them.
CREATE FUNCTION agent.field_verdict(value jsonb, rule jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    shape text := jsonb_typeof(value);
    scalar text := value #>> '{}';
BEGIN
    IF value IS NULL OR shape = 'null' THEN
        RETURN CASE WHEN rule ? 'required' THEN 'missing' END;
    END IF;
    CASE rule ->> 'type'
        WHEN 'string' THEN
            RETURN CASE WHEN shape <> 'string' THEN 'string_type'
                WHEN scalar !~ (rule ->> 'pattern') THEN 'string_pattern_mismatch'
                WHEN char_length(scalar) > (rule ->> 'max')::int THEN 'string_too_long' END;
        WHEN 'time' THEN
            RETURN CASE WHEN shape <> 'string' OR agent.parse_time(scalar) IS NULL
                THEN 'datetime_parsing' END;
        WHEN 'boolean' THEN
            RETURN CASE WHEN shape <> 'boolean' THEN 'bool_type' END;
        WHEN 'object' THEN
            RETURN CASE WHEN shape <> 'object' THEN 'dict_type' END;
        WHEN 'list' THEN
            RETURN CASE WHEN shape <> 'array' THEN 'list_type'
                WHEN jsonb_array_length(value) < (rule ->> 'min')::int THEN 'too_short'
                WHEN jsonb_path_exists(value, 'strict $[*] ? (@.type() != $items)', jsonb_build_object('items', rule -> 'items'))
                    AND rule ? 'items' THEN 'value_error' END;
        WHEN 'any' THEN
            RETURN CASE WHEN NOT rule -> 'types' ? shape THEN 'value_error' END;
        WHEN 'integer' THEN
            IF shape NOT IN ('number', 'string') OR scalar !~ '^-?[0-9]{1,15}$' THEN
                RETURN CASE shape WHEN 'string' THEN 'int_parsing' ELSE 'int_type' END;
            END IF;
        ELSE
            IF shape <> 'number' THEN
                RETURN 'float_type';
            END IF;
    END CASE;
    RETURN CASE WHEN NOT rule -> 'one_of' @> to_jsonb(scalar::numeric) THEN 'literal_error'
        WHEN scalar::numeric < (rule ->> 'min')::numeric THEN 'greater_than_equal'
        WHEN scalar::numeric > (rule ->> 'max')::numeric THEN 'less_than_equal' END;
END
$$;
COMMENT ON FUNCTION agent.field_verdict(jsonb, jsonb) IS
    'What is wrong with a value: NULL or the kind of error. '
    'A rule has type (string, integer, number, boolean, object, list, time, any of types) '
    'and may have required, min, max, pattern, one_of, items (the type of a list''s), expected (for the message)';
REVOKE ALL ON FUNCTION agent.field_verdict(jsonb, jsonb) FROM PUBLIC;

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
    name text;
    rule jsonb;
    kind text;
    errors jsonb;
BEGIN
    IF jsonb_typeof(body) NOT IN ('object', 'null') THEN
        RETURN jsonb_build_array(agent.field_error('dict_type', '["body"]', body, NULL));
    END IF;
    FOR name, rule IN
        SELECT r.key, r.value FROM jsonb_each(rules) AS r
        WHERE body ? r.key OR r.value ? 'required' ORDER BY r.key COLLATE "C"
    LOOP
        kind := agent.field_verdict(body -> name, rule);
        IF kind IS NOT NULL THEN
            errors := coalesce(errors, '[]') || agent.field_error(kind, jsonb_build_array(place, name), body -> name, rule);
        END IF;
    END LOOP;
    RETURN errors;
END
$$;
COMMENT ON FUNCTION agent.invalid_fields(jsonb, text, jsonb) IS
    'All that is wrong with a body by {field: rule}, as the detail of a 422 answer; NULL when nothing is. '
    'Fields without a rule are ignored';
REVOKE ALL ON FUNCTION agent.invalid_fields(jsonb, text, jsonb) FROM PUBLIC;
