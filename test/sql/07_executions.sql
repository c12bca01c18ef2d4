-- start_, stop_, get_ and list_pipeline_execution(s), trigger_events.
\pset format unaligned
\pset tuples_only on

SELECT cpw_test.try('start_pipeline_execution', '{"name": "none"}');
SELECT cpw_test.try('start_pipeline_execution', '{"pipelineName": "app"}');
SELECT cpw_test.try('start_pipeline_execution', '{"name": "app", "variables": [], "clientRequestToken": "a b"}');
SELECT n, cpw_test.state('start_pipeline_execution', jsonb_build_object('name', 'app', 'clientRequestToken', repeat('t', n)))
  FROM unnest('{0,1,128,129}'::int[]) n;
SELECT n, cpw_test.state('start_pipeline_execution', jsonb_build_object('name', 'app', 'variables', to_jsonb(array_fill('{"name": "A", "value": "1"}'::jsonb, ARRAY[n]))))
  FROM unnest('{1,50,51}'::int[]) n;
SELECT n, cpw_test.state('start_pipeline_execution', jsonb_build_object('name', 'app', 'sourceRevisions',
  coalesce(nullif(to_jsonb(array_fill('{}'::jsonb, ARRAY[n])), 'null'), '[]')))
  FROM unnest('{0,1,50,51}'::int[]) n;
DELETE FROM cp_webhook.executions;

-- The same token answers the same execution; of another pipeline another one.
SELECT cpw_test.state('create_pipeline', cpw_test.pipeline('other', '{"executionMode": "PARALLEL"}'));
SELECT cp_webhook.start_pipeline_execution('{"name": "app", "clientRequestToken": "one"}') = cp_webhook.start_pipeline_execution('{"name": "app", "clientRequestToken": "one"}');
SELECT cp_webhook.start_pipeline_execution('{"name": "app", "clientRequestToken": "one"}') = cp_webhook.start_pipeline_execution('{"name": "app", "clientRequestToken": "two"}');
SELECT cp_webhook.start_pipeline_execution('{"name": "app", "clientRequestToken": "one"}') = cp_webhook.start_pipeline_execution('{"name": "other", "clientRequestToken": "one"}');
SELECT count(*) FROM cp_webhook.executions;
DELETE FROM cp_webhook.executions;

-- The row, the answer, the notification; the trigger's detail is the session's user.
CREATE ROLE regress_cpw_starter;
GRANT USAGE ON SCHEMA cp_webhook, cpw_test TO regress_cpw_starter;
GRANT EXECUTE ON FUNCTION cp_webhook.start_pipeline_execution(jsonb) TO regress_cpw_starter;
LISTEN cp_webhook;
\o | sed -E 's/[0-9a-f]{8}-[0-9a-f-]{27}/<id>/g; s/PID [0-9]+/PID <pid>/'
SET SESSION AUTHORIZATION regress_cpw_starter;
SELECT cp_webhook.start_pipeline_execution('{"name": "app", "variables": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
  "sourceRevisions": [{"actionName": "GitHub", "revisionType": "COMMIT_ID", "revisionValue": "abc"}]}');
RESET SESSION AUTHORIZATION;
\o
UNLISTEN *;
SELECT id AS id FROM cp_webhook.executions \gset
SELECT pipeline, version, action, trigger_type, trigger_detail, delivery, status, attempts, lease_until, ended_at, created_at = updated_at,
       id >= cp_webhook.uuid_at(created_at) AND id < cp_webhook.uuid_at(created_at + '1 microsecond') FROM cp_webhook.executions;
SELECT cpw_test.try('get_pipeline_execution', jsonb_build_object('pipelineName', 'app', 'pipelineExecutionId', :'id'));
SELECT cpw_test.try('list_pipeline_executions', '{"pipelineName": "app"}');
SELECT cpw_test.mask(e::text) FROM (SELECT execution_id, pipeline, version, trigger_type, webhook, event, provider_delivery_id, received_at, headers, payload FROM cp_webhook.trigger_events) e;

