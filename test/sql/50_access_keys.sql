-- Access keys: who makes, sees and changes them.
\pset format unaligned
\pset tuples_only on
-- Ids and secrets differ from run to run.
CREATE FUNCTION cpw_test.keys() RETURNS SETOF text LANGUAGE sql AS $$
  SELECT role || ' ' || status || CASE WHEN access_key_id ~ '^CPWA[A-Z2-7]{16}$' THEN '' ELSE ' ' || access_key_id END
  FROM cp_webhook.list_access_keys() ORDER BY 1 $$;
CREATE ROLE regress_cpw_boss;
CREATE ROLE regress_cpw_worker;
CREATE ROLE regress_cpw_other;
GRANT regress_cpw_worker TO regress_cpw_boss;
GRANT USAGE ON SCHEMA cpw_test, cp_webhook TO regress_cpw_boss, regress_cpw_worker, regress_cpw_other;

-- A key's form; the secret is shown this once.
SELECT access_key_id ~ '^CPWA[A-Z2-7]{16}$', secret_access_key ~ '^[A-Za-z0-9_-]{40}$'
FROM cp_webhook.create_access_key('regress_cpw_other');
SELECT cpw_test.keys();
SELECT cp_webhook.create_access_key('regress_cpw_nobody');
SELECT cp_webhook.create_access_key('public');
SELECT count(*) FROM cp_webhook.create_access_key(NULL);

-- Without EXECUTE nothing; with it, the keys of roles that one can become.
SET SESSION AUTHORIZATION regress_cpw_boss;
SELECT cp_webhook.create_access_key('regress_cpw_boss');
SELECT * FROM cp_webhook.list_access_keys();
SELECT secret FROM cp_webhook.access_keys;
RESET SESSION AUTHORIZATION;
GRANT EXECUTE ON FUNCTION cp_webhook.create_access_key(name), cp_webhook.list_access_keys(),
  cp_webhook.update_access_key(text, text), cp_webhook.delete_access_key(text)
TO regress_cpw_boss, regress_cpw_worker, regress_cpw_other;
SET SESSION AUTHORIZATION regress_cpw_boss;
SELECT count(*) FROM cp_webhook.create_access_key('regress_cpw_boss');
SELECT count(*) FROM cp_webhook.create_access_key('regress_cpw_worker');
SELECT count(*) FROM cp_webhook.create_access_key('regress_cpw_other');
SELECT cpw_test.keys();
-- SET ROLE counts, also downwards.
SET ROLE regress_cpw_worker;
SELECT cpw_test.keys();
SELECT count(*) FROM cp_webhook.create_access_key('regress_cpw_boss');
RESET ROLE;
RESET SESSION AUTHORIZATION;
SET ROLE regress_cpw_worker;
SELECT count(*) FROM cp_webhook.create_access_key('regress_cpw_boss');
RESET ROLE;

-- Changes.
SELECT access_key_id AS key FROM cp_webhook.list_access_keys() WHERE role = 'regress_cpw_worker' \gset
SET SESSION AUTHORIZATION regress_cpw_other;
SELECT cp_webhook.update_access_key(:'key', 'Inactive');
SELECT cp_webhook.delete_access_key(:'key');
SET SESSION AUTHORIZATION regress_cpw_boss;
SELECT cp_webhook.update_access_key(:'key', 'Inactive');
SELECT cpw_test.keys();
SELECT cp_webhook.update_access_key(:'key', 'inactive');
SELECT cp_webhook.update_access_key('CPWAAAAAAAAAAAAAAAAA', 'Active');
SELECT cp_webhook.delete_access_key(:'key');
SELECT cpw_test.keys();
RESET SESSION AUTHORIZATION;

-- A key of a role that was dropped is a superuser's to tidy up.
DROP OWNED BY regress_cpw_other;
DROP ROLE regress_cpw_other;
SELECT role IS NULL, status FROM cp_webhook.list_access_keys() WHERE role IS NULL;
SELECT access_key_id AS key FROM cp_webhook.list_access_keys() WHERE role IS NULL \gset
SET SESSION AUTHORIZATION regress_cpw_boss;
SELECT cpw_test.keys();
DO $$ BEGIN PERFORM cp_webhook.delete_access_key((SELECT 'x')); EXCEPTION WHEN OTHERS THEN RAISE NOTICE '%', SQLSTATE; END $$;
RESET SESSION AUTHORIZATION;
SELECT cp_webhook.delete_access_key(:'key');

DELETE FROM cp_webhook.access_keys;
DROP OWNED BY regress_cpw_boss, regress_cpw_worker;
DROP ROLE regress_cpw_boss;
DROP ROLE regress_cpw_worker;
DROP FUNCTION cpw_test.keys();
