-- Registrations as wishes: what a caller's transaction writes down. No worker
-- takes them here: the server's receivers and its maintenance worker serve
-- another database.
\pset format unaligned
\pset tuples_only on

CREATE FUNCTION pg_temp.pipeline(name text, configuration jsonb, provider text DEFAULT 'GitHub', owner text DEFAULT 'ThirdParty') RETURNS jsonb LANGUAGE sql
RETURN jsonb_build_object('pipeline', jsonb_build_object('name', name, 'stages', jsonb_build_array(
  jsonb_build_object('name', 'Source', 'actions', jsonb_build_array(jsonb_build_object('name', 'Source',
    'actionTypeId', jsonb_build_object('category', 'Source', 'owner', owner, 'provider', provider, 'version', '1'),
    'configuration', configuration))),
  jsonb_build_object('name', 'Build', 'actions', jsonb_build_array(jsonb_build_object('name', 'Build',
    'actionTypeId', jsonb_build_object('category', 'Build', 'owner', 'Custom', 'provider', 'b', 'version', '1')))))));
CREATE FUNCTION pg_temp.register(name text) RETURNS text LANGUAGE sql
RETURN cpw_test.try('register_webhook_with_third_party', jsonb_build_object('webhookName', name));
CREATE FUNCTION pg_temp.deregister(name text) RETURNS text LANGUAGE sql
RETURN cpw_test.try('deregister_webhook_with_third_party', jsonb_build_object('webhookName', name));
CREATE VIEW pg_temp.wishes AS
SELECT webhook, provider, repository, api_url, wanted, state, revision, is_current, hook_id, attempts, next_try_at IS NOT NULL AS is_due
  FROM cp_webhook.third_party_registrations ORDER BY created_at;

SELECT cpw_test.state('create_pipeline', pg_temp.pipeline('p', '{"Owner": "octo", "Repo": "site", "OAuthToken": "geheim"}'));
SELECT cpw_test.state('put_webhook', cpw_test.webhook('a', '{"targetPipeline": "p", "targetAction": "Source"}'));

-- The request.
SELECT cpw_test.try('register_webhook_with_third_party', NULL);
SELECT cpw_test.try('register_webhook_with_third_party', '{}');
SELECT cpw_test.try('register_webhook_with_third_party', '{"name": "a"}');
SELECT cpw_test.try('deregister_webhook_with_third_party', '{"webhookName": "a b", "force": true}');
SELECT pg_temp.register('nobody');
SELECT pg_temp.deregister('nobody');

-- Rolled back, nothing is left.
BEGIN;
SELECT pg_temp.register('a');
SELECT * FROM pg_temp.wishes;
ROLLBACK;
SELECT * FROM pg_temp.wishes;

-- One row, whatever is wished.
SELECT pg_temp.deregister('a');
SELECT pg_temp.register('a');
SELECT pg_temp.register('a');
SELECT * FROM pg_temp.wishes;
SELECT pg_temp.deregister('a');
SELECT * FROM pg_temp.wishes;
SELECT pg_temp.register('a');

-- A change of the webhook is a wish, where it is registered.
SELECT cpw_test.state('put_webhook', cpw_test.webhook('a', '{"targetPipeline": "p", "targetAction": "Source", "filters": [{"jsonPath": "$.a"}]}'));
SELECT webhook, revision FROM pg_temp.wishes;
SELECT cpw_test.state('put_webhook', cpw_test.webhook('b', '{"targetPipeline": "p", "targetAction": "Source"}'));
SELECT cpw_test.state('put_webhook', cpw_test.webhook('b', '{"targetPipeline": "p", "targetAction": "Source"}'));
SELECT webhook, revision FROM pg_temp.wishes;

-- So is one of the pipeline: another repository is another row, and the first
-- one is to be left.
SELECT cpw_test.state('update_pipeline', pg_temp.pipeline('p', '{"Owner": "octo", "Repo": "other", "OAuthToken": "****"}'));
SELECT * FROM pg_temp.wishes;
SELECT cpw_test.state('update_pipeline', pg_temp.pipeline('p', '{"Owner": "octo", "Repo": "site", "OAuthToken": "****"}'));
SELECT webhook, repository, wanted, is_current FROM pg_temp.wishes;
SELECT cpw_test.state('update_pipeline', pg_temp.pipeline('p', '{"Owner": "octo", "Repo": "site", "OAuthToken": "another"}'));
SELECT repository, access_token FROM cp_webhook.third_party_registrations WHERE is_current;
-- The token that is stored goes to no other place than it was given for.
SELECT cpw_test.try('update_pipeline', pg_temp.pipeline('p', '{"Owner": "octo", "Repo": "site", "OAuthToken": "****", "ApiUrl": "https://git.example.com"}'));
SELECT cpw_test.try('update_pipeline', pg_temp.pipeline('p', '{"Owner": "octo", "Repo": "site", "OAuthToken": "****"}', 'GitLab'));
-- An action that no longer says where leaves it.
SELECT cpw_test.state('update_pipeline', pg_temp.pipeline('p', '{"Branch": "main"}'));
SELECT webhook, repository, wanted, is_current FROM pg_temp.wishes;

