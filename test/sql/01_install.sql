-- The extension, what it grants, what it says of itself; helpers of the tests.
\pset format unaligned
\pset tuples_only on
-- The warnings depend on the server's settings.
SET client_min_messages = error;
CREATE EXTENSION cp_webhook;
RESET client_min_messages;

SELECT extversion, extrelocatable FROM pg_extension WHERE extname = 'cp_webhook';

-- It can be dropped and made again.
SET client_min_messages = error;
DROP EXTENSION cp_webhook;
SELECT count(*) FROM pg_namespace WHERE nspname = 'cp_webhook';
CREATE EXTENSION cp_webhook;
RESET client_min_messages;

-- Nothing is granted to PUBLIC: neither the schema, nor a relation, nor a function.
SELECT 'schema', nspname FROM pg_namespace n, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a
 WHERE nspname = 'cp_webhook' AND a.grantee = 0
UNION ALL
SELECT 'relation', relname FROM pg_class c, aclexplode(coalesce(relacl, acldefault('r', relowner))) a
 WHERE relnamespace = 'cp_webhook'::regnamespace AND a.grantee = 0
UNION ALL
SELECT 'function', proname FROM pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) a
 WHERE pronamespace = 'cp_webhook'::regnamespace AND a.grantee = 0;

-- Every function, table and view has a comment, and every column of theirs.
SELECT 'function', proname FROM pg_proc
 WHERE pronamespace = 'cp_webhook'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL
UNION ALL
SELECT 'relation', relname FROM pg_class
 WHERE relnamespace = 'cp_webhook'::regnamespace AND relkind IN ('r', 'p', 'v')
   AND obj_description(oid, 'pg_class') IS NULL AND relname !~ '^deliveries_'
UNION ALL
SELECT 'column', relname || '.' || attname FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid
 WHERE relnamespace = 'cp_webhook'::regnamespace AND relkind IN ('r', 'p', 'v')
   AND attnum > 0 AND NOT attisdropped AND col_description(c.oid, attnum) IS NULL AND relname !~ '^deliveries_';

-- Every function that runs as its owner pins its search_path.
SELECT proname FROM pg_proc
 WHERE pronamespace = 'cp_webhook'::regnamespace AND prosecdef
   AND NOT coalesce(proconfig, '{}') @> ARRAY['search_path=pg_catalog, pg_temp'];

-- Each operation takes a jsonb and answers one, as its owner.
SELECT proname FROM pg_proc
 WHERE pronamespace = 'cp_webhook'::regnamespace
   AND pronargs = 1 AND proargtypes[0] = 'jsonb'::regtype AND prorettype = 'jsonb'::regtype
   AND prosecdef AND NOT proisstrict AND provolatile = 'v' AND proparallel = 'u'
   AND proname IN ('put_webhook', 'list_webhooks', 'delete_webhook', 'create_pipeline', 'update_pipeline',
                   'get_pipeline', 'list_pipelines', 'delete_pipeline', 'start_pipeline_execution',
                   'stop_pipeline_execution', 'get_pipeline_execution', 'list_pipeline_executions',
                   'tag_resource', 'untag_resource', 'list_tags_for_resource', 'test_webhook',
                   'register_webhook_with_third_party', 'deregister_webhook_with_third_party')
 ORDER BY proname;

-- Tables with data of users are dumped.
SELECT relname FROM pg_class c
 WHERE relnamespace = 'cp_webhook'::regnamespace AND relkind = 'r' AND NOT relispartition
   AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'cp_webhook' AND c.oid = ANY (extconfig));

-- ---- helpers of the tests that follow ----
CREATE SCHEMA cpw_test;
-- What differs from run to run: tokens, ids, times.
CREATE FUNCTION cpw_test.mask(answer text) RETURNS text LANGUAGE sql IMMUTABLE
RETURN regexp_replace(regexp_replace(regexp_replace(regexp_replace(answer,
  'https?://[^/" ]+/trigger/[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])', '<url>', 'g'),
  '[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}', '<id>', 'g'),
  '[0-9]{10}\.[0-9]{6}', '<time>', 'g'),
  '("[Nn]extToken": )"[A-Za-z0-9_-]+"', '\1"<token>"', 'g');
-- An operation's answer, or its error with all of its parts.
CREATE FUNCTION cpw_test.try(operation text, request jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  answer jsonb; state text; message text; detail text; hint text;
BEGIN
  EXECUTE format('SELECT cp_webhook.%I($1)', operation) INTO answer USING request;
  RETURN cpw_test.mask(answer::text);
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
    detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  -- What a path's error says is the server's, and differs by version.
  detail := regexp_replace(detail, '(is no path): [^\n]*', '\1: ...', 'g');
  message := regexp_replace(message, '(is no path): [^;]*', '\1: ...', 'g');
  RETURN cpw_test.mask(concat_ws(E'\n', state || '|' || message, 'D: ' || detail, 'H: ' || hint));
END
$$;
-- Only the state of the error, or ok.
CREATE FUNCTION cpw_test.state(operation text, request jsonb) RETURNS text LANGUAGE sql
BEGIN ATOMIC
  SELECT CASE WHEN t LIKE '{%' THEN 'ok' ELSE split_part(t, '|', 1) END FROM cpw_test.try(operation, request) t;
END;
-- A pipeline of two stages; members are added or replaced.
CREATE FUNCTION cpw_test.pipeline(name text, more jsonb DEFAULT '{}', configuration jsonb DEFAULT '{"Branch": "main"}')
RETURNS jsonb LANGUAGE sql IMMUTABLE
RETURN jsonb_build_object('pipeline', jsonb_build_object('name', name, 'stages', jsonb_build_array(
  jsonb_build_object('name', 'Source', 'actions', jsonb_build_array(jsonb_build_object('name', 'GitHub',
    'actionTypeId', '{"category": "Source", "owner": "ThirdParty", "provider": "GitHub", "version": "1"}'::jsonb,
    'configuration', configuration))),
  jsonb_build_object('name', 'Deploy', 'actions', jsonb_build_array(jsonb_build_object('name', 'S3',
    'actionTypeId', '{"category": "Deploy", "owner": "AWS", "provider": "S3", "version": "1"}'::jsonb))))) || more);
-- A webhook; members are added or replaced.
CREATE FUNCTION cpw_test.webhook(name text, more jsonb DEFAULT '{}', tags jsonb DEFAULT NULL)
RETURNS jsonb LANGUAGE sql IMMUTABLE
RETURN jsonb_build_object('webhook', jsonb_build_object('name', name, 'targetPipeline', 'app',
  'targetAction', 'GitHub', 'filters', '[]'::jsonb, 'authentication', 'UNAUTHENTICATED',
  'authenticationConfiguration', '{}'::jsonb) || more) || CASE WHEN tags IS NULL THEN '{}' ELSE jsonb_build_object('tags', tags) END;
SELECT cpw_test.state('create_pipeline', cpw_test.pipeline('app'));
