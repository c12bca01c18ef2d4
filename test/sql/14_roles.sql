-- What the three roles may: README.md has these lines.
\pset format unaligned
\pset tuples_only on

SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname ~ '^cp_webhook_' AND NOT rolcanlogin AND NOT rolsuper AND NOT rolcreaterole AND NOT rolbypassrls;

WITH roles(role, n) AS (VALUES ('cp_webhook_admin', 1), ('cp_webhook_operator', 2), ('cp_webhook_consumer', 3)),
objects(kind, name, function, relation) AS (
  SELECT 1, proname || '()', p.oid, NULL::oid FROM pg_proc p WHERE pronamespace = 'cp_webhook'::regnamespace
  UNION ALL
  SELECT 2, relname, NULL, c.oid FROM pg_class c WHERE relnamespace = 'cp_webhook'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition),
marks(kind, name, n, mark) AS (
  SELECT kind, name, n, bool_and(CASE kind WHEN 1 THEN has_function_privilege(role, function, 'EXECUTE') ELSE has_table_privilege(role, relation, 'SELECT') END)
    FROM objects, roles GROUP BY 1, 2, 3)
SELECT '| `' || name || '` | ' || string_agg(CASE WHEN mark THEN CASE kind WHEN 1 THEN 'execute' ELSE 'select' END ELSE '' END, ' | ' ORDER BY n) || ' |'
  FROM marks GROUP BY kind, name HAVING bool_or(mark) ORDER BY kind, name COLLATE "C";

-- Nothing but SELECT on any relation, no grant option, and nothing of what holds secrets.
SELECT c.relname, r.rolname FROM pg_class c, pg_roles r
 WHERE relnamespace = 'cp_webhook'::regnamespace AND relkind IN ('r', 'p', 'v') AND r.rolname ~ '^cp_webhook_'
   AND has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER, SELECT WITH GRANT OPTION');
SELECT c.relname, r.rolname FROM pg_class c, pg_roles r
 WHERE c.relname IN ('webhook_definitions', 'pipeline_versions', 'access_keys', 'delivery_keys', 'third_party_registrations') AND r.rolname ~ '^cp_webhook_'
   AND has_any_column_privilege(r.oid, c.oid, 'SELECT');
-- Nothing to PUBLIC, and each function has its search_path pinned: all but one,
-- which runs for every execution and looks up nothing by name.
SELECT p.oid::regprocedure FROM pg_proc p, aclexplode(COALESCE(proacl, acldefault('f', proowner))) a WHERE pronamespace = 'cp_webhook'::regnamespace AND a.grantee = 0;
SELECT c.oid::regclass FROM pg_class c, aclexplode(relacl) a WHERE relnamespace = 'cp_webhook'::regnamespace AND a.grantee = 0;
SELECT p.oid::regprocedure FROM pg_proc p WHERE pronamespace = 'cp_webhook'::regnamespace
   AND NOT 'search_path=pg_catalog, pg_temp' = ANY (COALESCE(proconfig, '{}'));
-- Everything has a comment.
SELECT p.oid::regprocedure FROM pg_proc p WHERE pronamespace = 'cp_webhook'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL;
SELECT c.oid::regclass FROM pg_class c WHERE relnamespace = 'cp_webhook'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition AND obj_description(c.oid, 'pg_class') IS NULL;

SELECT a.attrelid::regclass || '.' || attname FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = 'cp_webhook'::regnamespace AND attnum > 0
   AND (relkind IN ('r', 'p') OR relname IN ('webhooks', 'trigger_events', 'registrations')) AND NOT relispartition AND NOT attisdropped AND col_description(attrelid, attnum) IS NULL ORDER BY 1;
SELECT tgname FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid WHERE relnamespace = 'cp_webhook'::regnamespace AND NOT tgisinternal AND obj_description(t.oid, 'pg_trigger') IS NULL;
-- An operator's, an admin's and a consumer's day.
CREATE ROLE regress_cpw_operator;
CREATE ROLE regress_cpw_consumer;
CREATE ROLE regress_cpw_definer;
GRANT cp_webhook_operator TO regress_cpw_operator;
GRANT cp_webhook_consumer TO regress_cpw_consumer;
GRANT cp_webhook_admin TO regress_cpw_definer;
GRANT USAGE ON SCHEMA cpw_test TO regress_cpw_operator, regress_cpw_consumer, regress_cpw_definer;
SET SESSION AUTHORIZATION regress_cpw_definer;
SELECT cpw_test.state('put_webhook', cpw_test.webhook('a', '{"authentication": "GITHUB_HMAC", "authenticationConfiguration": {"SecretToken": "geheim"}}'));
SELECT name, configuration FROM cp_webhook.webhooks;
SELECT count(*) FROM cp_webhook.deliveries;
SELECT cpw_test.try('start_pipeline_execution', '{"name": "app"}');
SELECT * FROM cp_webhook.claim_executions('me');
SET SESSION AUTHORIZATION regress_cpw_operator;
SELECT cpw_test.state('start_pipeline_execution', '{"name": "app"}');
SELECT status FROM cp_webhook.executions;
SELECT count(*) FROM cp_webhook.deliveries;
SELECT count(*) >= 0 FROM cp_webhook.stats();
SELECT cpw_test.try('put_webhook', cpw_test.webhook('b'));
SELECT secret FROM cp_webhook.webhook_definitions;
UPDATE cp_webhook.executions SET status = 'Succeeded';
SELECT * FROM cp_webhook.claim_executions('me');
SET SESSION AUTHORIZATION regress_cpw_consumer;
SELECT status FROM cp_webhook.trigger_events;
SELECT cp_webhook.complete_execution(id, nonce, '{"done": true}') FROM cp_webhook.claim_executions('me');
SELECT status, result FROM cp_webhook.trigger_events;
SELECT * FROM cp_webhook.webhooks;
SELECT cpw_test.try('stop_pipeline_execution', '{}');
RESET SESSION AUTHORIZATION;

DELETE FROM cp_webhook.executions;
DELETE FROM cp_webhook.webhook_definitions;
DROP OWNED BY regress_cpw_operator, regress_cpw_consumer, regress_cpw_definer;
DROP ROLE regress_cpw_operator;
DROP ROLE regress_cpw_consumer;
DROP ROLE regress_cpw_definer;
