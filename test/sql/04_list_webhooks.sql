-- list_webhooks, delete_webhook, the view webhooks.
\pset format unaligned
\pset tuples_only on

SELECT cpw_test.try('list_webhooks', '{}');
SELECT cpw_test.try('list_webhooks', NULL);
SELECT count(cp_webhook.put_webhook(cpw_test.webhook(n))) FROM unnest('{b,a,B,_,c-1,c.1}'::text[]) n;
-- In the order of bytes.
SELECT w ->> 'url' ~ '^http', w #>> '{definition,name}' FROM jsonb_array_elements(cp_webhook.list_webhooks() -> 'webhooks') w;
SELECT cp_webhook.list_webhooks() ? 'NextToken';

-- Pages: each webhook once, in order, whatever the length of a page.
CREATE FUNCTION pg_temp.pages(length int) RETURNS TABLE (names text) LANGUAGE plpgsql AS $$
DECLARE
  answer jsonb; token jsonb;
BEGIN
  FOR page IN 1 .. 20 LOOP
    answer := cp_webhook.list_webhooks(jsonb_strip_nulls(jsonb_build_object('MaxResults', length, 'NextToken', token)));
    SELECT string_agg(w #>> '{definition,name}', ',') INTO names FROM jsonb_array_elements(answer -> 'webhooks') w;
    RETURN NEXT;
    token := answer -> 'NextToken';
    EXIT WHEN token IS NULL;
  END LOOP;
END
$$;
SELECT * FROM pg_temp.pages(1);
SELECT * FROM pg_temp.pages(4);
SELECT * FROM pg_temp.pages(6);
SELECT n, cpw_test.state('list_webhooks', jsonb_build_object('MaxResults', n)) FROM unnest('{0,1,100,101}'::int[]) n;
SELECT cpw_test.try('list_webhooks', '{"maxResults": 1, "NextToken": ""}');
SELECT cpw_test.try('list_webhooks', '{"MaxResults": 1.5}');
SELECT cpw_test.state('list_webhooks', '{"MaxResults": 1.0}');
SELECT cpw_test.try('list_webhooks', '{"MaxResults": 1e30}');
SELECT cpw_test.try('list_webhooks', '{"MaxResults": "1"}');

-- Tokens: the page goes on after what was shown, also when that is gone.
SELECT cp_webhook.list_webhooks('{"MaxResults": 2}') ->> 'NextToken' AS token \gset
SELECT cpw_test.state('delete_webhook', '{"name": "_"}');
SELECT w #>> '{definition,name}' FROM jsonb_array_elements(cp_webhook.list_webhooks(jsonb_build_object('NextToken', :'token')) -> 'webhooks') w;
-- A token that this service did not make, or made for another list.
SELECT cpw_test.try('list_webhooks', '{"NextToken": "x"}');
SELECT cpw_test.state('list_webhooks', jsonb_build_object('NextToken', t))
  FROM unnest(ARRAY[:'token', :'token' || 'A', 'A' || :'token', left(:'token', -1), reverse(:'token'), upper(:'token'), repeat('A', 2048), repeat('A', 2049), '']) t;
SELECT cpw_test.state('list_pipelines', jsonb_build_object('nextToken', :'token'));
-- One that somebody else made with our checksum is a bound, or it is refused: no UTF-8, a NUL.
SELECT t, cpw_test.state('list_webhooks', jsonb_build_object('NextToken', t)) FROM unnest('{AX5kpqL_,AUQeU2NhAGI,AVhaLCvDqQ}'::text[]) t;

-- 100 are a page.
SELECT count(cp_webhook.put_webhook(cpw_test.webhook('x' || i))) FROM generate_series(1, 95) i;
SELECT jsonb_array_length(cp_webhook.list_webhooks() -> 'webhooks'), cp_webhook.list_webhooks() ? 'NextToken';
SELECT cpw_test.state('put_webhook', cpw_test.webhook('y'));
SELECT jsonb_array_length(cp_webhook.list_webhooks() -> 'webhooks'), cp_webhook.list_webhooks() ? 'NextToken';
DELETE FROM cp_webhook.webhook_definitions WHERE name ~ '^[xy]';

-- lastTriggered and the counters: what was counted, and what came since.
BEGIN;
CREATE TABLE cp_webhook.deliveries_test (LIKE cp_webhook.deliveries INCLUDING ALL);
SELECT format('ALTER TABLE cp_webhook.deliveries ATTACH PARTITION cp_webhook.deliveries_test FOR VALUES FROM (%L) TO (%L)',
  cp_webhook.uuid_at('2001-01-01Z'), cp_webhook.uuid_at('2002-01-01Z')) \gexec
UPDATE cp_webhook.webhook_definitions SET created_at = '2001-01-01Z';
SELECT id AS a FROM cp_webhook.webhook_definitions WHERE name = 'a' \gset
SELECT last_triggered, triggered, ignored, duplicate, rejected, pong FROM cp_webhook.webhooks WHERE name = 'a';
INSERT INTO cp_webhook.deliveries (id, received_at, webhook, outcome, http_status, headers, webhook_id)
SELECT cp_webhook.uuid_at(t), t, 'a', o, 200, '{}', w.id FROM cp_webhook.webhook_definitions w,
  (VALUES ('2001-06-01 00:00:00.123456Z'::timestamptz, 'triggered'), ('2001-06-02Z', 'ignored')) d (t, o) WHERE w.name IN ('a');
SELECT last_triggered AT TIME ZONE 'UTC' FROM cp_webhook.webhooks WHERE name = 'a';
SELECT w -> 'lastTriggered' FROM jsonb_array_elements(cp_webhook.list_webhooks() -> 'webhooks') w WHERE w ? 'lastTriggered';
INSERT INTO cp_webhook.webhook_counters VALUES (:'a', 1, 10, 1, 2, 3, 4, '2001-05-01Z'), (:'a', 2, 5, 0, 0, 0, 0, '2001-07-01Z');
SELECT last_triggered AT TIME ZONE 'UTC', triggered, ignored, duplicate, rejected, pong FROM cp_webhook.webhooks WHERE name = 'a';
INSERT INTO cp_webhook.deliveries (id, received_at, webhook, outcome, http_status, headers, webhook_id)
VALUES (cp_webhook.uuid_at('2001-07-01 00:00:00.5Z'), '2001-07-01 00:00:00.5Z', 'a', 'triggered', 200, '{}', :'a');
SELECT last_triggered AT TIME ZONE 'UTC' FROM cp_webhook.webhooks WHERE name = 'a';
-- Deleted with the webhook; another one of the name begins anew.
SELECT cpw_test.state('delete_webhook', '{"name": "a"}'), count(*) FROM cp_webhook.webhook_counters;
SELECT cpw_test.state('put_webhook', cpw_test.webhook('a'));
SELECT last_triggered, triggered FROM cp_webhook.webhooks WHERE name = 'a';
ROLLBACK;
-- The least id of an instant.
SELECT cp_webhook.uuid_at('1970-01-01Z'), cp_webhook.uuid_at('2026-01-01Z');

-- delete_webhook.
SELECT cpw_test.try('delete_webhook', '{}');
SELECT cpw_test.try('delete_webhook', '{"name": "a b"}');
SELECT token AS token FROM cp_webhook.webhook_definitions WHERE name = 'a' \gset
SELECT cpw_test.state('put_webhook', cpw_test.webhook('a', '{}', '[{"key": "k", "value": "v"}]'));
SELECT cpw_test.try('delete_webhook', '{"name": "a"}');
SELECT count(*) FROM cp_webhook.resource_tags;
SELECT cpw_test.try('delete_webhook', '{"name": "a"}');
-- Put again it has another URL.
SELECT cpw_test.state('put_webhook', cpw_test.webhook('a'));
SELECT token <> :'token' FROM cp_webhook.webhook_definitions WHERE name = 'a';
DELETE FROM cp_webhook.webhook_definitions;
