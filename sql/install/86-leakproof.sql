-- leakproof_operators(): lets conditions on numeric and enum columns use an index again. PostgreSQL gives an
-- index no condition of the query before the wall has passed the row, unless the operator's function is
-- LEAKPROOF; these are not, for no reason but that nobody said so. pg_dump and pg_upgrade lose it.

-- Reviewed in PostgreSQL 15's sources. A function belongs here if whether it raises an error, and all that it
-- does but return, cannot depend on the values. That time depends on them a little is so of all LEAKPROOF
-- comparisons, text's too. Left out, as it cannot be shown of them: LIKE ("must not end with escape character"
-- comes when the match gets that far), the order of enums (looks values up, the error names them), jsonb and
-- arrays (stack depth; the elements' own functions), and lower() and other functions that make new values.
CREATE FUNCTION tenancy.leakproof_functions() RETURNS TABLE (signature text, reason text)
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT f.signature, f.reason FROM (VALUES
        -- numeric.c, cmp_numerics(): NaN and infinities have an order, digits are compared, nothing is raised.
        ('numeric_eq(numeric,numeric)', 'compares digits in place, without an error for any value'),
        ('numeric_ne(numeric,numeric)', 'the same'),
        ('numeric_lt(numeric,numeric)', 'the same'),
        ('numeric_le(numeric,numeric)', 'the same'),
        ('numeric_gt(numeric,numeric)', 'the same'),
        ('numeric_ge(numeric,numeric)', 'the same'),
        -- enum.c, enum_eq() and enum_ne(): no catalog is read.
        ('enum_eq(anyenum,anyenum)', 'compares two numbers, as oideq(), which is LEAKPROOF, does'),
        ('enum_ne(anyenum,anyenum)', 'the same')
    ) AS f (signature, reason);
END;
COMMENT ON FUNCTION tenancy.leakproof_functions() IS
    'Functions of pg_catalog that leakproof_operators() marks, and why they tell nothing of the values they compare';
REVOKE ALL ON FUNCTION tenancy.leakproof_functions() FROM PUBLIC;

CREATE FUNCTION tenancy.leakproof_operators(dry_run boolean DEFAULT true)
    RETURNS TABLE (statement text, reason text, done boolean)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    one record;
BEGIN
    IF NOT coalesce(dry_run, true) AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        RAISE EXCEPTION 'only a superuser can mark functions LEAKPROOF' USING ERRCODE = 'insufficient_privilege',
            HINT = 'Call tenancy.leakproof_operators(dry_run => false) as one, in each database.';
    END IF;
    FOR one IN
        SELECT format('ALTER FUNCTION pg_catalog.%s LEAKPROOF', f.signature) AS statement, f.reason, f.signature::regprocedure AS function
        FROM tenancy.leakproof_functions() f
    LOOP
        IF NOT coalesce(dry_run, true) AND NOT (SELECT p.proleakproof FROM pg_proc p WHERE p.oid = one.function) THEN
            EXECUTE one.statement;
        END IF;
        RETURN QUERY SELECT one.statement, one.reason, p.proleakproof FROM pg_proc p WHERE p.oid = one.function;
    END LOOP;
END
$$;
COMMENT ON FUNCTION tenancy.leakproof_operators(boolean) IS
    'Marks the functions of tenancy.leakproof_functions() LEAKPROOF in this database, so that conditions with them can use an index behind the wall; lists each statement, why it is safe, and whether it is in force. Carries them out only with dry_run => false';
REVOKE ALL ON FUNCTION tenancy.leakproof_operators(boolean) FROM PUBLIC;
