-- What a transaction of 64 deliveries leaves behind, by plain SQL and nothing
-- else: the limit that the database sets. No request is read or answered, no
-- signature checked; the body comes once and is parsed for each row.
WITH item AS MATERIALIZED (
  SELECT unnest(array_fill(:body::text, ARRAY[64])) AS body, gen_random_uuid()::text AS key,
    gen_random_uuid() AS execution, gen_random_uuid() AS id
), k AS (
  INSERT INTO bench.delivery_keys (webhook_id, key, execution)
  SELECT '00000000-0000-0000-0000-000000000001', key, execution FROM item
), d AS (
  INSERT INTO bench.deliveries (id, received_at, webhook, provider_delivery_id, event, source_address,
    peer_address, outcome, http_status, headers, payload, webhook_id, signature)
  SELECT id, now(), 'bench', key, 'push', '127.0.0.1', '127.0.0.1', 'triggered', 200, :headers::jsonb, body::jsonb,
    '00000000-0000-0000-0000-000000000001', 'current' FROM item
), e AS (
  INSERT INTO bench.executions (id, pipeline, version, action, trigger_type, delivery,
    created_at, updated_at, webhook_id)
  SELECT execution, 'bench', 1, 'GitHub', 'Webhook',
    id, now(), now(), '00000000-0000-0000-0000-000000000001' FROM item
)
SELECT count(pg_notify('bench', json_build_object('pipelineExecutionId', execution, 'pipelineName', 'bench',
  'webhook', 'bench', 'event', 'push', 'deliveryId', id, 'receivedAt', now())::text)) FROM item;
