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

-- Not STRICT: a NULL request is an error, not a NULL answer. They run as their
-- owner, so that a role needs EXECUTE on them and nothing on the tables.

CREATE FUNCTION cp_webhook.put_webhook(request jsonb) RETURNS jsonb
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_put_webhook';
REVOKE ALL ON FUNCTION cp_webhook.put_webhook(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.put_webhook(jsonb) IS 'puts a webhook: {"webhook": WebhookDefinition, "tags": [Tag]} in, {"webhook": ListWebhookItem} out. A new name makes a webhook, a known one is updated and keeps its URL; tags, when given, replace the old ones; the secret **** keeps the old one. Raises ValidationException (CP001), LimitExceededException (CP002), InvalidWebhookFilterPatternException (CP003), InvalidWebhookAuthenticationParametersException (CP004), PipelineNotFoundException (CP005), ConcurrentModificationException (CP008), TooManyTagsException (CP009), InvalidTagsException (CP010)';

CREATE FUNCTION cp_webhook.list_webhooks(request jsonb DEFAULT '{}') RETURNS jsonb
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_list_webhooks';
REVOKE ALL ON FUNCTION cp_webhook.list_webhooks(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.list_webhooks(jsonb) IS 'lists webhooks in the order of names: {"NextToken", "MaxResults"} in, {"webhooks": [ListWebhookItem], "NextToken"} out. Raises ValidationException (CP001), InvalidNextTokenException (CP007)';

CREATE FUNCTION cp_webhook.delete_webhook(request jsonb) RETURNS jsonb
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_delete_webhook';
REVOKE ALL ON FUNCTION cp_webhook.delete_webhook(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.delete_webhook(jsonb) IS 'deletes a webhook and its tags, its URL for good: {"name"} in, {} out, also when there is none. Raises ValidationException (CP001)';

CREATE FUNCTION cp_webhook.create_pipeline(request jsonb) RETURNS jsonb
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_create_pipeline';
REVOKE ALL ON FUNCTION cp_webhook.create_pipeline(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.create_pipeline(jsonb) IS 'creates a pipeline: {"pipeline": PipelineDeclaration, "tags": [Tag]} in, {"pipeline", "tags"} out. Raises ValidationException (CP001), TooManyTagsException (CP009), InvalidTagsException (CP010), PipelineNameInUseException (CP013), InvalidStructureException (CP015), InvalidStageDeclarationException (CP016), InvalidActionDeclarationException (CP017)';

CREATE FUNCTION cp_webhook.update_pipeline(request jsonb) RETURNS jsonb
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_update_pipeline';
REVOKE ALL ON FUNCTION cp_webhook.update_pipeline(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.update_pipeline(jsonb) IS 'makes the next version of a pipeline: {"pipeline": PipelineDeclaration} in, {"pipeline"} out; **** in the place of a secret keeps the old one. Raises ValidationException (CP001), PipelineNotFoundException (CP005), InvalidStructureException (CP015), InvalidStageDeclarationException (CP016), InvalidActionDeclarationException (CP017)';

CREATE FUNCTION cp_webhook.get_pipeline(request jsonb) RETURNS jsonb
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_get_pipeline';
REVOKE ALL ON FUNCTION cp_webhook.get_pipeline(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.get_pipeline(jsonb) IS 'shows a pipeline, its secrets as ****: {"name", "version"} in, {"pipeline": PipelineDeclaration, "metadata"} out; without a version the current one. Raises ValidationException (CP001), PipelineNotFoundException (CP005), PipelineVersionNotFoundException (CP014)';

CREATE FUNCTION cp_webhook.list_pipelines(request jsonb DEFAULT '{}') RETURNS jsonb
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_list_pipelines';
REVOKE ALL ON FUNCTION cp_webhook.list_pipelines(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.list_pipelines(jsonb) IS 'lists pipelines in the order of names: {"nextToken", "maxResults"} in, {"pipelines": [PipelineSummary], "nextToken"} out. Raises ValidationException (CP001), InvalidNextTokenException (CP007)';

CREATE FUNCTION cp_webhook.delete_pipeline(request jsonb) RETURNS jsonb
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_delete_pipeline';
REVOKE ALL ON FUNCTION cp_webhook.delete_pipeline(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.delete_pipeline(jsonb) IS 'deletes a pipeline, its versions and tags; executions stay: {"name"} in, {} out, also when there is none. Raises ValidationException (CP001)';

CREATE FUNCTION cp_webhook.start_pipeline_execution(request jsonb) RETURNS jsonb
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_start_pipeline_execution';
REVOKE ALL ON FUNCTION cp_webhook.start_pipeline_execution(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.start_pipeline_execution(jsonb) IS 'starts a pipeline: {"name", "variables", "clientRequestToken", "sourceRevisions"} in, {"pipelineExecutionId"} out; a clientRequestToken that was used before answers its first execution. Raises ValidationException (CP001), PipelineNotFoundException (CP005), ConflictException (CP021)';

CREATE FUNCTION cp_webhook.stop_pipeline_execution(request jsonb) RETURNS jsonb
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_stop_pipeline_execution';
REVOKE ALL ON FUNCTION cp_webhook.stop_pipeline_execution(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.stop_pipeline_execution(jsonb) IS 'stops an execution: {"pipelineName", "pipelineExecutionId", "abandon", "reason"} in, {"pipelineExecutionId"} out; a waiting one is Stopped at once, a claimed one Stopping until its worker ends it, Stopped at once with abandon. Raises ValidationException (CP001), PipelineNotFoundException (CP005), PipelineExecutionNotStoppableException (CP019), DuplicatedStopRequestException (CP020)';

CREATE FUNCTION cp_webhook.get_pipeline_execution(request jsonb) RETURNS jsonb
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_get_pipeline_execution';
REVOKE ALL ON FUNCTION cp_webhook.get_pipeline_execution(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.get_pipeline_execution(jsonb) IS 'shows an execution: {"pipelineName", "pipelineExecutionId"} in, {"pipelineExecution"} out. Raises ValidationException (CP001), PipelineNotFoundException (CP005), PipelineExecutionNotFoundException (CP018)';

CREATE FUNCTION cp_webhook.list_pipeline_executions(request jsonb) RETURNS jsonb
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_list_pipeline_executions';
REVOKE ALL ON FUNCTION cp_webhook.list_pipeline_executions(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.list_pipeline_executions(jsonb) IS 'lists the executions of a pipeline, newest first: {"pipelineName", "maxResults", "filter", "nextToken"} in, {"pipelineExecutionSummaries", "nextToken"} out. Raises ValidationException (CP001), PipelineNotFoundException (CP005), InvalidNextTokenException (CP007)';

CREATE FUNCTION cp_webhook.tag_resource(request jsonb) RETURNS jsonb
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_tag_resource';
REVOKE ALL ON FUNCTION cp_webhook.tag_resource(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.tag_resource(jsonb) IS 'adds tags to a webhook or pipeline: {"resourceArn", "tags": [Tag]} in, {} out; a key that is there gets the new value. Raises ValidationException (CP001), TooManyTagsException (CP009), InvalidTagsException (CP010), InvalidArnException (CP011), ResourceNotFoundException (CP012)';

CREATE FUNCTION cp_webhook.untag_resource(request jsonb) RETURNS jsonb
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_untag_resource';
REVOKE ALL ON FUNCTION cp_webhook.untag_resource(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.untag_resource(jsonb) IS 'removes tags from a webhook or pipeline: {"resourceArn", "tagKeys": [string]} in, {} out. Raises ValidationException (CP001), InvalidTagsException (CP010), InvalidArnException (CP011), ResourceNotFoundException (CP012)';

CREATE FUNCTION cp_webhook.list_tags_for_resource(request jsonb) RETURNS jsonb
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_list_tags_for_resource';
REVOKE ALL ON FUNCTION cp_webhook.list_tags_for_resource(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.list_tags_for_resource(jsonb) IS 'lists the tags of a webhook or pipeline in the order of keys: {"resourceArn", "nextToken", "maxResults"} in, {"tags": [Tag], "nextToken"} out. Raises ValidationException (CP001), InvalidNextTokenException (CP007), InvalidArnException (CP011), ResourceNotFoundException (CP012)';

-- ---------------------------------------------------------------------------
-- Views. Who is granted SELECT on webhooks needs EXECUTE on its functions too:
-- a view calls them as its reader.
-- ---------------------------------------------------------------------------
CREATE FUNCTION cp_webhook.webhook_url(token text) RETURNS text
  LANGUAGE c STABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'cp_webhook_webhook_url';
REVOKE ALL ON FUNCTION cp_webhook.webhook_url(text) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.webhook_url(text) IS 'the URL on which the webhook of a token takes POSTs';

CREATE FUNCTION cp_webhook.webhook_arn(name text) RETURNS text
  LANGUAGE c STABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'cp_webhook_webhook_arn';
REVOKE ALL ON FUNCTION cp_webhook.webhook_arn(text) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.webhook_arn(text) IS 'the ARN of the webhook of a name';

CREATE FUNCTION cp_webhook.uuid_at(instant timestamptz) RETURNS uuid
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'cp_webhook_uuid_at';
REVOKE ALL ON FUNCTION cp_webhook.uuid_at(timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.uuid_at(timestamptz) IS 'the least id of an instant: deliveries and executions since then have ids from this one on';

-- The counters are written about a second late; what has been triggered since
-- is looked up, so that last_triggered is exact.
CREATE VIEW cp_webhook.webhooks AS
SELECT w.name,
       cp_webhook.webhook_url(w.token) AS url,
       cp_webhook.webhook_arn(w.name) AS arn,
       w.pipeline,
       w.action,
       w.authentication,
       w.filters,
       GREATEST(c.last_triggered, d.received_at) AS last_triggered,
       w.error_code,
       w.error_message,
       w.created_at,
       w.updated_at,
       c.triggered,
       c.ignored,
       c.duplicate,
       c.rejected,
       c.pong,
       w.configuration
  FROM cp_webhook.webhook_definitions w
 CROSS JOIN LATERAL (
       SELECT pg_catalog.max(n.last_triggered) AS last_triggered,
              COALESCE(pg_catalog.sum(n.triggered), 0)::bigint AS triggered,
              COALESCE(pg_catalog.sum(n.ignored), 0)::bigint AS ignored,
              COALESCE(pg_catalog.sum(n.duplicate), 0)::bigint AS duplicate,
              COALESCE(pg_catalog.sum(n.rejected), 0)::bigint AS rejected,
              COALESCE(pg_catalog.sum(n.pong), 0)::bigint AS pong
         FROM cp_webhook.webhook_counters n
        WHERE n.webhook_id = w.id) c
  LEFT JOIN LATERAL (
       SELECT l.received_at
         FROM cp_webhook.deliveries l
        WHERE l.webhook_id = w.id
          AND l.outcome = 'triggered'
          AND l.id >= cp_webhook.uuid_at(COALESCE(c.last_triggered, w.created_at))
        ORDER BY l.id DESC
        LIMIT 1) d ON true;
REVOKE ALL ON cp_webhook.webhooks FROM PUBLIC;
COMMENT ON VIEW cp_webhook.webhooks IS 'one row a webhook, without its secret; counters are at most about a second late';

CREATE VIEW cp_webhook.trigger_events AS
SELECT e.id AS execution_id,
       e.pipeline,
       e.version,
       e.action,
       e.trigger_type,
       e.trigger_detail,
       e.delivery,
       e.status,
       e.attempts,
       e.lease_holder,
       e.lease_until,
       e.result,
       e.reason,
       e.created_at,
       e.started_at,
       e.ended_at,
       d.webhook,
       d.event,
       d.provider_delivery_id,
       d.received_at,
       d.headers,
       d.payload
  FROM cp_webhook.executions e
  LEFT JOIN cp_webhook.deliveries d ON d.id = e.delivery;
REVOKE ALL ON cp_webhook.trigger_events FROM PUBLIC;
COMMENT ON VIEW cp_webhook.trigger_events IS 'one row an execution with what started it: what a consumer reads';

-- ---------------------------------------------------------------------------
-- Who creates the extension should learn at once why nothing listens.
-- ---------------------------------------------------------------------------
DO $$
DECLARE
  configured text := pg_catalog.current_setting('cp_webhook.database', true);
BEGIN
  IF pg_catalog.current_setting('shared_preload_libraries') !~ '(^|[,/"[:space:]])cp_webhook(\.so)?($|[,"[:space:]])' THEN
    RAISE WARNING 'cp_webhook is not preloaded: no receiver listens'
      USING HINT = 'Set shared_preload_libraries = ''cp_webhook'' and restart the server.';
  ELSIF configured <> pg_catalog.current_database() THEN
    RAISE WARNING 'the receivers work in database "%", not in this one', configured
      USING HINT = pg_catalog.format('Set cp_webhook.database = %L and restart the server.', pg_catalog.current_database());
  END IF;
END
$$;

-- ---------------------------------------------------------------------------
-- The receivers
-- ---------------------------------------------------------------------------
CREATE FUNCTION cp_webhook.stats(
    OUT worker integer, OUT pid integer, OUT started_at timestamptz,
    OUT listening text, OUT requests bigint, OUT triggered bigint,
    OUT ignored bigint, OUT duplicate bigint, OUT pong bigint,
    OUT refused bigint, OUT unavailable bigint, OUT body_bytes bigint,
    OUT batches bigint, OUT batched bigint, OUT largest_batch bigint,
    OUT batch_ms double precision, OUT connections bigint,
    OUT buffered_bytes bigint, OUT last_error text,
    OUT last_error_at timestamptz, OUT refused_connections bigint,
    OUT certificate_expires_at timestamptz, OUT certificate_days integer)
  RETURNS SETOF record
  LANGUAGE c VOLATILE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'cp_webhook_stats';
REVOKE ALL ON FUNCTION cp_webhook.stats() FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.stats() IS 'a row a receiver: where it listens, what it has counted since the server''s start (requests and what became of them, batches, requests in them, milliseconds spent on them), what it holds now; no rows where the library is not preloaded';
