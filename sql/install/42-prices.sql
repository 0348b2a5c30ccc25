-- Prices of models. Money is bigint picodollars (1e-12 USD), never floating point: one USD per million
-- tokens is 1,000,000 picodollars per token.

CREATE TABLE tenancy.prices (
    model        text COLLATE "C" NOT NULL CHECK (octet_length(model) BETWEEN 1 AND 256),
    valid_from   timestamptz NOT NULL,
    input        bigint NOT NULL CHECK (input >= 0),
    cached_input bigint NOT NULL CHECK (cached_input >= 0),
    cache_write  bigint NOT NULL CHECK (cache_write >= 0),
    output       bigint NOT NULL CHECK (output >= 0),
    reasoning    bigint NOT NULL CHECK (reasoning >= 0),
    per_request  bigint NOT NULL CHECK (per_request >= 0),
    PRIMARY KEY (model, valid_from)
);
COMMENT ON TABLE tenancy.prices IS
    'Picodollars per token (per_request: per request) of each model from a time on; a charge keeps the price it was made with';
REVOKE ALL ON tenancy.prices FROM PUBLIC;

CREATE FUNCTION tenancy.to_picodollars(usd numeric, per_unit numeric, what text) RETURNS bigint
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.require(usd <> 'NaN' AND usd >= 0 AND usd <= 9000000,
        what || ' is not an amount of money', 'Give USD between 0 and 9000000; NaN and infinity are none.');
    PERFORM tenancy.require(usd * per_unit = trunc(usd * per_unit),
        what || ' is finer than a picodollar', 'Give at most 6 decimal places per million tokens, 12 per request.');
    RETURN usd * per_unit;
END
$$;
COMMENT ON FUNCTION tenancy.to_picodollars(numeric, numeric, text) IS
    'Internal: USD as picodollars per unit, exact or refused (22023)';
REVOKE ALL ON FUNCTION tenancy.to_picodollars(numeric, numeric, text) FROM PUBLIC;

CREATE FUNCTION tenancy.set_price(
        model text, input_usd_per_mtok numeric, output_usd_per_mtok numeric,
        cached_input_usd_per_mtok numeric DEFAULT NULL, cache_write_usd_per_mtok numeric DEFAULT NULL,
        reasoning_usd_per_mtok numeric DEFAULT NULL, per_request_usd numeric DEFAULT 0,
        valid_from timestamptz DEFAULT now()) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
    PERFORM tenancy.require(octet_length(model) BETWEEN 1 AND 256, 'model is not usable',
        'Give the name of the model that runs, 1 to 256 bytes.');
    INSERT INTO tenancy.prices VALUES (model, coalesce(valid_from, now()),
        tenancy.to_picodollars(input_usd_per_mtok, 1e6, 'input_usd_per_mtok'),
        tenancy.to_picodollars(coalesce(cached_input_usd_per_mtok, input_usd_per_mtok), 1e6, 'cached_input_usd_per_mtok'),
        tenancy.to_picodollars(coalesce(cache_write_usd_per_mtok, input_usd_per_mtok), 1e6, 'cache_write_usd_per_mtok'),
        tenancy.to_picodollars(output_usd_per_mtok, 1e6, 'output_usd_per_mtok'),
        tenancy.to_picodollars(coalesce(reasoning_usd_per_mtok, output_usd_per_mtok), 1e6, 'reasoning_usd_per_mtok'),
        tenancy.to_picodollars(per_request_usd, 1e12, 'per_request_usd'))
    ON CONFLICT ON CONSTRAINT prices_pkey DO UPDATE SET
        input = excluded.input, cached_input = excluded.cached_input,
        cache_write = excluded.cache_write, output = excluded.output,
        reasoning = excluded.reasoning, per_request = excluded.per_request;
END
$$;
COMMENT ON FUNCTION tenancy.set_price(text, numeric, numeric, numeric, numeric, numeric, numeric, timestamptz) IS
    'Price of a model from a time on, USD per million tokens; parts not given cost as input or output do';
