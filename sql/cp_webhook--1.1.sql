/* cp_webhook--1.1.sql: the tables, views and functions of cp_webhook 1.1 */

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
-- delete_pipeline deletes both, the executions stay. There is no foreign key:
-- of an extension's tables pg_dump does not tell a parallel pg_restore which
-- has to wait for which.
CREATE TABLE cp_webhook.pipeline_definitions (
  name text COLLATE "C" PRIMARY KEY,
  version integer NOT NULL,
  execution_mode text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE cp_webhook.pipeline_definitions IS 'one row a pipeline: its current version and execution mode';

CREATE TABLE cp_webhook.pipeline_versions (
  name text COLLATE "C" NOT NULL,
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
  updated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  previous_secret text COLLATE "C",
  verify_token text COLLATE "C"
);
COMMENT ON TABLE cp_webhook.webhook_definitions IS 'one row a webhook; holds secrets: read the view webhooks instead';
COMMENT ON COLUMN cp_webhook.webhook_definitions.secret IS 'SecretToken, sealed where cp_webhook.secret_key_file is set; NULL where there is none';
COMMENT ON COLUMN cp_webhook.webhook_definitions.previous_secret IS 'PreviousSecretToken, sealed like secret; NULL where there is none';
COMMENT ON COLUMN cp_webhook.webhook_definitions.verify_token IS 'VerifyToken, sealed like secret; NULL where there is none';
COMMENT ON COLUMN cp_webhook.webhook_definitions.configuration IS 'the members of authenticationConfiguration that are no secrets, as they were put; **** for a secret that the authentication does not require';
COMMENT ON COLUMN cp_webhook.webhook_definitions.filters IS 'the array of filter rules, as they were put';

-- Every update of the extension ends with this line again: the workers and
-- sessions watch the table, and look anew at the version when it changes.
REVOKE ALL ON cp_webhook.webhook_definitions FROM PUBLIC;

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
  last_delivery timestamptz,
  last_reason_at timestamptz,
  last_reason text,
  PRIMARY KEY (webhook_id, worker)
) WITH (fillfactor = 50);
COMMENT ON TABLE cp_webhook.webhook_counters IS 'deliveries by outcome, a row a webhook and receiver, at most about a second late';

-- The same by minute for an hour: a ring of rows a webhook and worker, so that
-- nothing has to be removed. A worker writes only rows of its own number.
CREATE TABLE cp_webhook.webhook_minutes (
  webhook_id uuid NOT NULL,
  worker integer NOT NULL,
  slot smallint NOT NULL,
  minute timestamptz NOT NULL,
  triggered bigint NOT NULL,
  ignored bigint NOT NULL,
  duplicate bigint NOT NULL,
  rejected bigint NOT NULL,
  pong bigint NOT NULL,
  PRIMARY KEY (webhook_id, worker, slot)
) WITH (fillfactor = 50);
COMMENT ON TABLE cp_webhook.webhook_minutes IS 'deliveries of the last hour by outcome and minute, a row a webhook, receiver and minute of the hour';

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
-- (a uuid v7 begins with its time). The partitions are made by the workers
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
  webhook_id uuid NOT NULL,
  signature text COLLATE "C"
) PARTITION BY RANGE (id);
COMMENT ON TABLE cp_webhook.deliveries IS 'one row a POST on a known URL; a partition a day';
COMMENT ON COLUMN cp_webhook.deliveries.id IS 'uuid v7; its first 60 bits are received_at';
COMMENT ON COLUMN cp_webhook.deliveries.outcome IS 'triggered, ignored, duplicate, rejected or pong';
COMMENT ON COLUMN cp_webhook.deliveries.reason IS 'why it did not trigger, in one sentence';
COMMENT ON COLUMN cp_webhook.deliveries.signature IS 'what it was verified with: current, previous (SecretToken, PreviousSecretToken) or public_key; NULL where nothing was compared, or nothing was right';
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

-- era and xid are the order in which executions become visible to late comers:
-- of the current era only what is below the oldest running transaction is
-- settled. Waiting is InProgress without lease_until.
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
  xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
  era bigint NOT NULL,
  nonce text COLLATE "C",
  retry_at timestamptz
);
COMMENT ON TABLE cp_webhook.executions IS 'one row a pipeline execution';
COMMENT ON COLUMN cp_webhook.executions.request IS 'variables and sourceRevisions of start_pipeline_execution, as they were given';
COMMENT ON COLUMN cp_webhook.executions.xid IS 'the transaction that made it; leave it out of a publication';
COMMENT ON COLUMN cp_webhook.executions.era IS 'the cluster and timeline that xid is counted in; leave it out of a publication';
COMMENT ON COLUMN cp_webhook.executions.attempts IS 'how often it has been claimed';
COMMENT ON COLUMN cp_webhook.executions.nonce IS 'the claim that it is leased to';
COMMENT ON COLUMN cp_webhook.executions.retry_at IS 'before when a failed attempt is not repeated';

CREATE INDEX executions_pipeline ON cp_webhook.executions (pipeline, id);
CREATE INDEX executions_position ON cp_webhook.executions (era, xid, id);
-- What a claim touches: what waits, what is leased, what is to be retried.
CREATE INDEX executions_waiting ON cp_webhook.executions (pipeline, id)
  WHERE status = 'InProgress' AND lease_until IS NULL AND retry_at IS NULL;
CREATE INDEX executions_leased ON cp_webhook.executions (pipeline, lease_until)
  WHERE lease_until IS NOT NULL;
CREATE INDEX executions_retrying ON cp_webhook.executions (pipeline, retry_at)
  WHERE status = 'InProgress' AND lease_until IS NULL AND retry_at IS NOT NULL;
CREATE UNIQUE INDEX executions_client_request_token
  ON cp_webhook.executions (pipeline, client_request_token)
  WHERE client_request_token IS NOT NULL;

-- ---------------------------------------------------------------------------
-- Registrations with third parties
-- ---------------------------------------------------------------------------

