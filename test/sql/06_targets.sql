-- A pipeline that changes under its webhooks shows at them.
\pset format unaligned
\pset tuples_only on

SELECT cpw_test.state('create_pipeline', cpw_test.pipeline('target', '{}', '{"Branch": "main", "Repo": "x"}'));
SELECT cpw_test.state('put_webhook', cpw_test.webhook(n, jsonb_build_object('targetPipeline', 'target', 'filters', f)))
  FROM (VALUES ('branch', '[{"jsonPath": "$.a", "matchEquals": "{Branch}"}]'::jsonb),
               ('repo', '[{"jsonPath": "$.a"}, {"jsonPath": "$.a", "matchEquals": "{Repo}"}]'), ('none', '[]')) t (n, f);
SELECT cpw_test.state('put_webhook', cpw_test.webhook('other'));
CREATE VIEW pg_temp.errors AS SELECT name, error_code, error_message FROM cp_webhook.webhooks ORDER BY name;
SELECT * FROM pg_temp.errors;

-- A key goes, and comes back.
SELECT cpw_test.state('update_pipeline', cpw_test.pipeline('target', '{}', '{"Branch": "main"}'));
SELECT * FROM pg_temp.errors;
SELECT w FROM (SELECT cpw_test.mask(w::text) AS w FROM jsonb_array_elements(cp_webhook.list_webhooks() -> 'webhooks') w) t WHERE w ~ 'error';
SELECT cpw_test.state('update_pipeline', cpw_test.pipeline('target', '{}', '{"Branch": "main", "Repo": "y"}'));
SELECT * FROM pg_temp.errors;

-- The action goes.
SELECT cpw_test.state('update_pipeline', jsonb_set(cpw_test.pipeline('target'), '{pipeline,stages,0,actions,0,name}', '"GitLab"'));
SELECT * FROM pg_temp.errors;

-- The pipeline goes, and comes back.
SELECT cpw_test.state('delete_pipeline', '{"name": "target"}');
SELECT * FROM pg_temp.errors;
SELECT cpw_test.state('create_pipeline', cpw_test.pipeline('target', '{}', '{"Branch": "main", "Repo": "x"}'));
SELECT * FROM pg_temp.errors;

-- Putting the webhook again clears its error.
SELECT cpw_test.state('update_pipeline', cpw_test.pipeline('target', '{}', '{"Repo": "x"}'));
SELECT cpw_test.try('put_webhook', cpw_test.webhook('branch', '{"targetPipeline": "target"}'));
SELECT * FROM pg_temp.errors;

-- The error of a registration is not touched.
UPDATE cp_webhook.webhook_definitions SET error_code = 'RegistrationFailed', error_message = 'x' WHERE name = 'none';
SELECT cpw_test.state('delete_pipeline', '{"name": "target"}');
SELECT cpw_test.state('create_pipeline', cpw_test.pipeline('target', '{}', '{"Branch": "main", "Repo": "x"}'));
SELECT cpw_test.state('put_webhook', cpw_test.webhook('none', '{"targetPipeline": "target"}'));
SELECT * FROM pg_temp.errors;
SELECT cpw_test.state('delete_pipeline', '{"name": "target"}');
DELETE FROM cp_webhook.webhook_definitions;