REVOKE ALL ON FUNCTION tenancy.set_price(text, numeric, numeric, numeric, numeric, numeric, numeric, timestamptz) FROM PUBLIC;

-- What a turn calls is in plpgsql, which keeps its plans, or in SQL that becomes part of the expression
-- that calls it. A function in SQL that cannot is read and planned anew in every statement, which takes
-- ten times as long as its work: so what it is given are variables.
CREATE FUNCTION tenancy.price_of(p_model text, at timestamptz) RETURNS tenancy.prices
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    price tenancy.prices;
BEGIN
    SELECT p.* INTO price FROM tenancy.prices p WHERE p.model = p_model AND p.valid_from <= at
    ORDER BY p.valid_from DESC LIMIT 1;
    RETURN price;
END
$$;
COMMENT ON FUNCTION tenancy.price_of(text, timestamptz) IS
    'Internal: the price of a model at a time; NULL when it has none';
REVOKE ALL ON FUNCTION tenancy.price_of(text, timestamptz) FROM PUBLIC;

CREATE FUNCTION tenancy.dearer_price(a tenancy.prices, b tenancy.prices) RETURNS tenancy.prices
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN ROW(coalesce(a.model, b.model), coalesce(a.valid_from, b.valid_from), greatest(a.input, b.input),
        greatest(a.cached_input, b.cached_input), greatest(a.cache_write, b.cache_write), greatest(a.output, b.output),
        greatest(a.reasoning, b.reasoning), greatest(a.per_request, b.per_request))::tenancy.prices;
END
$$;
COMMENT ON FUNCTION tenancy.dearer_price(tenancy.prices, tenancy.prices) IS
    'Internal: a price that is at least each of two in every part; NULL is no price and cheaper than any';
REVOKE ALL ON FUNCTION tenancy.dearer_price(tenancy.prices, tenancy.prices) FROM PUBLIC;

-- Numeric in between, so that nothing wraps; what is beyond all money stays there, never becomes little.
CREATE FUNCTION tenancy.cost_of(price tenancy.prices, input_tokens numeric, cached_tokens numeric,
        cache_write_tokens numeric, output_tokens numeric, reasoning_tokens numeric, requests numeric)
    RETURNS bigint
    LANGUAGE sql IMMUTABLE
RETURN CASE WHEN price.input IS NOT NULL THEN least(4e18, (input_tokens - cached_tokens - cache_write_tokens) * price.input
    + cached_tokens * price.cached_input + cache_write_tokens * price.cache_write
    + (output_tokens - reasoning_tokens) * price.output + reasoning_tokens * price.reasoning
    + requests * price.per_request) END;
COMMENT ON FUNCTION tenancy.cost_of(tenancy.prices, numeric, numeric, numeric, numeric, numeric, numeric) IS
    'Internal: picodollars of the given tokens; cached and cache-writing ones are part of the input, reasoning ones of the output; NULL without a price';
REVOKE ALL ON FUNCTION tenancy.cost_of(tenancy.prices, numeric, numeric, numeric, numeric, numeric, numeric) FROM PUBLIC;

-- The most that a request can cost, whatever share of it turns out cached or reasoning.
CREATE FUNCTION tenancy.cost_bound(price tenancy.prices, input_tokens numeric, output_tokens numeric)
    RETURNS bigint
    LANGUAGE sql IMMUTABLE
RETURN CASE WHEN price.input IS NOT NULL THEN least(4e18, input_tokens * greatest(price.input, price.cached_input, price.cache_write)
    + output_tokens * greatest(price.output, price.reasoning) + price.per_request) END;
COMMENT ON FUNCTION tenancy.cost_bound(tenancy.prices, numeric, numeric) IS
    'Internal: upper bound in picodollars for a request of at most these tokens';
REVOKE ALL ON FUNCTION tenancy.cost_bound(tenancy.prices, numeric, numeric) FROM PUBLIC;
