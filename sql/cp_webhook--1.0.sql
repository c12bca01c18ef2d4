/* cp_webhook--1.0.sql: the tables, views and functions of cp_webhook 1.0 */

\echo Use "CREATE EXTENSION cp_webhook" to load this file. \quit

-- Nothing here is granted to PUBLIC, and every name is written with its
-- schema: the script runs with the search_path of pg_catalog alone.

-- ---------------------------------------------------------------------------
-- The database must be UTF8: bodies are UTF-8 and are stored as they are.
-- ---------------------------------------------------------------------------
DO $$
BEGIN
  IF pg_catalog.current_setting('server_encoding') <> 'UTF8' THEN
    RAISE EXCEPTION 'cp_webhook needs a database with encoding UTF8'
      USING ERRCODE = 'feature_not_supported',
            DETAIL = pg_catalog.format('This database has encoding %s.', pg_catalog.current_setting('server_encoding')),
            HINT = 'Use a database made with CREATE DATABASE ... ENCODING ''UTF8'' TEMPLATE template0.';
  END IF;
END
$$;

CREATE SCHEMA cp_webhook;
REVOKE ALL ON SCHEMA cp_webhook FROM PUBLIC;
COMMENT ON SCHEMA cp_webhook IS 'AWS CodePipeline''s webhook service: definitions, deliveries, executions';

-- ---------------------------------------------------------------------------
-- Definitions
-- ---------------------------------------------------------------------------

