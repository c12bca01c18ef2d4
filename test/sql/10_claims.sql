-- claim_executions, complete_execution, fail_execution, extend_lease: one
-- session; what many do at once is in the isolation tests.
\pset format unaligned
\pset tuples_only on

SELECT cpw_test.state('create_pipeline', cpw_test.pipeline(name, jsonb_build_object('executionMode', mode)))
  FROM (VALUES ('par', 'PARALLEL'), ('par2', 'PARALLEL'), ('que', 'QUEUED'), ('sup', 'SUPERSEDED')) p (name, mode);
CREATE FUNCTION pg_temp.start(VARIADIC names text[]) RETURNS void LANGUAGE sql
BEGIN ATOMIC
  SELECT cp_webhook.start_pipeline_execution(jsonb_build_object('name', name)) FROM unnest(names) WITH ORDINALITY n (name, i) ORDER BY i;
END;
-- An execution by its number in its pipeline, and its state.
CREATE VIEW pg_temp.state AS SELECT pipeline || row_number() OVER (PARTITION BY pipeline ORDER BY id) AS name, id, status, attempts, lease_holder AS holder,
    lease_until IS NOT NULL AS leased, retry_at IS NOT NULL AS retrying, reason, result, ended_at IS NOT NULL AS ended, nonce
  FROM cp_webhook.executions;
CREATE TABLE pg_temp.claims (id uuid, nonce text, attempt int, at timestamptz DEFAULT clock_timestamp());
CREATE FUNCTION pg_temp.claim(names text[] DEFAULT NULL, number int DEFAULT 1, lease interval DEFAULT '5 min') RETURNS text LANGUAGE sql
BEGIN ATOMIC
  WITH c AS (SELECT * FROM cp_webhook.claim_executions('w', names, number, lease)),
       i AS (INSERT INTO pg_temp.claims (id, nonce, attempt) SELECT id, nonce, attempt FROM c)
  SELECT string_agg((SELECT count(*) FROM cp_webhook.executions e WHERE e.pipeline = c.pipeline AND e.id <= c.id) || c.pipeline || '#' || c.attempt, ' ') FROM c;