-- Not there.
SELECT cpw_test.try('get_pipeline_execution', jsonb_build_object('pipelineName', 'other', 'pipelineExecutionId', :'id'));
SELECT cpw_test.try('get_pipeline_execution', '{"pipelineName": "app", "pipelineExecutionId": "00000000-0000-0000-0000-000000000000"}');
SELECT cpw_test.try('get_pipeline_execution', '{"pipelineName": "none", "pipelineExecutionId": "00000000-0000-0000-0000-000000000000"}');
SELECT cpw_test.try('get_pipeline_execution', '{"pipelineName": "app", "pipelineExecutionId": "00000000-0000-0000-0000-00000000000G"}');
SELECT cpw_test.try('list_pipeline_executions', '{"pipelineName": "none"}');

-- Stop: a waiting one at once.
CREATE FUNCTION pg_temp.stop(more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql
BEGIN ATOMIC
  SELECT cpw_test.try('stop_pipeline_execution', jsonb_build_object('pipelineName', 'app', 'pipelineExecutionId', id) || more)
    FROM cp_webhook.executions WHERE pipeline = 'app' ORDER BY id DESC LIMIT 1;
END;
CREATE VIEW pg_temp.newest AS SELECT status, reason, ended_at IS NOT NULL AS ended, lease_until IS NOT NULL AS leased, updated_at > created_at AS updated
  FROM cp_webhook.executions WHERE pipeline = 'app' ORDER BY id DESC LIMIT 1;
SELECT pg_temp.stop('{"reason": "wrong branch"}');
SELECT * FROM pg_temp.newest;
SELECT cpw_test.try('list_pipeline_executions', '{"pipelineName": "app"}');
SELECT pg_temp.stop();
SELECT pg_temp.stop('{"abandon": true}');
-- A claimed one through Stopping; abandon at once.
SELECT cpw_test.state('start_pipeline_execution', '{"name": "app"}');
UPDATE cp_webhook.executions SET lease_holder = 'w', lease_until = '2100-01-01Z' WHERE status = 'InProgress';
SELECT pg_temp.stop();
SELECT * FROM pg_temp.newest;
SELECT pg_temp.stop();
SELECT pg_temp.stop('{"abandon": true, "reason": "now"}');
SELECT * FROM pg_temp.newest;
SELECT cpw_test.state('start_pipeline_execution', '{"name": "app"}');
UPDATE cp_webhook.executions SET lease_holder = 'w', lease_until = '2100-01-01Z' WHERE status = 'InProgress';
SELECT pg_temp.stop('{"abandon": true}');
SELECT * FROM pg_temp.newest;
-- Ended ones, others', none.
UPDATE cp_webhook.executions SET status = 'Succeeded';
SELECT pg_temp.stop();
SELECT cpw_test.try('stop_pipeline_execution', jsonb_build_object('pipelineName', 'other', 'pipelineExecutionId', :'id'));
SELECT cpw_test.try('stop_pipeline_execution', jsonb_build_object('pipelineName', 'none', 'pipelineExecutionId', :'id'));
SELECT cpw_test.try('stop_pipeline_execution', '{"pipelineName": "app", "abandon": "yes", "force": true}');
SELECT n, split_part(pg_temp.stop(jsonb_build_object('reason', repeat('ü', n))), '|', 1) FROM unnest('{200,201}'::int[]) n;

-- Lists: newest first, in pages, of one pipeline.
DELETE FROM cp_webhook.executions;
SELECT count(cp_webhook.start_pipeline_execution(jsonb_build_object('name', p))) FROM generate_series(1, 5) i, unnest('{app,other}'::text[]) p;
CREATE FUNCTION pg_temp.pages(length int) RETURNS TABLE (executions int, descending bool) LANGUAGE plpgsql AS $$
DECLARE
  answer jsonb; token jsonb; ids text[] := '{}';
BEGIN
  FOR page IN 1 .. 20 LOOP
    answer := cp_webhook.list_pipeline_executions(jsonb_strip_nulls(jsonb_build_object('pipelineName', 'app', 'maxResults', length, 'nextToken', token)));
    SELECT count(*), ids || array_agg(e ->> 'pipelineExecutionId' ORDER BY o) INTO executions, ids
      FROM jsonb_array_elements(answer -> 'pipelineExecutionSummaries') WITH ORDINALITY x (e, o);
    descending := ids = ARRAY(SELECT DISTINCT i FROM unnest(ids) i ORDER BY i DESC);
    RETURN NEXT;
    token := answer -> 'nextToken';
    EXIT WHEN token IS NULL;
  END LOOP;
END
$$;
SELECT * FROM pg_temp.pages(2);
SELECT * FROM pg_temp.pages(5);
SELECT cp_webhook.list_pipeline_executions('{"pipelineName": "app", "maxResults": 2}') ->> 'nextToken' AS token \gset
SELECT cpw_test.state('list_pipeline_executions', jsonb_build_object('pipelineName', p, 'nextToken', :'token')) FROM unnest('{app,other}'::text[]) p;
SELECT n, cpw_test.state('list_pipeline_executions', jsonb_build_object('pipelineName', 'app', 'maxResults', n)) FROM unnest('{0,1,100,101}'::int[]) n;
-- 100 on a page, where the request does not say.
BEGIN;
DELETE FROM cp_webhook.executions;
SELECT count(cp_webhook.start_pipeline_execution('{"name": "app"}')) FROM generate_series(1, 100);
SELECT jsonb_array_length(l -> 'pipelineExecutionSummaries'), l ? 'nextToken' FROM cp_webhook.list_pipeline_executions('{"pipelineName": "app"}') l;
SELECT count(cp_webhook.start_pipeline_execution('{"name": "app"}'));
SELECT jsonb_array_length(l -> 'pipelineExecutionSummaries'), l ? 'nextToken' FROM cp_webhook.list_pipeline_executions('{"pipelineName": "app"}') l;
ROLLBACK;
-- A token that somebody else made with our checksum is a bound, or it is refused.
SELECT t, cpw_test.state('list_pipeline_executions', jsonb_build_object('pipelineName', 'app', 'nextToken', t))
  FROM unnest('{AVfWv3hubyB1dWlk,AdYru3kwMDAwMDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMC0,AeHIbwFmZmZmZmZmZi0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDA}'::text[]) t;
-- The filter.
UPDATE cp_webhook.executions SET status = 'Succeeded' WHERE id IN (SELECT id FROM cp_webhook.executions WHERE pipeline = 'app' ORDER BY id LIMIT 2);
SELECT f, jsonb_array_length(cp_webhook.list_pipeline_executions(jsonb_build_object('pipelineName', 'app', 'filter', f)) -> 'pipelineExecutionSummaries')
  FROM unnest(ARRAY['{}', '{"succeededInStage": null}', '{"succeededInStage": {"stageName": "Deploy"}}', '{"succeededInStage": {"stageName": "Test"}}']::jsonb[]) f;
SELECT cpw_test.try('list_pipeline_executions', '{"pipelineName": "app", "filter": {"status": "Failed"}}');
SELECT cpw_test.try('list_pipeline_executions', '{"pipelineName": "app", "filter": {"succeededInStage": {}}}');

-- The mode is that of the execution's version.
SELECT cp_webhook.list_pipeline_executions('{"pipelineName": "other"}') #>> '{pipelineExecutionSummaries,0,executionMode}';
SELECT cpw_test.state('update_pipeline', cpw_test.pipeline('other', '{"executionMode": "QUEUED"}'));
SELECT cpw_test.state('start_pipeline_execution', '{"name": "other"}');
SELECT e ->> 'executionMode' FROM jsonb_array_elements(cp_webhook.list_pipeline_executions('{"pipelineName": "other", "maxResults": 2}') -> 'pipelineExecutionSummaries') e;
-- Executions outlive their pipeline.
SELECT cpw_test.state('delete_pipeline', '{"name": "other"}');
SELECT count(*) FROM cp_webhook.trigger_events WHERE pipeline = 'other';
SELECT cpw_test.state('list_pipeline_executions', '{"pipelineName": "other"}');
DELETE FROM cp_webhook.executions;
REVOKE ALL ON FUNCTION cp_webhook.start_pipeline_execution(jsonb) FROM regress_cpw_starter;
REVOKE ALL ON SCHEMA cp_webhook, cpw_test FROM regress_cpw_starter;
DROP ROLE regress_cpw_starter;