-- What is shown has no token.
SELECT webhook, provider, repository, api_url, wanted, state, hook_id, attempts, next_try_at IS NOT NULL, error_code, last_error, public_url, is_current FROM cp_webhook.registrations WHERE is_current;
SELECT count(*) FROM cp_webhook.registrations r WHERE r::text LIKE '%another%' OR r::text LIKE '%geheim%';

-- delete_webhook: the rows outlive the webhook.
SELECT cpw_test.state('delete_webhook', '{"name": "a"}');
SELECT webhook, repository, wanted, is_current, is_due FROM pg_temp.wishes;
-- Put again it is another one.
SELECT cpw_test.state('update_pipeline', pg_temp.pipeline('p', '{"Owner": "octo", "Repo": "site", "OAuthToken": "geheim"}'));
SELECT cpw_test.state('put_webhook', cpw_test.webhook('a', '{"targetPipeline": "p", "targetAction": "Source"}'));
SELECT pg_temp.register('a');
SELECT webhook, repository, wanted, is_current FROM pg_temp.wishes;

-- Registrations of another cluster's are left alone until they are asked for.
UPDATE cp_webhook.third_party_registrations SET system_identifier = 1, next_try_at = NULL, state = 'registered';
SELECT webhook, state FROM cp_webhook.registrations WHERE is_current;
SELECT cpw_test.state('put_webhook', cpw_test.webhook('a', '{"targetPipeline": "p", "targetAction": "Source", "filters": [{"jsonPath": "$.b"}]}'));
SELECT webhook, state FROM cp_webhook.registrations WHERE is_current;
SELECT pg_temp.register('a');
SELECT webhook, state FROM cp_webhook.registrations WHERE is_current;
UPDATE cp_webhook.third_party_registrations SET system_identifier = 1;
SELECT cpw_test.state('delete_webhook', '{"name": "a"}');
SELECT count(*) FROM cp_webhook.registrations WHERE webhook = 'a' AND is_current;
DELETE FROM cp_webhook.third_party_registrations;

-- Where webhooks are registered: by the action's provider.
CREATE FUNCTION pg_temp.place(provider text, configuration jsonb, owner text DEFAULT 'ThirdParty') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  answer text;
BEGIN
  PERFORM cp_webhook.update_pipeline(pg_temp.pipeline('p', configuration || '{"OAuthToken": "geheim"}', provider, owner));
  DELETE FROM cp_webhook.third_party_registrations;
  answer := pg_temp.register('b');
  IF answer <> '{}' THEN
    RETURN substring(answer FROM 'Member must [^\n]*');
  END IF;
  RETURN (SELECT concat_ws(' ', r.provider, r.api_url, r.repository) FROM cp_webhook.registrations r);
END
$$;
SELECT pg_temp.place(p, c) FROM (VALUES
  ('GitHub', '{"Owner": "octo", "Repo": "site"}'::jsonb),
  ('github', '{"Owner": "octo", "Repo": "site", "ApiUrl": "https://git.example.com/api/v3"}'),
  ('GitHubEnterprise', '{"Owner": "octo", "Repo": "site", "ApiUrl": "https://git.example.com/api/v3"}'),
  ('GitLab', '{"Owner": "octo", "Repo": "site"}'),
  ('GitLab', '{"Project": "octo/deep/site", "ApiUrl": "https://gitlab.example.com:8443/api/v4"}'),
  ('Gitea', '{"Owner": "octo", "Repo": "site", "ApiUrl": "https://gitea.example.com/api/v1"}'),
  ('Forgejo', '{"Owner": "octo", "Repo": "site", "ApiUrl": "https://[2001:db8::1]/api/v1"}'),
  ('Bitbucket', '{"Owner": "octo", "Repo": "site"}'),
  ('GitHub', '{"Owner": "octo", "Repo": "site", "ApiUrl": "http://127.0.0.1:3000"}'),
  ('GitHub', '{"Owner": "octo", "Repo": "site", "ApiUrl": "https://git.example.org"}'),
  ('GitHub', '{"Owner": "octo", "Repo": "site", "ApiUrl": "http://git.example.com"}'),
  ('GitHub', '{"Owner": "octo", "Repo": "site", "ApiUrl": "http://127.0.0.1.example.com"}'),
  ('GitHub', '{"Owner": "octo", "Repo": "site", "ApiUrl": "https://git.example.com/?a"}'),
  ('GitHub', '{"Owner": "octo", "Repo": "site", "ApiUrl": "https://a@git.example.com/"}'),
  ('GitHub', '{"Owner": "octo", "Repo": "../x"}'),
  ('GitHub', '{"Owner": "octo"}'),
  ('GitHubEnterprise', '{"Owner": "octo", "Repo": "site"}'),
  ('Gitea', '{"Owner": "octo", "Repo": "site"}'),
  ('CodeCommit', '{"Owner": "octo", "Repo": "site"}')) t (p, c);
SELECT pg_temp.place('GitLab', '{"Owner": "octo", "Repo": "site"}', 'Custom');
SELECT pg_temp.place('GitHub', '{"Owner": "octo", "Repo": "site"}', 'AWS');

DELETE FROM cp_webhook.third_party_registrations;
DELETE FROM cp_webhook.webhook_definitions;
DELETE FROM cp_webhook.pipeline_definitions WHERE name <> 'app';
