-- What a role can do: nothing, until it is granted.
\pset format unaligned
\pset tuples_only on

CREATE ROLE regress_cpw_nobody;
CREATE ROLE regress_cpw_admin;
CREATE ROLE regress_cpw_reader;
GRANT USAGE ON SCHEMA cpw_test TO regress_cpw_nobody, regress_cpw_admin, regress_cpw_reader;

-- Nobody.
SET SESSION AUTHORIZATION regress_cpw_nobody;
SELECT cpw_test.try('list_webhooks', '{}');
SELECT * FROM cp_webhook.webhooks;
SELECT * FROM cp_webhook.webhook_definitions;
RESET SESSION AUTHORIZATION;
GRANT USAGE ON SCHEMA cp_webhook TO regress_cpw_nobody, regress_cpw_admin, regress_cpw_reader;
-- The schema alone opens nothing.
SELECT string_agg(proname, ' ') FROM pg_proc WHERE pronamespace = 'cp_webhook'::regnamespace AND has_function_privilege('regress_cpw_nobody', oid, 'EXECUTE');
SELECT string_agg(relname, ' ') FROM pg_class WHERE relnamespace = 'cp_webhook'::regnamespace AND relkind IN ('r', 'p', 'v')
   AND has_table_privilege('regress_cpw_nobody', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE');
SET SESSION AUTHORIZATION regress_cpw_nobody;
SELECT cpw_test.try('put_webhook', cpw_test.webhook('a'));
SELECT * FROM cp_webhook.webhooks;
RESET SESSION AUTHORIZATION;

-- Who may execute the operations needs nothing on the tables.
GRANT EXECUTE ON FUNCTION cp_webhook.put_webhook(jsonb), cp_webhook.list_webhooks(jsonb), cp_webhook.delete_webhook(jsonb) TO regress_cpw_admin;
SET SESSION AUTHORIZATION regress_cpw_admin;
SELECT cpw_test.state('put_webhook', cpw_test.webhook('a', '{"authentication": "GITHUB_HMAC", "authenticationConfiguration": {"SecretToken": "geheim"}}', '[{"key": "k", "value": "v"}]'));
SELECT cpw_test.try('list_webhooks', '{}');
SELECT secret FROM cp_webhook.webhook_definitions;
-- A search_path of the caller's does not matter.
CREATE FUNCTION pg_temp.count(text) RETURNS bigint LANGUAGE sql RETURN 1000000;
CREATE TEMP TABLE webhook_definitions (name text);
SET search_path = pg_temp, pg_catalog;
SELECT cpw_test.state('put_webhook', cpw_test.webhook('b'));
RESET search_path;
RESET SESSION AUTHORIZATION;

-- A reader of the view sees no secret.
GRANT SELECT ON cp_webhook.webhooks TO regress_cpw_reader;
GRANT EXECUTE ON FUNCTION cp_webhook.webhook_url(text), cp_webhook.webhook_arn(text), cp_webhook.uuid_at(timestamptz) TO regress_cpw_reader;
SET SESSION AUTHORIZATION regress_cpw_reader;
SELECT name, arn, authentication, configuration FROM cp_webhook.webhooks ORDER BY name;
SELECT count(*) FROM cp_webhook.webhooks w WHERE w::text LIKE '%geheim%';
RESET SESSION AUTHORIZATION;

DELETE FROM cp_webhook.webhook_definitions;
DELETE FROM cp_webhook.resource_tags;
DROP OWNED BY regress_cpw_nobody, regress_cpw_admin, regress_cpw_reader;
DROP ROLE regress_cpw_nobody;
DROP ROLE regress_cpw_admin;
DROP ROLE regress_cpw_reader;