END;
-- Ends the last claim of an execution: the state of the error, or ok.
CREATE FUNCTION pg_temp.finish(which text, operation text, more text DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('SELECT cp_webhook.%s(c.id, c.nonce%s) FROM pg_temp.claims c JOIN pg_temp.state s USING (id) WHERE s.name = %L ORDER BY c.at DESC LIMIT 1', operation, more, which);
  RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE || ' ' || regexp_replace(SQLERRM, '[0-9a-f-]{36}', '<id>');
END
$$;
CREATE FUNCTION pg_temp.see(which text) RETURNS text LANGUAGE sql
BEGIN ATOMIC
  SELECT concat_ws(' ', status, attempts, holder, CASE WHEN leased THEN 'leased' END, CASE WHEN retrying THEN 'retrying' END,
    CASE WHEN ended THEN 'ended' END, CASE WHEN nonce IS NOT NULL THEN 'nonce' END, regexp_replace(reason, '[0-9a-f-]{36}', '<id>'), result) FROM pg_temp.state WHERE name = which;
END;

-- Arguments: all that is wrong at once.
CREATE FUNCTION pg_temp.error(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  detail text; hint text;
BEGIN
  EXECUTE statement;
  RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN concat_ws(E'\n', SQLSTATE || ' ' || SQLERRM, 'D: ' || detail, 'H: ' || hint);
END
$$;
SELECT pg_temp.error($$SELECT cp_webhook.claim_executions('', '{par}', 0, '-1 s')$$);
SELECT pg_temp.error($$SELECT cp_webhook.claim_executions(NULL, NULL, NULL, NULL)$$);
SELECT n, left(pg_temp.error(format($$SELECT cp_webhook.claim_executions('w', '{none}', %s)$$, n)), 5) FROM unnest('{1,1000,1001}'::int[]) n;
SELECT n, left(pg_temp.error(format($$SELECT cp_webhook.claim_executions(repeat('ü', %s), '{none}')$$, n)), 5) FROM unnest('{1,255,256}'::int[]) n;
SELECT pg_temp.error($$SELECT cp_webhook.complete_execution(NULL, NULL)$$);
SELECT pg_temp.error($$SELECT cp_webhook.fail_execution(NULL, 'x', 'y', '-1 s')$$);
SELECT pg_temp.error($$SELECT cp_webhook.extend_lease('00000000-0000-0000-0000-000000000000', 'x', '0')$$);
SELECT pg_temp.error($$SELECT cp_webhook.complete_execution('00000000-0000-0000-0000-000000000000', 'x')$$);
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT pg_temp.error($$SELECT cp_webhook.claim_executions('w')$$);
COMMIT;
BEGIN READ ONLY;
SELECT pg_temp.error($$SELECT cp_webhook.claim_executions('w')$$);
COMMIT;

-- Nothing to do.
SELECT pg_temp.claim();
SELECT pg_temp.claim('{none,NULL}', 10);
SELECT pg_temp.claim('{}', 10);

-- The oldest first, over all pipelines or those that are named.
SELECT pg_temp.start('par', 'par2', 'par', 'par', 'par2', 'par');
SELECT pg_temp.claim();
SELECT pg_temp.claim(NULL, 3);
SELECT pg_temp.claim('{par,par,none}', 1000);
SELECT pg_temp.claim('{par}', 1000);
SELECT pg_temp.claim(NULL, 1000);
SELECT name, status, attempts, holder, leased, ended FROM pg_temp.state ORDER BY id;
SELECT count(DISTINCT nonce), count(*), min(length(nonce)) FROM pg_temp.claims;

-- What a claim gives.
DELETE FROM cp_webhook.executions;
SELECT pg_temp.start('par');
SELECT id = (SELECT id FROM cp_webhook.executions), nonce ~ '^[0-9a-f-]{36}$', attempt, pipeline, version, action, webhook, event, delivery, received_at, headers, payload,
       lease_until BETWEEN clock_timestamp() + '59 min' AND clock_timestamp() + '1 hour' FROM cp_webhook.claim_executions('me', lease => '1 hour');
SELECT started_at BETWEEN created_at AND clock_timestamp(), updated_at >= started_at, lease_holder FROM cp_webhook.executions;

-- The ends of a claim. A nonce is spent when its claim has ended.
DELETE FROM cp_webhook.executions;
SELECT pg_temp.start('par', 'par', 'par', 'par');
SELECT pg_temp.claim('{par}', 4);
SELECT pg_temp.finish('par1', 'complete_execution', $$, '{"n": 1}'$$), pg_temp.see('par1');
SELECT o, pg_temp.finish('par1', o, m) FROM (VALUES ('complete_execution', ''), ('fail_execution', $$, 'r'$$), ('fail_execution', $$, 'r', '1 s'$$), ('extend_lease', $$, '1 h'$$)) x (o, m);
SELECT pg_temp.finish('par2', 'complete_execution'), pg_temp.see('par2');
SELECT pg_temp.finish('par3', 'fail_execution', $$, 'broken'$$), pg_temp.see('par3');
SELECT pg_temp.finish('par3', 'complete_execution'), pg_temp.see('par3');
SELECT pg_temp.finish('par4', 'fail_execution', $$, NULL$$), pg_temp.see('par4');
SELECT pg_temp.claim();
-- Of another claim, of another execution.
SELECT pg_temp.start('par', 'par');
SELECT pg_temp.claim('{par}', 2);
SELECT pg_temp.error(format($$SELECT cp_webhook.complete_execution(%L, 'x')$$, id)) ~ '^CP030 .*another claim' FROM pg_temp.state WHERE name = 'par5';
SELECT pg_temp.error(format('SELECT cp_webhook.complete_execution(%L, %L)', a.id, b.nonce)) ~ '^CP030' FROM pg_temp.state a, pg_temp.state b WHERE a.name = 'par5' AND b.name = 'par6';
SELECT pg_temp.finish('par5', 'complete_execution');

-- A retry waits for its time; after max_attempts there is none.
DELETE FROM cp_webhook.executions;
SELECT pg_temp.start('par');
SELECT pg_temp.claim();
SELECT pg_temp.finish('par1', 'fail_execution', $$, 'later', '1 hour'$$), pg_temp.see('par1');
SELECT pg_temp.claim();
SELECT retry_at BETWEEN clock_timestamp() + '59 min' AND clock_timestamp() + '1 hour' FROM cp_webhook.executions;
UPDATE cp_webhook.executions SET retry_at = clock_timestamp();
SELECT pg_temp.claim(), pg_temp.see('par1');
SELECT pg_temp.finish('par1', 'fail_execution', $$, 'now', '0'$$), pg_temp.claim() FROM generate_series(1, 5);
SELECT pg_temp.see('par1');

-- A lease that has run out counts as an attempt; its claim is lost.
SELECT pg_temp.start('par');
SELECT pg_temp.claim(NULL, 1, '1 hour');
SELECT pg_temp.finish('par2', 'extend_lease', $$, '2 hours'$$);
SELECT lease_until - clock_timestamp() BETWEEN '119 min' AND '2 hours' FROM cp_webhook.executions WHERE status = 'InProgress';
SELECT pg_temp.finish('par2', 'extend_lease', $$, '1 ms'$$), pg_sleep(0.002);
SELECT o, pg_temp.finish('par2', o, m) FROM (VALUES ('complete_execution', ''), ('fail_execution', $$, 'r'$$), ('fail_execution', $$, 'r', '1 s'$$), ('extend_lease', $$, '1 h'$$)) x (o, m);
SELECT pg_temp.see('par2');
SELECT pg_temp.claim(), pg_temp.see('par2');
SELECT pg_temp.finish('par2', 'extend_lease', $$, '1 ms'$$), pg_sleep(0.002), pg_temp.claim() FROM generate_series(1, 4);
SELECT pg_temp.see('par2');
-- Time that the claim's own transaction takes does not count.
SELECT pg_temp.start('par');
BEGIN;
SELECT pg_temp.claim(NULL, 1, '1 ms'), pg_sleep(0.002);
SELECT id AS id, nonce AS nonce FROM cp_webhook.executions WHERE status = 'InProgress' \gset
SELECT cp_webhook.complete_execution(:'id', :'nonce');
COMMIT;
SELECT pg_temp.see('par3');

-- One transaction: what is rolled back was no attempt.
SELECT pg_temp.start('par');
BEGIN;
SELECT pg_temp.claim();
SAVEPOINT s;
SELECT pg_temp.finish('par4', 'complete_execution');
ROLLBACK TO s;
SELECT pg_temp.see('par4');
SELECT pg_temp.claim();
ROLLBACK;
SELECT pg_temp.see('par4');
SELECT pg_temp.claim();
-- Nor is one that a savepoint takes back.
SELECT pg_temp.start('par');
BEGIN;
SAVEPOINT s;
SELECT pg_temp.claim();
ROLLBACK TO s;
SELECT pg_temp.claim();
COMMIT;
SELECT pg_temp.see('par5');

-- QUEUED: one at a time, in order; one to be retried holds up the others.
DELETE FROM cp_webhook.executions;
SELECT pg_temp.start('que', 'que', 'que');
SELECT pg_temp.claim(NULL, 10), pg_temp.claim('{que}', 10);
SELECT pg_temp.finish('que1', 'fail_execution', $$, 'later', '1 hour'$$), pg_temp.claim();
UPDATE cp_webhook.executions SET retry_at = '2000-01-01Z' WHERE retry_at IS NOT NULL;
SELECT pg_temp.claim(), pg_temp.finish('que1', 'complete_execution'), pg_temp.claim(), pg_temp.claim();
SELECT pg_temp.finish('que2', 'extend_lease', $$, '1 ms'$$), pg_sleep(0.002), pg_temp.claim();
SELECT pg_temp.finish('que2', 'fail_execution', $$, 'for good'$$), pg_temp.claim(), pg_temp.finish('que3', 'complete_execution'), pg_temp.claim();
SELECT name, pg_temp.see(name) FROM pg_temp.state ORDER BY id;

-- SUPERSEDED: one at a time, the newest.
DELETE FROM cp_webhook.executions;
SELECT pg_temp.start('sup');
SELECT pg_temp.claim();
SELECT pg_temp.start('sup', 'sup', 'sup');
SELECT pg_temp.claim();
SELECT string_agg(pg_temp.see(name), '; ' ORDER BY id) FROM pg_temp.state;
SELECT pg_temp.finish('sup1', 'fail_execution', $$, 'later', '1 hour'$$), pg_temp.claim(), pg_temp.claim();
SELECT name, pg_temp.see(name) FROM pg_temp.state ORDER BY id;
SELECT pg_temp.finish('sup4', 'fail_execution', $$, 'later', '1 hour'$$), pg_temp.claim();
SELECT pg_temp.start('sup');
SELECT pg_temp.claim(), pg_temp.see('sup4');
SELECT pg_temp.finish('sup5', 'extend_lease', $$, '1 ms'$$), pg_sleep(0.002);
SELECT pg_temp.start('sup');
SELECT pg_temp.claim(), pg_temp.see('sup5');

-- A change of the mode counts for the next claim; without a pipeline: in order.
SELECT pg_temp.start('que', 'que', 'que');
SELECT pg_temp.claim('{que}', 10);
SELECT cpw_test.state('update_pipeline', cpw_test.pipeline('que', '{"executionMode": "PARALLEL"}'));
SELECT pg_temp.claim('{que}', 1);
SELECT cpw_test.state('update_pipeline', cpw_test.pipeline('que', '{"executionMode": "QUEUED"}'));
SELECT pg_temp.claim('{que}', 1);
SELECT pg_temp.start('par', 'par');
SELECT cpw_test.state('delete_pipeline', '{"name": "par"}');
SELECT pg_temp.claim(NULL, 10), pg_temp.claim('{par}', 10);

-- Stop: what waits is not claimed; a claimed one is ended by its worker.
DELETE FROM cp_webhook.executions;
CREATE FUNCTION pg_temp.stop(which text, abandon boolean DEFAULT false) RETURNS text LANGUAGE sql
BEGIN ATOMIC
  SELECT cpw_test.state('stop_pipeline_execution', jsonb_build_object('pipelineName', 'par2', 'pipelineExecutionId', id, 'abandon', abandon)) FROM pg_temp.state WHERE name = which;
END;
SELECT pg_temp.start('par2', 'par2', 'par2', 'par2', 'par2', 'par2');
SELECT pg_temp.stop('par21'), pg_temp.claim('{par2}', 10);
SELECT pg_temp.stop('par22'), pg_temp.see('par22'), pg_temp.finish('par22', 'extend_lease', $$, '1 h'$$), pg_temp.finish('par22', 'complete_execution', $$, '1'$$), pg_temp.see('par22');
SELECT pg_temp.stop('par23'), pg_temp.finish('par23', 'fail_execution', $$, 'stopped', '1 s'$$), pg_temp.see('par23');
SELECT pg_temp.stop('par24', true), pg_temp.finish('par24', 'complete_execution'), pg_temp.see('par24');
SELECT pg_temp.stop('par25'), pg_temp.finish('par25', 'extend_lease', $$, '1 ms'$$), pg_sleep(0.002), pg_temp.claim(), pg_temp.see('par25');
-- One to be retried waits; one whose lease has run out is nobody's.
SELECT pg_temp.finish('par26', 'fail_execution', $$, 'later', '1 hour'$$), pg_temp.stop('par26'), pg_temp.see('par26'), pg_temp.claim();
SELECT pg_temp.start('par2');
SELECT pg_temp.claim('{par2}', 1, '1 ms'), pg_sleep(0.002), pg_temp.stop('par27'), pg_temp.see('par27');

-- Many, in batches, each once.
DELETE FROM cp_webhook.executions;
DELETE FROM pg_temp.claims;
SELECT pg_temp.start(VARIADIC array_fill('par2'::text, ARRAY[2500]));
SELECT count(pg_temp.claim('{par2}', n)) FROM unnest('{1,999,1000,300,300}'::int[]) n;
SELECT count(*), count(DISTINCT id), bool_and(ordered) FROM (SELECT id, id > coalesce(lag(id) OVER (ORDER BY at, id), id) OR lag(id) OVER (ORDER BY at, id) IS NULL AS ordered FROM pg_temp.claims) c;

-- EXECUTE is all that a consumer needs.
DELETE FROM cp_webhook.executions;
SELECT pg_temp.start('par2');
CREATE ROLE regress_cpw_consumer;
GRANT USAGE ON SCHEMA cp_webhook TO regress_cpw_consumer;
SET SESSION AUTHORIZATION regress_cpw_consumer;
SELECT pg_temp.error($$SELECT cp_webhook.claim_executions('w')$$);
RESET SESSION AUTHORIZATION;
GRANT EXECUTE ON FUNCTION cp_webhook.claim_executions(text, text[], int, interval), cp_webhook.complete_execution(uuid, text, jsonb) TO regress_cpw_consumer;
SET SESSION AUTHORIZATION regress_cpw_consumer;
SELECT pipeline, attempt, cp_webhook.complete_execution(id, nonce) FROM cp_webhook.claim_executions('w');
RESET SESSION AUTHORIZATION;
SELECT pg_temp.see('par21');
DROP OWNED BY regress_cpw_consumer;
DROP ROLE regress_cpw_consumer;

DELETE FROM cp_webhook.executions;
SELECT cpw_test.state('delete_pipeline', jsonb_build_object('name', name)) FROM unnest('{par2,que,sup}'::text[]) name;
