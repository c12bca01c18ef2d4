-- The tables that the peers and the limits store into: the columns, indexes and
-- compression of the extension's own, without its partitions and its trigger.
CREATE SCHEMA bench;
CREATE TABLE bench.delivery_keys (LIKE cp_webhook.delivery_keys INCLUDING ALL);
CREATE TABLE bench.executions (LIKE cp_webhook.executions INCLUDING ALL);
ALTER TABLE bench.executions ALTER COLUMN era SET DEFAULT 0,
  ALTER COLUMN trigger_detail SET DEFAULT 'arn:aws:codepipeline:us-east-1:000000000000:webhook:bench';
CREATE TABLE bench.deliveries (LIKE cp_webhook.deliveries INCLUDING ALL);
CREATE UNIQUE INDEX ON bench.deliveries (id);
CREATE INDEX ON bench.deliveries (webhook_id, outcome, id);