-- What is to be done at the third parties that send deliveries: written in the
-- transaction of who asks for it, done by the maintenance worker after its
-- commit. One row a webhook and place where it has, or may have, a hook; of
-- these one is current. A row outlives its webhook until the hook is gone.
-- No foreign key for that reason.
CREATE TABLE cp_webhook.third_party_registrations (
  id uuid PRIMARY KEY,
  webhook_id uuid NOT NULL,
  webhook text COLLATE "C" NOT NULL,
  url_token text COLLATE "C" NOT NULL,
  is_current boolean NOT NULL DEFAULT true,
  wanted text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL DEFAULT 'pending',
  revision integer NOT NULL DEFAULT 1,
  provider text COLLATE "C" NOT NULL,
  api_url text COLLATE "C" NOT NULL,
  repository text COLLATE "C" NOT NULL,
  access_token text COLLATE "C" NOT NULL,
  hook_id text COLLATE "C",
  public_url text COLLATE "C",
  fingerprint text COLLATE "C",
  creating_at timestamptz,
  attempts integer NOT NULL DEFAULT 0,
  next_try_at timestamptz,
  error_code text,
  last_error text,
  system_identifier bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  UNIQUE (webhook_id, provider, api_url, repository)
);
COMMENT ON TABLE cp_webhook.third_party_registrations IS 'one row a webhook and place where it is to be registered, or no longer; holds access tokens: read the view registrations instead';
COMMENT ON COLUMN cp_webhook.third_party_registrations.url_token IS 'the end of the hook''s URL, by which it is found at the third party';
COMMENT ON COLUMN cp_webhook.third_party_registrations.wanted IS 'registered or deregistered';
COMMENT ON COLUMN cp_webhook.third_party_registrations.state IS 'pending, working, registered, deregistered or failed';
COMMENT ON COLUMN cp_webhook.third_party_registrations.revision IS 'goes up with each wish: an outcome of an older one does not end a newer one';
COMMENT ON COLUMN cp_webhook.third_party_registrations.access_token IS 'the token for the third party, sealed where cp_webhook.secret_key_file is set';
COMMENT ON COLUMN cp_webhook.third_party_registrations.public_url IS 'what the hook''s URL begins with at the third party';
COMMENT ON COLUMN cp_webhook.third_party_registrations.fingerprint IS 'a hash of what the hook is at the third party, sealed as secrets are; NULL: it is to be written again';
COMMENT ON COLUMN cp_webhook.third_party_registrations.creating_at IS 'when a hook was made whose making may not have been answered: until it is settled the third party is looked through';
COMMENT ON COLUMN cp_webhook.third_party_registrations.next_try_at IS 'when it is worked on next; NULL: nothing is to be done';
COMMENT ON COLUMN cp_webhook.third_party_registrations.system_identifier IS 'the cluster that asked for it: a restored copy leaves the hooks of its original alone';
COMMENT ON COLUMN cp_webhook.third_party_registrations.id IS 'names the place of its secrets: registration/<id>/token';
COMMENT ON COLUMN cp_webhook.third_party_registrations.webhook_id IS 'the internal id of the webhook, which may be gone';
COMMENT ON COLUMN cp_webhook.third_party_registrations.webhook IS 'its name';
COMMENT ON COLUMN cp_webhook.third_party_registrations.is_current IS 'whether its webhook is, or was last, to be registered here; false: the hook is to go';
COMMENT ON COLUMN cp_webhook.third_party_registrations.provider IS 'GitHub, GitHubEnterprise, GitLab, Gitea, Forgejo or Bitbucket';
COMMENT ON COLUMN cp_webhook.third_party_registrations.api_url IS 'where its API is';
COMMENT ON COLUMN cp_webhook.third_party_registrations.repository IS 'Owner/Repo, or the path of a project';
COMMENT ON COLUMN cp_webhook.third_party_registrations.hook_id IS 'the provider''s id of the hook; NULL: none is known';
COMMENT ON COLUMN cp_webhook.third_party_registrations.attempts IS 'failures since it was wished';
COMMENT ON COLUMN cp_webhook.third_party_registrations.error_code IS 'the status of the answer, or a name for why there was none; NULL: the last attempt was fine';
COMMENT ON COLUMN cp_webhook.third_party_registrations.last_error IS 'the same in words';
COMMENT ON COLUMN cp_webhook.third_party_registrations.created_at IS 'when it was first wished';
COMMENT ON COLUMN cp_webhook.third_party_registrations.updated_at IS 'when it was wished, or worked on, last';

CREATE UNIQUE INDEX third_party_registrations_current
  ON cp_webhook.third_party_registrations (webhook_id) WHERE is_current;
CREATE INDEX third_party_registrations_due
  ON cp_webhook.third_party_registrations (next_try_at) WHERE next_try_at IS NOT NULL;
COMMENT ON INDEX cp_webhook.third_party_registrations_current IS 'a webhook is registered at one place';
COMMENT ON INDEX cp_webhook.third_party_registrations_due IS 'what the maintenance worker looks for';

-- ---------------------------------------------------------------------------
-- Access keys of the AWS wire
-- ---------------------------------------------------------------------------

