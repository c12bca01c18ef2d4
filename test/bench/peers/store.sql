-- One delivery: its key, the delivery, the execution and the notification, in one
-- round trip, one commit. No row comes back for a delivery id that is known.
-- $1 delivery id, $2 event, $3 headers, $4 body, $5 address of the sender.
WITH k AS (
  INSERT INTO bench.delivery_keys (webhook_id, key, execution)
  VALUES ('00000000-0000-0000-0000-000000000001', $1::text, gen_random_uuid())
  ON CONFLICT DO NOTHING RETURNING key, execution
), d AS (
  INSERT INTO bench.deliveries (id, received_at, webhook, provider_delivery_id, event, source_address,
    peer_address, outcome, http_status, headers, payload, webhook_id, signature)
  SELECT gen_random_uuid(), now(), 'bench', key, $2::text, $5::inet, $5::inet, 'triggered', 200, $3::jsonb, $4::jsonb,
    '00000000-0000-0000-0000-000000000001', 'current' FROM k
  RETURNING id
), e AS (
  INSERT INTO bench.executions (id, pipeline, version, action, trigger_type, delivery,
    created_at, updated_at, webhook_id)
  SELECT k.execution, 'bench', 1, 'GitHub', 'Webhook',
    d.id, now(), now(), '00000000-0000-0000-0000-000000000001' FROM k, d
  RETURNING id, delivery
)
SELECT id::text, pg_notify('bench', json_build_object('pipelineExecutionId', id, 'pipelineName', 'bench',
  'webhook', 'bench', 'event', $2::text, 'deliveryId', delivery, 'receivedAt', now())::text)::text FROM e
