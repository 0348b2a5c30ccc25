-- hot_row.sql: the plain design, where a counter is a row and a hold is a conditional UPDATE of it.
CREATE TABLE bench.counters (tenant_id text PRIMARY KEY, used bigint NOT NULL, lim bigint NOT NULL) WITH (fillfactor = 20);
INSERT INTO bench.counters VALUES ('tenant-1', 0, 9000000000000000000);

CREATE OR REPLACE FUNCTION bench.hold(OUT turn bigint, OUT at timestamptz) LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    at := clock_timestamp();
    UPDATE bench.counters c SET used = c.used + 100 WHERE c.tenant_id = 'tenant-1' AND c.used + 100 <= c.lim;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'over the limit';
    END IF;
    INSERT INTO bench.holds (tenant_id, money, at) VALUES ('tenant-1', 100, at) RETURNING turn_id INTO turn;
END $$;
CREATE OR REPLACE FUNCTION bench.settle(turn bigint, at timestamptz) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    DELETE FROM bench.holds h WHERE h.tenant_id = 'tenant-1' AND h.turn_id = turn;
    INSERT INTO bench.charges VALUES ('tenant-1', turn, 40, at);
    UPDATE bench.counters c SET used = c.used - 60 WHERE c.tenant_id = 'tenant-1';
END $$;

-- The routes of the extension, with such counters instead of its own.
CREATE OR REPLACE FUNCTION tenancy.hold(turn tenancy.turn_scope, money bigint, tokens bigint) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE bench.counters c SET used = c.used + money WHERE c.tenant_id = turn.tenant_id AND c.used + money <= c.lim;
    RETURN CASE WHEN NOT FOUND THEN '{"code": "insufficient_quota"}'::jsonb END;
END $$;
CREATE OR REPLACE FUNCTION tenancy.settle(turn tenancy.turn_scope, held_money bigint, held_tokens bigint,
    charged_money bigint, charged_tokens bigint, ended_turns int) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE bench.counters c SET used = c.used + charged_money - held_money WHERE c.tenant_id = turn.tenant_id;
END $$;
