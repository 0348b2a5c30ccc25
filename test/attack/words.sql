-- The words that attacks are written in. All run with the attacker's rights, and answer with one line,
-- "ok - CLAIM" or "not ok - CLAIM", where a claim starts with the row of the catalogue that it is about.
CREATE SCHEMA attack;
GRANT USAGE ON SCHEMA attack TO attack_app;

-- What a statement gives: its rows as text, or its error. What it did is undone.
CREATE FUNCTION attack.outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text;
    answer text := '';
BEGIN
    IF statement ~* '^\s*(SELECT|EXPLAIN|WITH|TABLE|VALUES|SHOW)\M' OR statement ~* '\mRETURNING\M' THEN
        FOR line IN EXECUTE CASE WHEN statement ~* '^\s*(EXPLAIN|SHOW)\M' THEN statement
                ELSE 'WITH answer AS (' || statement || ') SELECT answer::text FROM answer' END LOOP
            answer := answer || line || ' ';
        END LOOP;
    ELSE
        EXECUTE statement;
    END IF;
    RAISE EXCEPTION 'undo' USING ERRCODE = 'UNDO0';
EXCEPTION WHEN OTHERS THEN
    RETURN CASE WHEN sqlstate = 'UNDO0' THEN answer ELSE sqlstate || ': ' || translate(sqlerrm, E'\n', ' ') END;
END $$;

-- A hot standby refuses what would write, whoever asks.
CREATE FUNCTION attack.refused_by_standby(state text) RETURNS boolean LANGUAGE sql AS $$ SELECT pg_is_in_recovery() AND state = '25006' $$;

-- The statement is refused, with one of these SQLSTATEs. One that goes through is undone.
CREATE FUNCTION attack.refused(claim text, statement text, states text DEFAULT '42501') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RAISE EXCEPTION 'it went through' USING ERRCODE = 'UNDO0';
EXCEPTION WHEN OTHERS THEN
    RETURN CASE WHEN sqlstate = ANY (string_to_array(states, ' ')) OR attack.refused_by_standby(sqlstate) THEN format('ok - %s', claim)
        ELSE format('not ok - %s: "%s" gave %s %s', claim, left(statement, 120), sqlstate, sqlerrm) END;
END $$;

-- The statement gives exactly this, or is refused.
CREATE FUNCTION attack.gives(claim text, statement text, wanted text) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN rtrim(o) IN (wanted, '(' || wanted || ')') OR o ~ '^(42501|PT401):' OR attack.refused_by_standby(left(o, 5)) THEN 'ok - ' || claim
        ELSE format('not ok - %s: "%s" gave %s', claim, left(statement, 120), left(o, 200)) END FROM attack.outcome(statement) o $$;

-- Two statements cannot be told apart by what they give: the first asks for what only the other tenant has,
-- the second for what nobody has.
CREATE FUNCTION attack.alike(claim text, about_theirs text, about_nobodys text) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN a = b THEN 'ok - ' || claim ELSE format('not ok - %s: "%s" gave %s, the other %s', claim, left(about_theirs, 120), left(a, 160), left(b, 160)) END
    FROM attack.outcome(about_theirs) a, attack.outcome(about_nobodys) b $$;

CREATE FUNCTION attack.holds(claim text, truth boolean) RETURNS text LANGUAGE sql AS
    $$ SELECT CASE WHEN truth THEN 'ok - ' ELSE 'not ok - ' END || claim $$;
-- A condition that tells what it is given, and is so cheap that it comes first where nothing forbids it.
CREATE FUNCTION attack.tells(value text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN
    RAISE NOTICE '%', value;
    RETURN true;
END $$;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA attack TO attack_app;
