-- What an update from 1.0 changes of what is there. All that is new or can be
-- replaced comes from the script of 1.1 itself: see sql/update/write.

-- A parallel pg_restore would have to fill one of the tables first.
ALTER TABLE cp_webhook.pipeline_versions DROP CONSTRAINT pipeline_versions_name_fkey;

ALTER TABLE cp_webhook.webhook_definitions
  ADD COLUMN previous_secret text COLLATE "C",
  ADD COLUMN verify_token text COLLATE "C";

ALTER TABLE cp_webhook.webhook_counters
  ADD COLUMN last_delivery timestamptz,
  ADD COLUMN last_reason_at timestamptz,
  ADD COLUMN last_reason text;

ALTER TABLE cp_webhook.deliveries ADD COLUMN signature text COLLATE "C";

-- What is there is of an era that has passed, and keeps its order in it: no row
-- is written for that.
ALTER TABLE cp_webhook.executions
  ADD COLUMN era bigint NOT NULL DEFAULT 0,
  ADD COLUMN nonce text COLLATE "C",
  ADD COLUMN retry_at timestamptz;
ALTER TABLE cp_webhook.executions ALTER COLUMN era DROP DEFAULT;
DROP INDEX cp_webhook.executions_waiting;

-- It returns more columns.
DROP FUNCTION cp_webhook.stats();
