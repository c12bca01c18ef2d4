-- Secrets: any bytes but NUL, never shown, kept by ****.
\pset format unaligned
\pset tuples_only on

CREATE FUNCTION pg_temp.secret(name text, secret text) RETURNS text LANGUAGE sql
RETURN cpw_test.try('put_webhook', cpw_test.webhook(name, jsonb_build_object('authentication', 'GITHUB_HMAC',
  'authenticationConfiguration', jsonb_build_object('SecretToken', secret))));

-- It is stored as it came and shown as ****.
SELECT pg_temp.secret('s', 'geheim');
SELECT secret, configuration FROM cp_webhook.webhook_definitions;
SELECT count(*) FROM cp_webhook.webhooks w WHERE w::text LIKE '%geheim%';
SELECT cp_webhook.list_webhooks()::text LIKE '%geheim%', cp_webhook.list_webhooks()::text LIKE '%"SecretToken": "****"%';

-- Every printable character of ASCII, quotes, UTF-8, blanks at both ends.
SELECT count(*) FROM generate_series(32, 126) c,
  LATERAL (SELECT pg_temp.secret('s', chr(c)) AS answer) a,
  LATERAL (SELECT secret FROM cp_webhook.webhook_definitions WHERE name = 's') s
 WHERE answer LIKE '%"SecretToken": "****"%';
DO $do$
DECLARE
  candidate text; stored text;
BEGIN
  FOREACH candidate IN ARRAY ARRAY(SELECT chr(c) FROM generate_series(1, 126) c)
    || ARRAY[' leading', 'trailing ', ' ', E'\t', '"', '''', '\', '\\u0041', '$$', '%s', '{Branch}', 'ключ', '鍵🔑', 'e' || chr(769),
             '***', '*****', 'null', '{}']
  LOOP
    PERFORM cp_webhook.put_webhook(cpw_test.webhook('s', jsonb_build_object('authentication', 'GITHUB_HMAC',
      'authenticationConfiguration', jsonb_build_object('SecretToken', candidate))));
    SELECT secret INTO stored FROM cp_webhook.webhook_definitions WHERE name = 's';
    IF stored IS DISTINCT FROM candidate THEN
      RAISE WARNING 'stored %, not %', quote_nullable(stored), quote_nullable(candidate);
    END IF;
  END LOOP;
END
$do$;
-- 1..100 characters; a refused one is not quoted.
SELECT n, pg_temp.secret('s', repeat('🔑', n)) ~ '"SecretToken": "\*\*\*\*"' FROM unnest('{1,100}'::int[]) n;
SELECT pg_temp.secret('s', '');
SELECT pg_temp.secret('s', repeat('geheim', 17));
SELECT cpw_test.try('put_webhook', cpw_test.webhook('s', '{"authentication": "GITHUB_HMAC", "authenticationConfiguration": {"SecretToken": ["geheim"]}}'));
SELECT cpw_test.try('put_webhook', cpw_test.webhook('s', '{"authentication": "GITHUB_HMAC", "authenticationConfiguration": {"SecretToken": 12345}}'));
SELECT cpw_test.try('put_webhook', cpw_test.webhook('s', '{"authentication": "GITHUB_HMAC", "authenticationConfiguration": "geheim"}'));
SELECT cpw_test.try('put_webhook', '{"webhook": "geheim", "tags": "geheim"}');
-- NUL is no character of jsonb.
DO $$
BEGIN
  PERFORM cp_webhook.put_webhook('{"webhook": {"authenticationConfiguration": {"SecretToken": "a\u0000"}}}');
EXCEPTION WHEN OTHERS THEN
  RAISE NOTICE '%', SQLSTATE;
END
$$;

-- **** keeps the old one, whatever else changes.
SELECT pg_temp.secret('s', 'first') LIKE '%"****"%';
SELECT cpw_test.state('put_webhook', cpw_test.webhook('s', '{"filters": [{"jsonPath": "$.a"}], "authentication": "GITHUB_HMAC", "authenticationConfiguration": {"SecretToken": "****"}}'));
SELECT secret, filters FROM cp_webhook.webhook_definitions;
-- What list_webhooks shows can be put back.
SELECT cpw_test.state('put_webhook', jsonb_build_object('webhook', cp_webhook.list_webhooks() #> '{webhooks,0,definition}'));
SELECT secret FROM cp_webhook.webhook_definitions;
-- A new one replaces it.
SELECT pg_temp.secret('s', 'second') LIKE '%"****"%';
SELECT secret FROM cp_webhook.webhook_definitions;
-- **** without an old one is refused: a new webhook, one that had none, one whose secret went.
SELECT pg_temp.secret('new', '****');
SELECT cpw_test.state('put_webhook', cpw_test.webhook('s'));
SELECT secret IS NULL FROM cp_webhook.webhook_definitions;
SELECT pg_temp.secret('s', '****');
SELECT cpw_test.state('delete_webhook', '{"name": "s"}');
SELECT pg_temp.secret('s', '****');
SELECT count(*) FROM cp_webhook.webhook_definitions;
