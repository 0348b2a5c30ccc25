-- Q: conditions and functions that see rows before the policy does.
BEGIN;
SELECT tenancy.set_tenant_from_jwt(:'token_acme') \g /dev/null

-- Q1: a cheap function that tells what it is given. Stopped: none can be made (and it would run after the policy).
SELECT attack.refused('Q1 a function that tells', 'CREATE FUNCTION pg_temp.tell(text) RETURNS boolean COST 0.0000001 LANGUAGE sql AS ''SELECT true''');

-- Q3: an error that depends on another tenant's value. Stopped: such operators are not leakproof, the policy comes first.
SELECT attack.alike('Q3 division by a foreign value', 'SELECT count(*) FROM shop.accounts WHERE 1 / (balance - 987654) > 5', 'SELECT count(*) FROM shop.accounts WHERE 1 / (balance - 987655) > 5');
SELECT attack.alike('Q3 a cast of a foreign value', 'SELECT count(*) FROM shop.accounts WHERE note LIKE ''CANARY-ceo'' AND note::int = 1', 'SELECT count(*) FROM shop.accounts WHERE note LIKE ''CANARY-cfo'' AND note::int = 1');

-- Q4, Q5: EXPLAIN ANALYZE counts what a leakproof condition found before the policy. Stopped: keys and indexes start
-- with the tenant, so other tenants' rows are never met.
SELECT attack.holds('Q4 EXPLAIN ANALYZE meets no foreign row by address', attack.outcome('EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) SELECT * FROM shop.accounts WHERE email = ''ceo@globex.example''') !~ 'Removed by Filter');
SELECT attack.holds('Q5 nor by a range of balances', attack.outcome('EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) SELECT * FROM shop.accounts WHERE balance > 900000') !~ 'Removed by Filter');

-- Q9: the estimates of plain EXPLAIN come from statistics over all tenants. Stopped: for whoever is under row
-- security the module hides them from the planner.
SELECT attack.holds('Q9 estimates of what another tenant has often, and of what nobody has, are alike',
    replace(attack.outcome('EXPLAIN SELECT * FROM agent.feedback WHERE comment = ''CANARY'''), 'CANARY', '') = replace(attack.outcome('EXPLAIN SELECT * FROM agent.feedback WHERE comment = ''NOBODY'''), 'NOBODY', ''));
SELECT attack.holds('Q9 and of a range around the greatest foreign balance',
    replace(attack.outcome('EXPLAIN SELECT * FROM shop.accounts WHERE balance > 10001'), '10001', '') = replace(attack.outcome('EXPLAIN SELECT * FROM shop.accounts WHERE balance > 990001'), '990001', ''));

-- Q15, Q17: whole rows, XML and JSON of everything. Stopped: they read as the caller, through the policy.
SELECT attack.holds('Q17 ' || left(s, 60), attack.outcome(s) !~ 'CANARY') FROM unnest(ARRAY['SELECT row_to_json(a) FROM shop.accounts a', 'SELECT a::text FROM shop.accounts a',
    'SELECT query_to_xml(''SELECT * FROM shop.accounts'', true, false, '''')', 'SELECT table_to_xml(''shop.accounts'', true, false, '''')',
    'SELECT schema_to_xml(''agent'', true, false, '''')', 'SELECT schema_to_xml(''shop'', true, false, '''')', 'SELECT ts_stat FROM ts_stat(''SELECT to_tsvector(note) FROM shop.accounts'')',
    'SELECT * FROM shop.accounts TABLESAMPLE SYSTEM (100)', 'SELECT * FROM shop.accounts WHERE ctid > ''(0,0)''', 'SELECT max(note) FROM shop.accounts']) s;
COMMIT;