-- regrole, so that a key follows its role's name, is dumped by that name, and
-- is not another role's that comes to have the name.
CREATE TABLE cp_webhook.access_keys (
  id text COLLATE "C" PRIMARY KEY,
  role regrole NOT NULL,
  secret text COLLATE "C" NOT NULL,
  status text COLLATE "C" NOT NULL DEFAULT 'Active' CHECK (status IN ('Active', 'Inactive')),
  created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE cp_webhook.access_keys IS 'who may sign requests on the AWS wire, and as which role; holds secrets: call list_access_keys() instead';

-- ---------------------------------------------------------------------------
-- The console's links and sessions
-- ---------------------------------------------------------------------------

-- UNLOGGED, and no row of it is dumped: a link that was used must not be unused
-- again after a restore, on a standby that is promoted, or after a crash.
CREATE UNLOGGED TABLE cp_webhook.console_sessions (
  hash bytea PRIMARY KEY,
  is_link boolean NOT NULL,
  role regrole NOT NULL,
  expires_at timestamptz NOT NULL
);
COMMENT ON TABLE cp_webhook.console_sessions IS 'links to the console that were not used yet, and sessions of those that were; holds hashes alone';

SELECT pg_catalog.pg_extension_config_dump('cp_webhook.console_sessions', 'WHERE false');
SELECT pg_catalog.pg_extension_config_dump('cp_webhook.access_keys', '');
SELECT pg_catalog.pg_extension_config_dump('cp_webhook.pipeline_definitions', '');
SELECT pg_catalog.pg_extension_config_dump('cp_webhook.pipeline_versions', '');
SELECT pg_catalog.pg_extension_config_dump('cp_webhook.webhook_definitions', '');
SELECT pg_catalog.pg_extension_config_dump('cp_webhook.webhook_counters', '');
SELECT pg_catalog.pg_extension_config_dump('cp_webhook.webhook_minutes', '');
SELECT pg_catalog.pg_extension_config_dump('cp_webhook.resource_tags', '');
SELECT pg_catalog.pg_extension_config_dump('cp_webhook.delivery_keys', '');
SELECT pg_catalog.pg_extension_config_dump('cp_webhook.executions', '');
SELECT pg_catalog.pg_extension_config_dump('cp_webhook.third_party_registrations', '');

-- ---------------------------------------------------------------------------
-- Caches of the workers
-- ---------------------------------------------------------------------------

-- The workers keep compiled webhooks in memory; a change of a definition drops
-- them through PostgreSQL's own invalidation messages. Row triggers, ENABLE
-- ALWAYS: logical replication fires no statement trigger and no ordinary one.
CREATE FUNCTION cp_webhook.definitions_changed() RETURNS trigger
  LANGUAGE c SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_definitions_changed';
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
-- Claims and positions
-- ---------------------------------------------------------------------------

-- The bounds at which a claim begins to look are kept by this trigger. ENABLE
-- ALWAYS: what logical replication brings is to be claimed as well.
CREATE FUNCTION cp_webhook.executions_changed() RETURNS trigger
  LANGUAGE c AS 'MODULE_PATHNAME', 'cp_webhook_executions_changed';
REVOKE ALL ON FUNCTION cp_webhook.executions_changed() FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.executions_changed() IS 'trigger: notes what becomes of executions, and stamps new ones with their era';

CREATE TRIGGER executions_changed
  BEFORE INSERT OR UPDATE OR DELETE ON cp_webhook.executions
  FOR EACH ROW EXECUTE FUNCTION cp_webhook.executions_changed();
ALTER TABLE cp_webhook.executions ENABLE ALWAYS TRIGGER executions_changed;

-- What another node has recorded is a delivery's first execution or not, and is
-- to be notified here: when its transaction ends, for only then its delivery is
-- there. In the receivers' own transactions it has no part.
CREATE FUNCTION cp_webhook.execution_arrived() RETURNS trigger
  LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
  SET enable_bitmapscan = off SET jit = off
  AS 'MODULE_PATHNAME', 'cp_webhook_execution_arrived';
REVOKE ALL ON FUNCTION cp_webhook.execution_arrived() FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.execution_arrived() IS 'trigger: of an execution that logical replication brings, keeps the sender''s delivery id, ends it where another node has taken the same delivery before, else notifies';

CREATE CONSTRAINT TRIGGER execution_arrived
  AFTER INSERT ON cp_webhook.executions
  DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION cp_webhook.execution_arrived();
ALTER TABLE cp_webhook.executions ENABLE REPLICA TRIGGER execution_arrived;

-- Their statements are look-ups in an index, planned once: a plan that was made
-- when the table was empty must serve when it is large.
CREATE FUNCTION cp_webhook.claim_executions(
    worker text, pipelines text[] DEFAULT NULL, max_batch integer DEFAULT 1,
    lease interval DEFAULT '5 minutes',
    OUT id uuid, OUT nonce text, OUT attempt integer, OUT pipeline text,
    OUT version integer, OUT action text, OUT webhook text, OUT event text,
    OUT delivery uuid, OUT received_at timestamptz, OUT headers jsonb,
    OUT payload jsonb, OUT lease_until timestamptz)
  RETURNS SETOF record
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
  SET enable_bitmapscan = off SET jit = off
  AS 'MODULE_PATHNAME', 'cp_webhook_claim_executions';
REVOKE ALL ON FUNCTION cp_webhook.claim_executions(text, text[], integer, interval) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.claim_executions(text, text[], integer, interval) IS 'leases the oldest waiting executions of these pipelines (NULL: of any) to a worker, at most max_batch (1 to 1000), and returns them with the nonce that ends the claim; no rows where nothing is to be done. It honours executionMode, takes back leases that have run out, and runs in the caller''s transaction, which must be READ COMMITTED. Raises ValidationException (CP001)';

CREATE FUNCTION cp_webhook.complete_execution(id uuid, nonce text, result jsonb DEFAULT NULL) RETURNS void
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
  AS 'MODULE_PATHNAME', 'cp_webhook_complete_execution';
REVOKE ALL ON FUNCTION cp_webhook.complete_execution(uuid, text, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.complete_execution(uuid, text, jsonb) IS 'ends a claim: the execution is Succeeded, or Stopped if it was Stopping. Raises ValidationException (CP001), LeaseLostException (CP030) where the nonce is not that of a lease that runs';

CREATE FUNCTION cp_webhook.fail_execution(id uuid, nonce text, reason text, retry_in interval DEFAULT NULL) RETURNS void
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
  AS 'MODULE_PATHNAME', 'cp_webhook_fail_execution';
REVOKE ALL ON FUNCTION cp_webhook.fail_execution(uuid, text, text, interval) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.fail_execution(uuid, text, text, interval) IS 'ends a claim: with retry_in the execution waits again, from then on, until it has been claimed cp_webhook.max_attempts times; else it has Failed, or is Stopped if it was Stopping. Raises ValidationException (CP001), LeaseLostException (CP030)';

CREATE FUNCTION cp_webhook.extend_lease(id uuid, nonce text, lease interval) RETURNS timestamptz
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
  AS 'MODULE_PATHNAME', 'cp_webhook_extend_lease';
REVOKE ALL ON FUNCTION cp_webhook.extend_lease(uuid, text, interval) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.extend_lease(uuid, text, interval) IS 'makes a claim''s lease end so long from now, and returns when that is. Raises ValidationException (CP001), LeaseLostException (CP030)';

CREATE FUNCTION cp_webhook.executions_after(
    "position" text, pipelines text[] DEFAULT NULL, max integer DEFAULT 100,
    OUT "position" text, OUT execution_id uuid, OUT pipeline text,
    OUT version integer, OUT action text, OUT trigger_type text,
    OUT trigger_detail text, OUT delivery uuid, OUT status text,
    OUT created_at timestamptz, OUT webhook text, OUT event text,
    OUT provider_delivery_id text, OUT received_at timestamptz,
    OUT headers jsonb, OUT payload jsonb)
  RETURNS SETOF record
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
  SET enable_bitmapscan = off SET jit = off
  AS 'MODULE_PATHNAME', 'cp_webhook_executions_after';
REVOKE ALL ON FUNCTION cp_webhook.executions_after(text, text[], integer) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.executions_after(text, text[], integer) IS 'the executions that have become visible since a position (NULL or an empty one: all), in one order, at most max (1 to 10000), each with the position after it; of these pipelines (NULL: of any). None comes to stand before a position later. Raises ValidationException (CP001)';

CREATE FUNCTION cp_webhook.pipeline_channel(name text) RETURNS text
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_pipeline_channel';
REVOKE ALL ON FUNCTION cp_webhook.pipeline_channel(text) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.pipeline_channel(text) IS 'the channel on which a pipeline''s executions are notified with cp_webhook.notify_pipeline_channels: cp_webhook_<name>, a long name cut and with a checksum';

CREATE FUNCTION cp_webhook.current_era() RETURNS bigint
  LANGUAGE c STABLE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_current_era';
REVOKE ALL ON FUNCTION cp_webhook.current_era() FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.current_era() IS 'the era with which executions are stamped now, made of the cluster''s identifier and its timeline';

-- Whose oldest transaction it is, only its owner and pg_read_all_stats can see
-- in full.
CREATE FUNCTION cp_webhook.position_delay(
    OUT unread bigint, OUT delay interval, OUT pid integer,
    OUT since timestamptz, OUT prepared text)
  LANGUAGE sql VOLATILE PARALLEL SAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT e.unread, e.delay, t.pid, t.since, t.gid
    FROM (SELECT count(*), COALESCE(clock_timestamp() - min(x.created_at), '0')
            FROM cp_webhook.executions x
           WHERE x.era = cp_webhook.current_era()
             AND x.xid >= pg_snapshot_xmin(pg_current_snapshot())) e (unread, delay)
    LEFT JOIN (SELECT a.pid, a.xact_start, NULL, a.backend_xid
                 FROM pg_stat_activity a WHERE a.backend_xid IS NOT NULL
                UNION ALL
               SELECT NULL, p.prepared, p.gid, p.transaction
                 FROM pg_prepared_xacts p
                ) t (pid, since, gid, xid) ON true
   ORDER BY age(t.xid) DESC LIMIT 1
  $$;
REVOKE ALL ON FUNCTION cp_webhook.position_delay() FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.position_delay() IS 'what executions_after() does not show yet: how many executions are there, how old the oldest one is, and the oldest transaction that writes, for whose end they wait (pid NULL: a prepared one)';

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
COMMENT ON FUNCTION cp_webhook.delete_webhook(jsonb) IS 'deletes a webhook and its tags, its URL for good, and deregisters what was registered with a third party: {"name"} in, {} out, also when there is none. Raises ValidationException (CP001)';

CREATE FUNCTION cp_webhook.register_webhook_with_third_party(request jsonb) RETURNS jsonb
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_register_webhook_with_third_party';
REVOKE ALL ON FUNCTION cp_webhook.register_webhook_with_third_party(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.register_webhook_with_third_party(jsonb) IS 'asks for a hook at the provider of the webhook''s target action, or for its renewal: {"webhookName"} in, {} out at once; it is made after the commit, and the view registrations, errorCode and errorMessage tell of it. Raises ValidationException (CP001), also where the action has no supported provider, WebhookNotFoundException (CP006)';

CREATE FUNCTION cp_webhook.deregister_webhook_with_third_party(request jsonb) RETURNS jsonb
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_deregister_webhook_with_third_party';
REVOKE ALL ON FUNCTION cp_webhook.deregister_webhook_with_third_party(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.deregister_webhook_with_third_party(jsonb) IS 'asks for the removal of the webhook''s hook at its provider: {"webhookName"} in, {} out at once, also where it is not registered. Raises ValidationException (CP001), WebhookNotFoundException (CP006)';

-- Not of the API, but in its manner.
CREATE FUNCTION cp_webhook.test_webhook(request jsonb) RETURNS jsonb
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_test_webhook';
REVOKE ALL ON FUNCTION cp_webhook.test_webhook(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.test_webhook(jsonb) IS 'tells step by step what would become of a delivery, and stores nothing: {"name" or "definition": a WebhookDefinition, "body": the bytes as a string, or the payload as any other value, "headers", "query", "sourceAddress"} or {"deliveryId", and "name", "definition", "query" where wanted} in, {"outcome", "httpStatus", "reason", "steps", "warnings"} out; or the deliveries of a webhook since a timestamp or for an interval: {"name" or "definition", "since"} in, {"judged", "newlyFires", "noLongerFires", "stays", "notJudged", "warnings"} out. Shows values of recorded payloads. Raises ValidationException (CP001), WebhookNotFoundException (CP006), ResourceNotFoundException (CP012) for a deliveryId, and of a definition what put_webhook raises';

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

CREATE FUNCTION cp_webhook.rotate_secret_key() RETURNS bigint
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_rotate_secret_key';
REVOKE ALL ON FUNCTION cp_webhook.rotate_secret_key() FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.rotate_secret_key() IS 'seals every stored secret by the first key of cp_webhook.secret_key_file (stores it as it is where that is not set), and returns how many webhooks, pipeline versions, registrations and access keys that changed; afterwards the other keys are no longer needed. Raises config_file_error (F0000) where the file cannot be used or a secret does not open';

CREATE FUNCTION cp_webhook.redeliver(delivery uuid) RETURNS uuid
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_redeliver';
REVOKE ALL ON FUNCTION cp_webhook.redeliver(uuid) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.redeliver(uuid) IS 'evaluates a recorded delivery again by today''s definition of its webhook, as if it came now: signature and address are not checked, and it takes no part in deduplication; the new delivery''s id, whose redelivery_of is the old one''s. Raises ValidationException (CP001), WebhookNotFoundException (CP006), ResourceNotFoundException (CP012)';

CREATE FUNCTION cp_webhook.redeliver(
    webhook text, since timestamptz, until timestamptz DEFAULT pg_catalog.now(),
    outcome text DEFAULT NULL,
    OUT redelivery_of uuid, OUT delivery uuid, OUT new_outcome text,
    OUT reason text)
  RETURNS SETOF record
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_redeliver_range';
REVOKE ALL ON FUNCTION cp_webhook.redeliver(text, timestamptz, timestamptz, text) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.redeliver(text, timestamptz, timestamptz, text) IS 'redelivers a webhook''s deliveries of that time (and outcome: triggered, ignored or pong) that have a payload and repeat no other, the oldest first; a row each: the old one''s id, the new one''s, its outcome and reason. Raises ValidationException (CP001), WebhookNotFoundException (CP006)';

-- ---------------------------------------------------------------------------
-- Views. Who is granted SELECT on webhooks needs EXECUTE on its functions too:
-- a view calls them as its reader.
-- ---------------------------------------------------------------------------
CREATE FUNCTION cp_webhook.webhook_url(token text) RETURNS text
  LANGUAGE c STABLE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_webhook_url';
REVOKE ALL ON FUNCTION cp_webhook.webhook_url(text) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.webhook_url(text) IS 'the URL on which the webhook of a token takes POSTs';

CREATE FUNCTION cp_webhook.webhook_arn(name text) RETURNS text
  LANGUAGE c STABLE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_webhook_arn';
REVOKE ALL ON FUNCTION cp_webhook.webhook_arn(text) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.webhook_arn(text) IS 'the ARN of the webhook of a name';

CREATE FUNCTION cp_webhook.uuid_at(instant timestamptz) RETURNS uuid
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_uuid_at';
REVOKE ALL ON FUNCTION cp_webhook.uuid_at(timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.uuid_at(timestamptz) IS 'the least id of an instant: deliveries and executions since then have ids from this one on';

CREATE FUNCTION cp_webhook.json_path(path text) RETURNS jsonpath
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_json_path';
REVOKE ALL ON FUNCTION cp_webhook.json_path(text) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.json_path(text) IS
'what a filter''s path means, as jsonpath. A JSONPath (RFC 9535, and of Java JsonPath what can be expressed) selects here the nodes that it selects there, in any order; else a jsonpath of PostgreSQL is returned as it is. What is neither, or a JSONPath without an exact translation, raises InvalidWebhookFilterPatternException with position and reason. A variable in a translation is a refusal that a document decides: evaluate it with jsonb_path_query() and its kin';

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
       w.configuration,
       GREATEST(c.last_delivery, c.last_triggered, d.received_at) AS last_delivery,
       c.last_reason_at,
       c.last_reason,
       w.id AS webhook_id
  FROM cp_webhook.webhook_definitions w
 CROSS JOIN LATERAL (
       SELECT pg_catalog.max(n.last_triggered) AS last_triggered,
              pg_catalog.max(n.last_delivery) AS last_delivery,
              pg_catalog.max(n.last_reason_at) AS last_reason_at,
              (pg_catalog.array_agg(n.last_reason ORDER BY n.last_reason_at DESC NULLS LAST))[1] AS last_reason,
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
COMMENT ON VIEW cp_webhook.webhooks IS 'one row a webhook, without its secret: its definition, the deliveries by outcome, the last one of any outcome, the last that triggered, and the last reason why one did not; but for last_triggered at most about a second late';

CREATE VIEW cp_webhook.webhook_activity AS
SELECT w.name AS webhook,
       m.minute,
       pg_catalog.sum(m.triggered)::bigint AS triggered,
       pg_catalog.sum(m.ignored)::bigint AS ignored,
       pg_catalog.sum(m.duplicate)::bigint AS duplicate,
       pg_catalog.sum(m.rejected)::bigint AS rejected,
       pg_catalog.sum(m.pong)::bigint AS pong
  FROM cp_webhook.webhook_definitions w
  JOIN cp_webhook.webhook_minutes m ON m.webhook_id = w.id
 WHERE m.minute > pg_catalog.now() - interval '1 hour'
 GROUP BY w.name, m.minute;
REVOKE ALL ON cp_webhook.webhook_activity FROM PUBLIC;
COMMENT ON VIEW cp_webhook.webhook_activity IS 'one row a webhook and minute of the last hour in which there were deliveries: their number by outcome, about a second late';

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

CREATE VIEW cp_webhook.registrations AS
SELECT r.webhook,
       r.provider,
       r.repository,
       r.api_url,
       r.wanted,
       CASE WHEN r.system_identifier = s.system_identifier THEN r.state
            ELSE 'foreign' END AS state,
       r.hook_id,
       r.attempts,
       r.next_try_at,
       r.error_code,
       r.last_error,
       r.public_url,
       r.is_current,
       r.created_at,
       r.updated_at
  FROM cp_webhook.third_party_registrations r
 CROSS JOIN pg_catalog.pg_control_system() s;
REVOKE ALL ON cp_webhook.registrations FROM PUBLIC;
COMMENT ON VIEW cp_webhook.registrations IS 'one row a webhook and place where it is registered, or is to be, or no longer: its state (pending, working, registered, deregistered, failed; foreign: of the cluster that this one is a copy of), the provider''s id of the hook, failed attempts, the next try, the last error; no token';
COMMENT ON COLUMN cp_webhook.registrations.webhook IS 'the name of the webhook';
COMMENT ON COLUMN cp_webhook.registrations.provider IS 'GitHub, GitHubEnterprise, GitLab, Gitea, Forgejo or Bitbucket';
COMMENT ON COLUMN cp_webhook.registrations.repository IS 'Owner/Repo, or the path of a project';
COMMENT ON COLUMN cp_webhook.registrations.api_url IS 'where its API is';
COMMENT ON COLUMN cp_webhook.registrations.wanted IS 'registered or deregistered';
COMMENT ON COLUMN cp_webhook.registrations.state IS 'pending, working, registered, deregistered, failed; foreign: this is a copy of the cluster that asked for it';
COMMENT ON COLUMN cp_webhook.registrations.hook_id IS 'the provider''s id of the hook; NULL: none is known';
COMMENT ON COLUMN cp_webhook.registrations.attempts IS 'failures since it was wished';
COMMENT ON COLUMN cp_webhook.registrations.next_try_at IS 'when it is worked on next; NULL: nothing is to be done';
COMMENT ON COLUMN cp_webhook.registrations.error_code IS 'the status of the answer, or a name for why there was none; NULL: the last attempt was fine';
COMMENT ON COLUMN cp_webhook.registrations.last_error IS 'the same in words';
COMMENT ON COLUMN cp_webhook.registrations.public_url IS 'what the hook''s URL begins with at the third party';
COMMENT ON COLUMN cp_webhook.registrations.is_current IS 'whether its webhook is, or was last, to be registered here; false: the hook is to go';
COMMENT ON COLUMN cp_webhook.registrations.created_at IS 'when it was first wished';
COMMENT ON COLUMN cp_webhook.registrations.updated_at IS 'when it was wished, or worked on, last';

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
    OUT certificate_expires_at timestamptz, OUT certificate_days integer,
    OUT answers jsonb, OUT commit_ms double precision,
    OUT batch_sizes bigint[], OUT batch_times bigint[],
    OUT commit_times bigint[])
  RETURNS SETOF record
  LANGUAGE c VOLATILE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_stats';
REVOKE ALL ON FUNCTION cp_webhook.stats() FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.stats() IS 'a row a receiver: where it listens, what it has counted since the server''s start (requests and what became of them, answers by name, batches, requests in them, milliseconds spent on them and in their commits), what it holds now; batch_sizes, batch_times and commit_times are histograms: their element n counts what is not above 2^(n-1) requests, or 2^(n-4) milliseconds, and above the bound before, the last one all the rest; no rows where the library is not preloaded';

CREATE VIEW cp_webhook.stats_total AS
WITH s AS MATERIALIZED (SELECT * FROM cp_webhook.stats())
SELECT pg_catalog.count(s.pid) AS workers,
       pg_catalog.min(s.started_at) AS started_at,
       pg_catalog.sum(s.requests)::bigint AS requests,
       pg_catalog.sum(s.triggered)::bigint AS triggered,
       pg_catalog.sum(s.ignored)::bigint AS ignored,
       pg_catalog.sum(s.duplicate)::bigint AS duplicate,
       pg_catalog.sum(s.pong)::bigint AS pong,
       pg_catalog.sum(s.refused)::bigint AS refused,
       pg_catalog.sum(s.unavailable)::bigint AS unavailable,
       pg_catalog.sum(s.body_bytes)::bigint AS body_bytes,
       pg_catalog.sum(s.batches)::bigint AS batches,
       pg_catalog.sum(s.batched)::bigint AS batched,
       pg_catalog.max(s.largest_batch) AS largest_batch,
       pg_catalog.sum(s.batch_ms) AS batch_ms,
       pg_catalog.sum(s.commit_ms) AS commit_ms,
       pg_catalog.sum(s.connections)::bigint AS connections,
       pg_catalog.sum(s.buffered_bytes)::bigint AS buffered_bytes,
       pg_catalog.sum(s.refused_connections)::bigint AS refused_connections,
       pg_catalog.max(s.last_error_at) AS last_error_at,
       pg_catalog.min(s.certificate_days) AS certificate_days,
       (SELECT pg_catalog.jsonb_object_agg(a.name, a.count)
          FROM (SELECT e.key AS name, pg_catalog.sum(e.value::bigint) AS count
                  FROM s s1, pg_catalog.jsonb_each_text(s1.answers) e
                 GROUP BY e.key) a) AS answers,
       (SELECT pg_catalog.array_agg(h.count ORDER BY h.n)
          FROM (SELECT u.n, pg_catalog.sum(u.count)::bigint AS count
                  FROM s s1, pg_catalog.unnest(s1.batch_sizes) WITH ORDINALITY u(count, n)
                 GROUP BY u.n) h) AS batch_sizes,
       (SELECT pg_catalog.array_agg(h.count ORDER BY h.n)
          FROM (SELECT u.n, pg_catalog.sum(u.count)::bigint AS count
                  FROM s s1, pg_catalog.unnest(s1.batch_times) WITH ORDINALITY u(count, n)
                 GROUP BY u.n) h) AS batch_times,
       (SELECT pg_catalog.array_agg(h.count ORDER BY h.n)
          FROM (SELECT u.n, pg_catalog.sum(u.count)::bigint AS count
                  FROM s s1, pg_catalog.unnest(s1.commit_times) WITH ORDINALITY u(count, n)
                 GROUP BY u.n) h) AS commit_times
  FROM s;
REVOKE ALL ON cp_webhook.stats_total FROM PUBLIC;
COMMENT ON VIEW cp_webhook.stats_total IS 'stats() of all receivers in one row: sums, the largest batch, the latest error''s time, the fewest days of a certificate; who reads it needs EXECUTE on stats()';

CREATE FUNCTION cp_webhook.maintenance_stats(
    OUT pid integer, OUT started_at timestamptz, OUT partitions_made bigint,
    OUT partitions_dropped bigint, OUT keys_removed bigint,
    OUT executions_removed bigint, OUT held_back text, OUT last_error text,
    OUT last_error_at timestamptz)
  RETURNS SETOF record
  LANGUAGE c VOLATILE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_maintenance_stats';
REVOKE ALL ON FUNCTION cp_webhook.maintenance_stats() FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.maintenance_stats() IS 'one row: what the maintenance worker has done since the server''s start, and why an old partition is still there; no row where the library is not preloaded';

CREATE FUNCTION cp_webhook.api_stats(
    OUT pid integer, OUT started_at timestamptz, OUT listening text,
    OUT succeeded bigint, OUT refused bigint, OUT failed bigint,
    OUT call_ms double precision, OUT connections bigint,
    OUT last_error text, OUT last_error_at timestamptz)
  RETURNS SETOF record
  LANGUAGE c VOLATILE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_api_stats';
REVOKE ALL ON FUNCTION cp_webhook.api_stats() FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.api_stats() IS 'one row: where the api worker listens, the calls on the AWS wire since the server''s start by outcome, milliseconds spent on them; no row where the library is not preloaded';

-- ---------------------------------------------------------------------------
-- Access keys
-- ---------------------------------------------------------------------------

-- They run as their owner, but look at who has called: a key is as good as its
-- role, so only who may become that role manages its keys.
CREATE FUNCTION cp_webhook.create_access_key(role name, OUT access_key_id text, OUT secret_access_key text)
  LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_create_access_key';
REVOKE ALL ON FUNCTION cp_webhook.create_access_key(name) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.create_access_key(name) IS 'makes an access key with which calls on the AWS wire are made as that role, and shows its secret this once. Raises 42501 for who cannot become the role, 42704 for a role that is not there';

CREATE FUNCTION cp_webhook.list_access_keys(
    OUT access_key_id text, OUT role name, OUT status text, OUT created_at timestamptz)
  RETURNS SETOF record
  LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_list_access_keys';
REVOKE ALL ON FUNCTION cp_webhook.list_access_keys() FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.list_access_keys() IS 'the access keys of the roles that the caller can become, without their secrets; role is NULL for one that was dropped, which only superusers see';

CREATE FUNCTION cp_webhook.update_access_key(access_key_id text, status text) RETURNS void
  LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_update_access_key';
REVOKE ALL ON FUNCTION cp_webhook.update_access_key(text, text) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.update_access_key(text, text) IS 'makes an access key Active or Inactive. Raises ValidationException (CP001), ResourceNotFoundException (CP012), 42501 for who cannot become its role';

CREATE FUNCTION cp_webhook.delete_access_key(access_key_id text) RETURNS void
  LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_delete_access_key';
REVOKE ALL ON FUNCTION cp_webhook.delete_access_key(text) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.delete_access_key(text) IS 'deletes an access key. Raises ResourceNotFoundException (CP012), 42501 for who cannot become its role';

-- ---------------------------------------------------------------------------
-- The console
-- ---------------------------------------------------------------------------

-- Like those of access keys they run as their owner, and look at who has called.
CREATE FUNCTION cp_webhook.console_url() RETURNS text
  LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_console_url';
REVOKE ALL ON FUNCTION cp_webhook.console_url() FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.console_url() IS 'a link that opens the console once, as the role that calls, within cp_webhook.console_link_lifetime; good once the calling transaction has committed. Raises 55000 where the console is off';

CREATE FUNCTION cp_webhook.end_console_sessions() RETURNS bigint
  LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_end_console_sessions';
REVOKE ALL ON FUNCTION cp_webhook.end_console_sessions() FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.end_console_sessions() IS 'ends the console''s sessions and unused links of the roles that the caller can become, at once; returns how many';

-- ---------------------------------------------------------------------------
-- More than one node
-- ---------------------------------------------------------------------------

-- They run as their caller, who must own the tables and may create in the
-- database: a publication belongs to who makes it.
CREATE FUNCTION cp_webhook.publish_definitions(
    OUT publication text, OUT "table" text, OUT columns text[])
  RETURNS SETOF record
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_publish_definitions';
REVOKE ALL ON FUNCTION cp_webhook.publish_definitions() FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.publish_definitions() IS 'on the definition node: makes the publication cp_webhook_definitions, or brings it to what this version publishes, and returns its tables and columns. They hold secrets. Raises 42501 for who does not own the tables, or may not create in the database';

CREATE FUNCTION cp_webhook.publish_events(
    OUT publication text, OUT "table" text, OUT columns text[])
  RETURNS SETOF record
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_publish_events';
REVOKE ALL ON FUNCTION cp_webhook.publish_events() FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.publish_events() IS 'on a node that takes deliveries: makes the publication cp_webhook_events of what is new in executions and deliveries, or brings it to what this version publishes, and returns its tables and columns. Raises 42501 for who does not own the tables, or may not create in the database';

CREATE FUNCTION cp_webhook.make_partitions(since timestamptz) RETURNS integer
  LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'cp_webhook_make_partitions';
REVOKE ALL ON FUNCTION cp_webhook.make_partitions(timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION cp_webhook.make_partitions(timestamptz) IS 'makes the partitions of deliveries that are missing from that day to this one, for deliveries of other nodes that are older than this one, and returns how many. Raises ValidationException (CP001)';

-- ---------------------------------------------------------------------------
-- Roles: who defines, who operates, who consumes
-- ---------------------------------------------------------------------------

-- Roles are of the whole cluster: another database may have made them, and
-- DROP EXTENSION leaves them. One that is there is taken as it is; one that can
-- log in was not made here.
DO $$
DECLARE
  role text;
BEGIN
  FOREACH role IN ARRAY ARRAY['cp_webhook_admin', 'cp_webhook_operator', 'cp_webhook_consumer'] LOOP
    BEGIN
      IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = role) THEN
        EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role);
      ELSIF EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = role AND r.rolcanlogin) THEN
        RAISE WARNING 'role "%" can log in, and is granted what its name says', role
          USING HINT = 'REVOKE it, or ALTER ROLE ... NOLOGIN, if it was not meant for cp_webhook.';
      END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL; -- another database was faster
    END;
  END LOOP;
END
$$;

GRANT USAGE ON SCHEMA cp_webhook TO cp_webhook_admin, cp_webhook_operator, cp_webhook_consumer;

GRANT EXECUTE ON FUNCTION
    cp_webhook.put_webhook(jsonb), cp_webhook.delete_webhook(jsonb),
    cp_webhook.register_webhook_with_third_party(jsonb),
    cp_webhook.deregister_webhook_with_third_party(jsonb),
    cp_webhook.create_pipeline(jsonb), cp_webhook.update_pipeline(jsonb),
    cp_webhook.delete_pipeline(jsonb),
    cp_webhook.tag_resource(jsonb), cp_webhook.untag_resource(jsonb),
    cp_webhook.rotate_secret_key(),
    cp_webhook.create_access_key(name), cp_webhook.list_access_keys(),
    cp_webhook.update_access_key(text, text), cp_webhook.delete_access_key(text)
  TO cp_webhook_admin;
GRANT EXECUTE ON FUNCTION
    cp_webhook.list_webhooks(jsonb), cp_webhook.test_webhook(jsonb),
    cp_webhook.get_pipeline(jsonb), cp_webhook.list_pipelines(jsonb),
    cp_webhook.list_tags_for_resource(jsonb),
    cp_webhook.webhook_url(text), cp_webhook.webhook_arn(text),
    cp_webhook.json_path(text),
    cp_webhook.console_url(), cp_webhook.end_console_sessions()
  TO cp_webhook_admin, cp_webhook_operator;
GRANT EXECUTE ON FUNCTION
    cp_webhook.start_pipeline_execution(jsonb), cp_webhook.stop_pipeline_execution(jsonb),
    cp_webhook.get_pipeline_execution(jsonb), cp_webhook.list_pipeline_executions(jsonb),
    cp_webhook.redeliver(uuid), cp_webhook.redeliver(text, timestamptz, timestamptz, text),
    cp_webhook.stats(), cp_webhook.maintenance_stats(), cp_webhook.api_stats(),
    cp_webhook.position_delay()
  TO cp_webhook_operator;
GRANT EXECUTE ON FUNCTION
    cp_webhook.claim_executions(text, text[], integer, interval),
    cp_webhook.complete_execution(uuid, text, jsonb),
    cp_webhook.fail_execution(uuid, text, text, interval),
    cp_webhook.extend_lease(uuid, text, interval)
  TO cp_webhook_consumer;
GRANT EXECUTE ON FUNCTION
    cp_webhook.executions_after(text, text[], integer), cp_webhook.pipeline_channel(text)
  TO cp_webhook_operator, cp_webhook_consumer;
GRANT EXECUTE ON FUNCTION cp_webhook.uuid_at(timestamptz)
  TO cp_webhook_admin, cp_webhook_operator, cp_webhook_consumer;
GRANT SELECT ON cp_webhook.webhooks, cp_webhook.webhook_activity, cp_webhook.registrations TO cp_webhook_admin, cp_webhook_operator;
GRANT SELECT ON cp_webhook.deliveries, cp_webhook.executions, cp_webhook.stats_total TO cp_webhook_operator;
GRANT SELECT ON cp_webhook.trigger_events TO cp_webhook_operator, cp_webhook_consumer;

-- ---------------------------------------------------------------------------
-- What the columns, indexes and triggers are
-- ---------------------------------------------------------------------------
COMMENT ON COLUMN cp_webhook.access_keys.id IS 'the access key id';
COMMENT ON COLUMN cp_webhook.access_keys.role IS 'as which its calls run';
COMMENT ON COLUMN cp_webhook.access_keys.secret IS 'the secret access key, sealed where cp_webhook.secret_key_file is set';
COMMENT ON COLUMN cp_webhook.access_keys.status IS 'Active or Inactive';
COMMENT ON COLUMN cp_webhook.access_keys.created_at IS 'when it was made';
COMMENT ON COLUMN cp_webhook.console_sessions.hash IS 'SHA-256 of the link''s token, or of the session''s cookie';
COMMENT ON COLUMN cp_webhook.console_sessions.is_link IS 'a link that was not used yet; else a session';
COMMENT ON COLUMN cp_webhook.console_sessions.role IS 'as which the console works';
COMMENT ON COLUMN cp_webhook.console_sessions.expires_at IS 'when it ends';
COMMENT ON COLUMN cp_webhook.deliveries.received_at IS 'when it was received: the instant in its id';
COMMENT ON COLUMN cp_webhook.deliveries.webhook IS 'the name of its webhook at that time';
COMMENT ON COLUMN cp_webhook.deliveries.provider_delivery_id IS 'the sender''s own id of it, by which a repeat is known; NULL: it gave none';
COMMENT ON COLUMN cp_webhook.deliveries.event IS 'the sender''s name of the event; NULL: it gave none';
COMMENT ON COLUMN cp_webhook.deliveries.source_address IS 'the client''s address, behind trusted proxies that of the first one not trusted';
COMMENT ON COLUMN cp_webhook.deliveries.peer_address IS 'the other end of the connection';
COMMENT ON COLUMN cp_webhook.deliveries.http_status IS 'what was answered';
COMMENT ON COLUMN cp_webhook.deliveries.headers IS 'by lower-case name; secrets are ****';
COMMENT ON COLUMN cp_webhook.deliveries.redelivery_of IS 'the delivery that it repeats; NULL: it came from outside';
COMMENT ON COLUMN cp_webhook.deliveries.webhook_id IS 'the internal id of its webhook: delete and put again makes another one';
COMMENT ON COLUMN cp_webhook.executions.id IS 'uuid v7: the pipelineExecutionId';
COMMENT ON COLUMN cp_webhook.executions.pipeline IS 'the name of its pipeline';
COMMENT ON COLUMN cp_webhook.executions.version IS 'of the pipeline when it started';
COMMENT ON COLUMN cp_webhook.executions.action IS 'the target action of the webhook; NULL: it was started by hand';
COMMENT ON COLUMN cp_webhook.executions.trigger_type IS 'Webhook, StartPipelineExecution, ...';
COMMENT ON COLUMN cp_webhook.executions.trigger_detail IS 'the ARN of the webhook, or who started it';
COMMENT ON COLUMN cp_webhook.executions.delivery IS 'the delivery that started it; NULL: none did';
COMMENT ON COLUMN cp_webhook.executions.status IS 'InProgress, Stopping, Stopped, Succeeded, Superseded or Failed; it waits while InProgress without lease_until';
COMMENT ON COLUMN cp_webhook.executions.lease_holder IS 'the worker that has claimed it, or had when it ended';
COMMENT ON COLUMN cp_webhook.executions.lease_until IS 'when the claim runs out; NULL: it is not claimed';
COMMENT ON COLUMN cp_webhook.executions.result IS 'what complete_execution was given';
COMMENT ON COLUMN cp_webhook.executions.reason IS 'why it has failed, was stopped or superseded';
COMMENT ON COLUMN cp_webhook.executions.created_at IS 'when it started to wait';
COMMENT ON COLUMN cp_webhook.executions.started_at IS 'when it was first claimed';
COMMENT ON COLUMN cp_webhook.executions.ended_at IS 'when it ended; NULL: it has not';
COMMENT ON COLUMN cp_webhook.executions.updated_at IS 'when it last changed';
COMMENT ON COLUMN cp_webhook.executions.webhook_id IS 'the internal id of the webhook that started it';
COMMENT ON COLUMN cp_webhook.executions.client_request_token IS 'of start_pipeline_execution: the same one starts nothing again';
COMMENT ON COLUMN cp_webhook.delivery_keys.webhook_id IS 'the internal id of the webhook';
COMMENT ON COLUMN cp_webhook.delivery_keys.key IS 'the sender''s delivery id';
COMMENT ON COLUMN cp_webhook.delivery_keys.execution IS 'what the first one started';
COMMENT ON COLUMN cp_webhook.webhook_counters.webhook_id IS 'the internal id of the webhook';
COMMENT ON COLUMN cp_webhook.webhook_counters.worker IS 'the number of the receiver that counts here';
COMMENT ON COLUMN cp_webhook.webhook_counters.triggered IS 'deliveries that started an execution';
COMMENT ON COLUMN cp_webhook.webhook_counters.ignored IS 'those that a filter did not let pass';
COMMENT ON COLUMN cp_webhook.webhook_counters.duplicate IS 'repeats of one that had triggered';
COMMENT ON COLUMN cp_webhook.webhook_counters.rejected IS 'those with a 4xx answer';
COMMENT ON COLUMN cp_webhook.webhook_counters.pong IS 'pings and challenges';
COMMENT ON COLUMN cp_webhook.webhook_counters.last_triggered IS 'when the last one triggered';
COMMENT ON COLUMN cp_webhook.webhook_counters.last_delivery IS 'when the last one of any outcome came';
COMMENT ON COLUMN cp_webhook.webhook_counters.last_reason_at IS 'when last_reason was given';
COMMENT ON COLUMN cp_webhook.webhook_counters.last_reason IS 'why the last one that did not trigger did not';
COMMENT ON COLUMN cp_webhook.webhook_minutes.webhook_id IS 'the internal id of the webhook';
COMMENT ON COLUMN cp_webhook.webhook_minutes.worker IS 'the number of the receiver that counts here';
COMMENT ON COLUMN cp_webhook.webhook_minutes.slot IS 'the place in the ring: minutes since 1970, modulo 60';
COMMENT ON COLUMN cp_webhook.webhook_minutes.minute IS 'the minute that is counted';
COMMENT ON COLUMN cp_webhook.webhook_minutes.triggered IS 'deliveries that started an execution';
COMMENT ON COLUMN cp_webhook.webhook_minutes.ignored IS 'those that a filter did not let pass';
COMMENT ON COLUMN cp_webhook.webhook_minutes.duplicate IS 'repeats of one that had triggered';
COMMENT ON COLUMN cp_webhook.webhook_minutes.rejected IS 'those with a 4xx answer';
COMMENT ON COLUMN cp_webhook.webhook_minutes.pong IS 'pings and challenges';
COMMENT ON COLUMN cp_webhook.webhook_definitions.id IS 'internal identity';
COMMENT ON COLUMN cp_webhook.webhook_definitions.name IS 'unique';
COMMENT ON COLUMN cp_webhook.webhook_definitions.token IS 'the secret part of the URL';
COMMENT ON COLUMN cp_webhook.webhook_definitions.pipeline IS 'targetPipeline';
COMMENT ON COLUMN cp_webhook.webhook_definitions.action IS 'targetAction';
COMMENT ON COLUMN cp_webhook.webhook_definitions.authentication IS 'the scheme by which its deliveries are authenticated';
COMMENT ON COLUMN cp_webhook.webhook_definitions.error_code IS 'the exception that keeps it from working; NULL: none';
COMMENT ON COLUMN cp_webhook.webhook_definitions.error_message IS 'the same in words';
COMMENT ON COLUMN cp_webhook.webhook_definitions.created_at IS 'when it was first put';
COMMENT ON COLUMN cp_webhook.webhook_definitions.updated_at IS 'when it was last put';
COMMENT ON COLUMN cp_webhook.pipeline_definitions.name IS 'unique';
COMMENT ON COLUMN cp_webhook.pipeline_definitions.version IS 'the current one';
COMMENT ON COLUMN cp_webhook.pipeline_definitions.execution_mode IS 'SUPERSEDED, QUEUED or PARALLEL';
COMMENT ON COLUMN cp_webhook.pipeline_definitions.created_at IS 'when it was created';
COMMENT ON COLUMN cp_webhook.pipeline_definitions.updated_at IS 'when its current version was made';
COMMENT ON COLUMN cp_webhook.pipeline_versions.name IS 'the pipeline';
COMMENT ON COLUMN cp_webhook.pipeline_versions.version IS 'counted from 1';
COMMENT ON COLUMN cp_webhook.pipeline_versions.declaration IS 'as it was put; secrets sealed where cp_webhook.secret_key_file is set';
COMMENT ON COLUMN cp_webhook.pipeline_versions.created_at IS 'when it was made';
COMMENT ON COLUMN cp_webhook.resource_tags.resource_type IS 'webhook or pipeline';
COMMENT ON COLUMN cp_webhook.resource_tags.resource_name IS 'its name';
COMMENT ON COLUMN cp_webhook.resource_tags.key IS 'the tag''s key';
COMMENT ON COLUMN cp_webhook.resource_tags.value IS 'the tag''s value';
COMMENT ON COLUMN cp_webhook.webhooks.name IS 'unique';
COMMENT ON COLUMN cp_webhook.webhooks.url IS 'on which it takes POSTs: a capability';
COMMENT ON COLUMN cp_webhook.webhooks.arn IS 'its ARN';
COMMENT ON COLUMN cp_webhook.webhooks.pipeline IS 'targetPipeline';
COMMENT ON COLUMN cp_webhook.webhooks.action IS 'targetAction';
COMMENT ON COLUMN cp_webhook.webhooks.authentication IS 'the scheme by which its deliveries are authenticated';
COMMENT ON COLUMN cp_webhook.webhooks.filters IS 'the filter rules, all of which must pass';
COMMENT ON COLUMN cp_webhook.webhooks.last_triggered IS 'when a delivery last triggered: exact';
COMMENT ON COLUMN cp_webhook.webhooks.error_code IS 'the exception that keeps it from working; NULL: none';
COMMENT ON COLUMN cp_webhook.webhooks.error_message IS 'the same in words';
COMMENT ON COLUMN cp_webhook.webhooks.created_at IS 'when it was first put';
COMMENT ON COLUMN cp_webhook.webhooks.updated_at IS 'when it was last put';
COMMENT ON COLUMN cp_webhook.webhooks.triggered IS 'deliveries that started an execution';
COMMENT ON COLUMN cp_webhook.webhooks.ignored IS 'those that a filter did not let pass';
COMMENT ON COLUMN cp_webhook.webhooks.duplicate IS 'repeats of one that had triggered';
COMMENT ON COLUMN cp_webhook.webhooks.rejected IS 'those with a 4xx answer';
COMMENT ON COLUMN cp_webhook.webhooks.pong IS 'pings and challenges';
COMMENT ON COLUMN cp_webhook.webhooks.configuration IS 'the members of authenticationConfiguration that are no secrets';
COMMENT ON COLUMN cp_webhook.webhooks.last_delivery IS 'when the last one of any outcome came';
COMMENT ON COLUMN cp_webhook.webhooks.last_reason_at IS 'when last_reason was given';
COMMENT ON COLUMN cp_webhook.webhooks.last_reason IS 'why the last one that did not trigger did not';
COMMENT ON COLUMN cp_webhook.webhooks.webhook_id IS 'the internal id, which deliveries have as well';
COMMENT ON COLUMN cp_webhook.webhook_activity.webhook IS 'the name of the webhook';
COMMENT ON COLUMN cp_webhook.webhook_activity.minute IS 'which minute, by its beginning';
COMMENT ON COLUMN cp_webhook.webhook_activity.triggered IS 'deliveries that started an execution';
COMMENT ON COLUMN cp_webhook.webhook_activity.ignored IS 'those that a filter did not let pass';
COMMENT ON COLUMN cp_webhook.webhook_activity.duplicate IS 'repeats of one that had triggered';
COMMENT ON COLUMN cp_webhook.webhook_activity.rejected IS 'those with a 4xx answer';
COMMENT ON COLUMN cp_webhook.webhook_activity.pong IS 'pings and challenges';
COMMENT ON COLUMN cp_webhook.stats_total.workers IS 'receivers that run';
COMMENT ON COLUMN cp_webhook.stats_total.started_at IS 'when the first of them started';
COMMENT ON COLUMN cp_webhook.stats_total.requests IS 'requests since the server''s start';
COMMENT ON COLUMN cp_webhook.stats_total.triggered IS 'those that started an execution';
COMMENT ON COLUMN cp_webhook.stats_total.ignored IS 'those that a filter did not let pass';
COMMENT ON COLUMN cp_webhook.stats_total.duplicate IS 'repeats of one that had triggered';
COMMENT ON COLUMN cp_webhook.stats_total.pong IS 'pings and challenges';
COMMENT ON COLUMN cp_webhook.stats_total.refused IS 'those with a 4xx answer';
COMMENT ON COLUMN cp_webhook.stats_total.unavailable IS 'those with a 503';
COMMENT ON COLUMN cp_webhook.stats_total.body_bytes IS 'bytes of their bodies';
COMMENT ON COLUMN cp_webhook.stats_total.batches IS 'transactions that recorded them';
COMMENT ON COLUMN cp_webhook.stats_total.batched IS 'deliveries in these';
COMMENT ON COLUMN cp_webhook.stats_total.largest_batch IS 'most deliveries in one';
COMMENT ON COLUMN cp_webhook.stats_total.batch_ms IS 'milliseconds spent on batches';
COMMENT ON COLUMN cp_webhook.stats_total.commit_ms IS 'milliseconds of these spent in commits';
COMMENT ON COLUMN cp_webhook.stats_total.connections IS 'connections that are open';
COMMENT ON COLUMN cp_webhook.stats_total.buffered_bytes IS 'memory that bodies take now';
COMMENT ON COLUMN cp_webhook.stats_total.refused_connections IS 'connections closed because their address had too many';
COMMENT ON COLUMN cp_webhook.stats_total.last_error_at IS 'when a receiver last logged an error';
COMMENT ON COLUMN cp_webhook.stats_total.certificate_days IS 'days until the first certificate expires; NULL: no TLS';
COMMENT ON COLUMN cp_webhook.stats_total.answers IS 'answers by name';
COMMENT ON COLUMN cp_webhook.stats_total.batch_sizes IS 'histogram of the deliveries in a batch, as in stats()';
COMMENT ON COLUMN cp_webhook.stats_total.batch_times IS 'histogram of the milliseconds of a batch, as in stats()';
COMMENT ON COLUMN cp_webhook.stats_total.commit_times IS 'histogram of the milliseconds of a commit, as in stats()';
COMMENT ON COLUMN cp_webhook.trigger_events.execution_id IS 'the pipelineExecutionId';
COMMENT ON COLUMN cp_webhook.trigger_events.webhook IS 'the name of the webhook; NULL: it was started by hand';
COMMENT ON COLUMN cp_webhook.trigger_events.event IS 'the sender''s name of the event';
COMMENT ON COLUMN cp_webhook.trigger_events.provider_delivery_id IS 'the sender''s own id of the delivery';
COMMENT ON COLUMN cp_webhook.trigger_events.received_at IS 'when the delivery was received';
COMMENT ON COLUMN cp_webhook.trigger_events.headers IS 'its headers by lower-case name; secrets are ****';
COMMENT ON COLUMN cp_webhook.trigger_events.payload IS 'its body; NULL once retention has dropped it';
COMMENT ON COLUMN cp_webhook.trigger_events.pipeline IS 'the name of its pipeline';
COMMENT ON COLUMN cp_webhook.trigger_events.version IS 'of the pipeline when it started';
COMMENT ON COLUMN cp_webhook.trigger_events.action IS 'the target action of the webhook; NULL: it was started by hand';
COMMENT ON COLUMN cp_webhook.trigger_events.trigger_type IS 'Webhook, StartPipelineExecution, ...';
COMMENT ON COLUMN cp_webhook.trigger_events.trigger_detail IS 'the ARN of the webhook, or who started it';
COMMENT ON COLUMN cp_webhook.trigger_events.delivery IS 'the delivery that started it; NULL: none did';
COMMENT ON COLUMN cp_webhook.trigger_events.status IS 'InProgress, Stopping, Stopped, Succeeded, Superseded or Failed; it waits while InProgress without lease_until';
COMMENT ON COLUMN cp_webhook.trigger_events.attempts IS 'how often it has been claimed';
COMMENT ON COLUMN cp_webhook.trigger_events.lease_holder IS 'the worker that has claimed it, or had when it ended';
COMMENT ON COLUMN cp_webhook.trigger_events.lease_until IS 'when the claim runs out; NULL: it is not claimed';
COMMENT ON COLUMN cp_webhook.trigger_events.result IS 'what complete_execution was given';
COMMENT ON COLUMN cp_webhook.trigger_events.reason IS 'why it has failed, was stopped or superseded';
COMMENT ON COLUMN cp_webhook.trigger_events.created_at IS 'when it started to wait';
COMMENT ON COLUMN cp_webhook.trigger_events.started_at IS 'when it was first claimed';
COMMENT ON COLUMN cp_webhook.trigger_events.ended_at IS 'when it ended; NULL: it has not';
COMMENT ON INDEX cp_webhook.executions_pipeline IS 'for list_pipeline_executions, and what a pipeline runs';
COMMENT ON INDEX cp_webhook.executions_position IS 'for executions_after';
COMMENT ON INDEX cp_webhook.executions_waiting IS 'for what a claim takes';
COMMENT ON INDEX cp_webhook.executions_leased IS 'for leases that run out';
COMMENT ON INDEX cp_webhook.executions_retrying IS 'for retries that become due';
COMMENT ON INDEX cp_webhook.executions_client_request_token IS 'for start_pipeline_execution with a token';
COMMENT ON TRIGGER definitions_changed ON cp_webhook.webhook_definitions IS 'makes the receivers forget what they have compiled';
COMMENT ON TRIGGER definitions_truncated ON cp_webhook.webhook_definitions IS 'makes the receivers forget what they have compiled';
COMMENT ON TRIGGER definitions_changed ON cp_webhook.pipeline_definitions IS 'makes the receivers forget what they have compiled';
COMMENT ON TRIGGER definitions_truncated ON cp_webhook.pipeline_definitions IS 'makes the receivers forget what they have compiled';
COMMENT ON TRIGGER definitions_changed ON cp_webhook.pipeline_versions IS 'makes the receivers forget what they have compiled';
COMMENT ON TRIGGER definitions_truncated ON cp_webhook.pipeline_versions IS 'makes the receivers forget what they have compiled';
COMMENT ON TRIGGER execution_arrived ON cp_webhook.executions IS 'deduplicates and notifies what other nodes have recorded';
COMMENT ON TRIGGER executions_changed ON cp_webhook.executions IS 'keeps the bounds at which claims begin to look';
