-- executions_after, position_delay, pipeline_channel, the setting notify.
\pset format unaligned
\pset tuples_only on

SELECT cpw_test.state('create_pipeline', cpw_test.pipeline(name, '{"executionMode": "PARALLEL"}')) FROM unnest('{one,two}'::text[]) name;
CREATE FUNCTION pg_temp.start(VARIADIC names text[]) RETURNS void LANGUAGE sql
BEGIN ATOMIC
  SELECT cp_webhook.start_pipeline_execution(jsonb_build_object('name', name)) FROM unnest(names) WITH ORDINALITY n (name, i) ORDER BY i;
END;
CREATE FUNCTION pg_temp.error(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE statement;
  RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
-- Those after a position: their numbers, in the order in which they come.
CREATE FUNCTION pg_temp.after(from_here text, names text[] DEFAULT NULL, most int DEFAULT 100) RETURNS text LANGUAGE sql
BEGIN ATOMIC
  SELECT string_agg((SELECT count(*) FROM cp_webhook.executions e WHERE e.id <= a.execution_id) || a.pipeline, ' ') FROM cp_webhook.executions_after(from_here, names, most) a;
END;

-- Other transactions of the server may write just now (autovacuum does).
CREATE PROCEDURE pg_temp.settle() LANGUAGE plpgsql AS $$
BEGIN
  WHILE (SELECT unread FROM cp_webhook.position_delay()) > 0 LOOP
    COMMIT;
    PERFORM pg_sleep(0.01);
  END LOOP;
END
$$;

SELECT pg_temp.error($$SELECT cp_webhook.executions_after('x', NULL, 0)$$);
SELECT pg_temp.error($$SELECT cp_webhook.executions_after(NULL, NULL, NULL)$$);
SELECT n, left(pg_temp.error(format($$SELECT cp_webhook.executions_after(NULL, NULL, %s)$$, n)), 5) FROM unnest('{1,10000,10001}'::int[]) n;
SELECT pg_temp.after(NULL), pg_temp.after('');

SELECT pg_temp.start('one');
SELECT pg_temp.start('two', 'one', 'two');
SELECT pg_temp.start('one');
CALL pg_temp.settle();
SELECT pg_temp.after(NULL), pg_temp.after(''), pg_temp.after('', '{one}'), pg_temp.after('', '{one,none}', 2), pg_temp.after('', '{}');
SELECT execution_id = (SELECT id FROM cp_webhook.executions ORDER BY id LIMIT 1), pipeline, version, action, trigger_type, trigger_detail = session_user, delivery, status,
       created_at <= clock_timestamp(), webhook, event, provider_delivery_id, received_at, headers, payload FROM cp_webhook.executions_after('', NULL, 1);
-- From each position: what is after it, and nothing twice.
SELECT pg_temp.after(position), pg_temp.after(position, '{two}'), pg_temp.after(position, NULL, 1), length(position) FROM cp_webhook.executions_after('');
-- Neither a claim nor its end moves an execution.
SELECT count(cp_webhook.complete_execution(id, nonce)) FROM cp_webhook.claim_executions('w', NULL, 2);
SELECT pg_temp.after('');
-- A position that is not one of ours.
SELECT position AS position FROM cp_webhook.executions_after('', NULL, 1) \gset
SELECT left(pg_temp.error(format('SELECT cp_webhook.executions_after(%L)', p)), 5) FROM unnest(ARRAY[:'position', upper(:'position'), :'position' || '0',
  left(:'position', 69), translate(:'position', '-', '.'), overlay(:'position' placing '8' from 18)]) p;
-- What its own transaction starts, a reader sees later.
BEGIN;
SELECT pg_temp.start('one');
SELECT pg_temp.after(''), unread, delay >= '0', pid IS NOT NULL, since <= now(), prepared FROM cp_webhook.position_delay();
COMMIT;
CALL pg_temp.settle();
SELECT pg_temp.after(''), unread, delay FROM cp_webhook.position_delay();

-- Before a restore: another era. Its executions come first, in their order, and
-- after a position in it only what was not read.
UPDATE cp_webhook.executions SET era = 7, xid = (1000000000000 + (SELECT count(*) FROM cp_webhook.executions e WHERE e.id < executions.id))::text::xid8;
SELECT pg_temp.start('two');
CALL pg_temp.settle();
SELECT pg_temp.after(''), pg_temp.after('', NULL, 6), pg_temp.after('', NULL, 7), pg_temp.after('', '{two}', 3);
SELECT pg_temp.after(position) FROM cp_webhook.executions_after('');
-- A position in an era that has been deleted: all that there is.
SELECT position AS position FROM cp_webhook.executions_after('', NULL, 1) \gset
DELETE FROM cp_webhook.executions WHERE era = 7;
SELECT pg_temp.after(:'position');
DELETE FROM cp_webhook.executions;
SELECT pg_temp.after(:'position');

-- A channel's name has 63 bytes at most.
SELECT n, length(c), left(c, 20), c = 'cp_webhook_' || repeat('p', n) FROM unnest('{1,52,53,100}'::int[]) n, cp_webhook.pipeline_channel(repeat('p', n)) c;
SELECT count(DISTINCT cp_webhook.pipeline_channel(repeat('p', n))) FROM generate_series(1, 100) n;
SELECT cp_webhook.pipeline_channel('Site.prod@2-x_y');
SELECT cp_webhook.pipeline_channel(NULL) IS NULL;

SELECT cpw_test.state('delete_pipeline', jsonb_build_object('name', name)) FROM unnest('{one,two}'::text[]) name;