-- The pipelines by name. The declaration of each version is kept beside them;
-- deleting a pipeline deletes its versions, its executions stay.
CREATE TABLE cp_webhook.pipeline_definitions (
  name text COLLATE "C" PRIMARY KEY,
  version integer NOT NULL,
  execution_mode text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE cp_webhook.pipeline_definitions IS 'one row a pipeline: its current version and execution mode';

CREATE TABLE cp_webhook.pipeline_versions (
  name text COLLATE "C" NOT NULL REFERENCES cp_webhook.pipeline_definitions ON DELETE CASCADE,
  version integer NOT NULL,
  declaration jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  PRIMARY KEY (name, version)
);
COMMENT ON TABLE cp_webhook.pipeline_versions IS 'the declaration of each version of a pipeline; holds secrets of its actions'' configurations';

-- The webhooks. id is the internal identity (delete and put again makes
-- another one); token is the secret part of the URL.
CREATE TABLE cp_webhook.webhook_definitions (
  id uuid PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  token text COLLATE "C" NOT NULL UNIQUE,
  pipeline text COLLATE "C" NOT NULL,
  action text COLLATE "C" NOT NULL,
  authentication text COLLATE "C" NOT NULL,
  secret text COLLATE "C",
  configuration jsonb NOT NULL,
  filters jsonb NOT NULL,
  error_code text,
  error_message text,
  created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE cp_webhook.webhook_definitions IS 'one row a webhook; holds secrets: read the view webhooks instead';
COMMENT ON COLUMN cp_webhook.webhook_definitions.secret IS 'SecretToken as it was put; NULL where the authentication has none';
COMMENT ON COLUMN cp_webhook.webhook_definitions.configuration IS 'the members of authenticationConfiguration that are no secrets, as they were put';
COMMENT ON COLUMN cp_webhook.webhook_definitions.filters IS 'the array of filter rules, as they were put';

-- Counters of deliveries, written behind by the workers about once a second.
-- A worker writes only rows of its own number, so that no two ever wait for
-- each other.
CREATE TABLE cp_webhook.webhook_counters (
  webhook_id uuid NOT NULL,
  worker integer NOT NULL,
  triggered bigint NOT NULL DEFAULT 0,
  ignored bigint NOT NULL DEFAULT 0,
  duplicate bigint NOT NULL DEFAULT 0,
  rejected bigint NOT NULL DEFAULT 0,
  pong bigint NOT NULL DEFAULT 0,
  last_triggered timestamptz,
  PRIMARY KEY (webhook_id, worker)
) WITH (fillfactor = 50);
COMMENT ON TABLE cp_webhook.webhook_counters IS 'deliveries by outcome, a row a webhook and receiver, at most about a second late';

CREATE TABLE cp_webhook.resource_tags (
  resource_type text COLLATE "C" NOT NULL,
  resource_name text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  value text NOT NULL,
  PRIMARY KEY (resource_type, resource_name, key)
);
COMMENT ON TABLE cp_webhook.resource_tags IS 'tags of webhooks and pipelines; resource_type is webhook or pipeline';

-- ---------------------------------------------------------------------------
-- Deliveries and executions
-- ---------------------------------------------------------------------------

-- One row a POST on a known URL, append-only, a partition a day by range of id
-- (a uuid v7 begins with its time). The partitions are made by the receivers
-- and are no members of the extension: rows of members would not be restored.
-- Indexes are made on each partition, none here: a restore would fail at
-- ATTACH.
CREATE TABLE cp_webhook.deliveries (
  id uuid NOT NULL,
  received_at timestamptz NOT NULL,
  webhook text COLLATE "C" NOT NULL,
  provider_delivery_id text COLLATE "C",
  event text COLLATE "C",
  source_address inet,
  peer_address inet,
  outcome text COLLATE "C" NOT NULL,
  reason text,
  http_status integer NOT NULL,
  headers jsonb NOT NULL,
  payload jsonb,
  redelivery_of uuid,
  webhook_id uuid NOT NULL
) PARTITION BY RANGE (id);
COMMENT ON TABLE cp_webhook.deliveries IS 'one row a POST on a known URL; a partition a day';
COMMENT ON COLUMN cp_webhook.deliveries.id IS 'uuid v7; its first 60 bits are received_at';
COMMENT ON COLUMN cp_webhook.deliveries.outcome IS 'triggered, ignored, duplicate, rejected or pong';
COMMENT ON COLUMN cp_webhook.deliveries.reason IS 'why it did not trigger, in one sentence';
COMMENT ON COLUMN cp_webhook.deliveries.payload IS 'the body; NULL for rejected and duplicate ones';

-- lz4 halves the cost of storing a payload; a server may be built without it.
DO $$
BEGIN
  ALTER TABLE cp_webhook.deliveries ALTER COLUMN payload SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
  RAISE NOTICE 'this server is built without lz4: payloads are stored with pglz, which is slower';
END
$$;

-- What makes a sender's retry harmless: a key is stored together with the
-- execution that it started. No foreign key: a consumer that holds an
-- execution's row locked must not block a receiver.
CREATE TABLE cp_webhook.delivery_keys (
  webhook_id uuid NOT NULL,
  key text COLLATE "C" NOT NULL,
  execution uuid NOT NULL,
  PRIMARY KEY (webhook_id, key)
);
COMMENT ON TABLE cp_webhook.delivery_keys IS 'the sender''s delivery ids of deliveries that triggered, with the execution of the first one';

-- xid is the order in which executions become visible to late comers: only
-- what is below the oldest running transaction is settled.
CREATE TABLE cp_webhook.executions (
  id uuid PRIMARY KEY,
  pipeline text COLLATE "C" NOT NULL,
  version integer NOT NULL,
  action text COLLATE "C",
  trigger_type text COLLATE "C" NOT NULL,
  trigger_detail text COLLATE "C",
  delivery uuid,
  status text COLLATE "C" NOT NULL DEFAULT 'InProgress',
  attempts integer NOT NULL DEFAULT 0,
  lease_holder text,
  lease_until timestamptz,
  result jsonb,
  reason text,
  created_at timestamptz NOT NULL,
  started_at timestamptz,
  ended_at timestamptz,
  updated_at timestamptz NOT NULL,
  webhook_id uuid,
  client_request_token text COLLATE "C",
  request jsonb,
  xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id()
);
COMMENT ON TABLE cp_webhook.executions IS 'one row a pipeline execution';
COMMENT ON COLUMN cp_webhook.executions.request IS 'variables and sourceRevisions of start_pipeline_execution, as they were given';
COMMENT ON COLUMN cp_webhook.executions.xid IS 'the transaction that made it';

CREATE INDEX executions_pipeline ON cp_webhook.executions (pipeline, id);
-- What a claim touches.
CREATE INDEX executions_waiting ON cp_webhook.executions (id)
  WHERE status = 'InProgress' AND lease_until IS NULL;
CREATE UNIQUE INDEX executions_client_request_token
  ON cp_webhook.executions (pipeline, client_request_token)
  WHERE client_request_token IS NOT NULL;

SELECT pg_catalog.pg_extension_config_dump('cp_webhook.pipeline_definitions', '');
SELECT pg_catalog.pg_extension_config_dump('cp_webhook.pipeline_versions', '');
SELECT pg_catalog.pg_extension_config_dump('cp_webhook.webhook_definitions', '');
SELECT pg_catalog.pg_extension_config_dump('cp_webhook.webhook_counters', '');
SELECT pg_catalog.pg_extension_config_dump('cp_webhook.resource_tags', '');
SELECT pg_catalog.pg_extension_config_dump('cp_webhook.delivery_keys', '');
SELECT pg_catalog.pg_extension_config_dump('cp_webhook.executions', '');

-- ---------------------------------------------------------------------------
-- Caches of the workers
-- ---------------------------------------------------------------------------

-- The workers keep compiled webhooks in memory; a change of a definition drops
-- them through PostgreSQL's own invalidation messages. Row triggers, ENABLE
-- ALWAYS: logical replication fires no statement trigger and no ordinary one.
CREATE FUNCTION cp_webhook.definitions_changed() RETURNS trigger
  LANGUAGE c AS 'MODULE_PATHNAME', 'cp_webhook_definitions_changed';
REVOKE ALL ON FUNCTION cp_webhook.definitions_changed() FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.definitions_changed() IS 'trigger: makes every receiver forget the webhooks it has compiled';

CREATE TRIGGER definitions_changed
  AFTER INSERT OR UPDATE OR DELETE ON cp_webhook.webhook_definitions
  FOR EACH ROW EXECUTE FUNCTION cp_webhook.definitions_changed();
CREATE TRIGGER definitions_truncated
  AFTER TRUNCATE ON cp_webhook.webhook_definitions
  FOR EACH STATEMENT EXECUTE FUNCTION cp_webhook.definitions_changed();
CREATE TRIGGER definitions_changed
  AFTER INSERT OR UPDATE OR DELETE ON cp_webhook.pipeline_definitions
  FOR EACH ROW EXECUTE FUNCTION cp_webhook.definitions_changed();
CREATE TRIGGER definitions_truncated
  AFTER TRUNCATE ON cp_webhook.pipeline_definitions
  FOR EACH STATEMENT EXECUTE FUNCTION cp_webhook.definitions_changed();
CREATE TRIGGER definitions_changed
  AFTER INSERT OR UPDATE OR DELETE ON cp_webhook.pipeline_versions
  FOR EACH ROW EXECUTE FUNCTION cp_webhook.definitions_changed();
CREATE TRIGGER definitions_truncated
  AFTER TRUNCATE ON cp_webhook.pipeline_versions
  FOR EACH STATEMENT EXECUTE FUNCTION cp_webhook.definitions_changed();
ALTER TABLE cp_webhook.webhook_definitions ENABLE ALWAYS TRIGGER definitions_changed;
ALTER TABLE cp_webhook.webhook_definitions ENABLE ALWAYS TRIGGER definitions_truncated;
ALTER TABLE cp_webhook.pipeline_definitions ENABLE ALWAYS TRIGGER definitions_changed;
ALTER TABLE cp_webhook.pipeline_definitions ENABLE ALWAYS TRIGGER definitions_truncated;
ALTER TABLE cp_webhook.pipeline_versions ENABLE ALWAYS TRIGGER definitions_changed;
ALTER TABLE cp_webhook.pipeline_versions ENABLE ALWAYS TRIGGER definitions_truncated;

-- ---------------------------------------------------------------------------
-- Operations: one function an operation of the API, jsonb in, jsonb out
-- ---------------------------------------------------------------------------
