-- What a receiver's transaction of 64 deliveries leaves behind, by one
-- statement and nothing else: the limit that the database sets. The body comes
-- from bench.body, is parsed once a row, and no request is read or answered.
WITH made AS MATERIALIZED (
  SELECT instant,
         (pg_catalog.left(cp_webhook.uuid_at(instant)::text, 24) || pg_catalog.left(random, 12))::uuid AS id,
         (pg_catalog.left(cp_webhook.uuid_at(instant)::text, 24) || pg_catalog.substr(random, 13, 12))::uuid AS execution,
         random AS key,
         body::jsonb AS payload
    FROM (SELECT pg_catalog.unnest(pg_catalog.array_fill((SELECT body FROM bench.body), ARRAY[64])) AS body,
                 pg_catalog.clock_timestamp() AS instant,
                 pg_catalog.replace(pg_catalog.gen_random_uuid()::text, '-', '') AS random) b
), keys AS (
  INSERT INTO cp_webhook.delivery_keys (webhook_id, key, execution)
  SELECT w.id, m.key, m.execution FROM made m, cp_webhook.webhook_definitions w WHERE w.name = 'limit'
), executions AS (
  INSERT INTO cp_webhook.executions (id, pipeline, version, action, trigger_type, trigger_detail, delivery, created_at, updated_at, webhook_id)
  SELECT m.execution, w.pipeline, 1, w.action, 'Webhook', cp_webhook.webhook_arn(w.name), m.id, m.instant, m.instant, w.id
    FROM made m, cp_webhook.webhook_definitions w WHERE w.name = 'limit'
), deliveries AS (
  INSERT INTO cp_webhook.deliveries (id, received_at, webhook, provider_delivery_id, event, source_address, peer_address, outcome, http_status, headers, payload, webhook_id)
  SELECT m.id, m.instant, w.name, m.key, 'push', '127.0.0.1', '127.0.0.1', 'triggered', 200, b.headers, m.payload, w.id
    FROM made m, cp_webhook.webhook_definitions w, bench.body b WHERE w.name = 'limit'
)
SELECT pg_catalog.count(pg_catalog.pg_notify('cp_webhook', pg_catalog.json_build_object(
         'pipelineExecutionId', execution, 'pipelineName', 'limit', 'webhook', 'limit', 'event', 'push',
         'deliveryId', id, 'receivedAt', instant)::text))
  FROM made;
