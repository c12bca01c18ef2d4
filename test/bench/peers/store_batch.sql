-- Many deliveries at once: what store.sql does, an array a parameter. The ids
-- are made by the caller. Rows come back for those that were not known.
-- $1 delivery ids, $2 events, $3 headers, $4 bodies, $5 addresses, $6 executions,
-- $7 deliveries; in the order of the delivery ids, so that two writers that store
-- the same ones cannot deadlock.
WITH item AS MATERIALIZED (
  SELECT unnest($1::text[]) AS key, unnest($2::text[]) AS event, unnest($3::text[]) AS headers,
    unnest($4::text[]) AS body, unnest($5::inet[]) AS address, unnest($6::uuid[]) AS execution, unnest($7::uuid[]) AS id
), k AS (
  INSERT INTO bench.delivery_keys (webhook_id, key, execution)
  SELECT '00000000-0000-0000-0000-000000000001', key, execution FROM item
  ON CONFLICT DO NOTHING RETURNING execution
), d AS (
  INSERT INTO bench.deliveries (id, received_at, webhook, provider_delivery_id, event, source_address,
    peer_address, outcome, http_status, headers, payload, webhook_id, signature)
  SELECT id, now(), 'bench', key, event, address, address, 'triggered', 200, headers::jsonb, body::jsonb,
    '00000000-0000-0000-0000-000000000001', 'current'
  FROM item WHERE execution IN (SELECT k.execution FROM k)
), e AS (
  INSERT INTO bench.executions (id, pipeline, version, action, trigger_type, delivery,
    created_at, updated_at, webhook_id)
  SELECT execution, 'bench', 1, 'GitHub', 'Webhook',
    id, now(), now(), '00000000-0000-0000-0000-000000000001'
  FROM item WHERE execution IN (SELECT k.execution FROM k)
  RETURNING id, delivery
)
SELECT e.id::text, pg_notify('bench', json_build_object('pipelineExecutionId', e.id, 'pipelineName', 'bench',
  'webhook', 'bench', 'event', 'push', 'deliveryId', e.delivery, 'receivedAt', now())::text)::text FROM e
