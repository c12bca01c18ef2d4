-- The senders' schemes: what each needs, what it takes, what is shown.
\pset format unaligned
\pset tuples_only on

CREATE FUNCTION pg_temp.put(authentication text, configuration jsonb) RETURNS text LANGUAGE sql
RETURN cpw_test.try('put_webhook', cpw_test.webhook('s', jsonb_build_object('authentication', authentication,
  'authenticationConfiguration', configuration)));
CREATE FUNCTION pg_temp.shown(authentication text, configuration jsonb) RETURNS jsonb LANGUAGE sql
RETURN cp_webhook.put_webhook(cpw_test.webhook('s', jsonb_build_object('authentication', authentication,
  'authenticationConfiguration', configuration))) #> '{webhook,definition,authenticationConfiguration}';

-- What is missing is said, all of it.
SELECT pg_temp.put(a, '{}') FROM unnest(ARRAY['HMAC', 'STANDARD_WEBHOOKS', 'GITLAB_TOKEN', 'BITBUCKET_HMAC', 'GITEA_HMAC', 'STRIPE',
  'SLACK', 'SHOPIFY', 'TWILIO', 'ZOOM', 'DISCORD', 'META', 'X', 'MICROSOFT_GRAPH', 'BEARER', 'BASIC', 'API_KEY']) a;
SELECT pg_temp.put('GITLAB', '{}');

-- AWS's three take what they took, and nothing of ours.
SELECT pg_temp.put(a, '{"SecretToken": "s", "AllowedIPRanges": ["10.0.0.0/8"], "KeepPreviousSecretFor": "1 hour"}')
  FROM unnest(ARRAY['GITHUB_HMAC', 'IP', 'UNAUTHENTICATED']) a;
SELECT pg_temp.put('GITHUB_HMAC', '{"SecretToken": "s", "PreviousSecretToken": "t", "PreviousSecretTokenExpires": "2999-01-01T00:00:00Z"}');

-- What each shows of itself: no secret.
SELECT a, pg_temp.shown(a, c) FROM (VALUES
  ('HMAC', '{"SecretToken": "geheim", "HeaderName": "X-Sig", "Algorithm": "sha512", "Encoding": "base64", "KeyEncoding": "utf8", "Prefix": "v1=", "Separator": ",", "SignedTemplate": "{timestamp}.{body}", "TimestampHeader": "X-Time", "ToleranceSeconds": "60"}'::jsonb),
  ('STANDARD_WEBHOOKS', '{"SecretToken": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}'),
  ('STANDARD_WEBHOOKS', '{"PublicKey": "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}'),
  ('STANDARD_WEBHOOKS', '{"SecretToken": "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "PublicKey": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"}'),
  ('DISCORD', '{"PublicKey": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "ToleranceSeconds": 60}'),
  ('META', '{"SecretToken": "geheim", "VerifyToken": "geheimer"}'),
  ('BASIC', '{"SecretToken": "geheim", "UserName": "Aladdin"}'),
  ('API_KEY', '{"SecretToken": "geheim", "HeaderName": "X-Api-Key", "Prefix": "Key "}'),
  ('STRIPE', '{"SecretToken": "geheim", "PreviousSecretToken": "geheimer", "PreviousSecretTokenExpires": "2031-01-31T12:00:00+01:00", "AllowedIPRanges": ["192.0.2.0/24", "2001:db8::1"]}'),
  ('SHOPIFY', '{"SecretToken": "geheim", "AllowedIPRanges": "192.0.2.0/24,2001:db8::/32"}')) t (a, c);
SELECT count(*) FROM cp_webhook.webhooks w WHERE w::text LIKE '%geheim%';
SELECT cp_webhook.list_webhooks()::text LIKE '%geheim%';
-- And what it shows can be put back.
SELECT pg_temp.shown('META', '{"SecretToken": "geheim", "VerifyToken": "geheimer", "PreviousSecretToken": "alt", "PreviousSecretTokenExpires": "2031-01-31T12:00:00Z"}') AS shown \gset
SELECT pg_temp.shown('META', :'shown') = :'shown'::jsonb;
SELECT secret, previous_secret, verify_token, configuration FROM cp_webhook.webhook_definitions WHERE name = 's';
-- **** without a secret behind it.
SELECT pg_temp.put('META', '{"SecretToken": "****", "VerifyToken": "****", "PreviousSecretToken": "****", "PreviousSecretTokenExpires": "2031-01-31T12:00:00Z"}') ~ '^CP';
DELETE FROM cp_webhook.webhook_definitions;
SELECT pg_temp.put('META', '{"SecretToken": "****", "VerifyToken": "****", "PreviousSecretToken": "****", "PreviousSecretTokenExpires": "2031-01-31T12:00:00Z"}');

-- Values. Each limit on both sides.
SELECT v, pg_temp.put('HMAC', jsonb_build_object('SecretToken', 's', 'HeaderName', v)) ~ '^CP'
  FROM unnest(ARRAY['X-Signature', 'x', repeat('x', 100), '', repeat('x', 101), 'a b', 'a:b', 'ä']) v;
SELECT v, pg_temp.put('HMAC', jsonb_build_object('SecretToken', 's', 'HeaderName', 'X', 'Algorithm', v)) ~ '^CP'
  FROM unnest(ARRAY['sha1', 'sha256', 'sha384', 'sha512', 'SHA256', 'md5', 'ed25519']) v;
SELECT v, pg_temp.put('HMAC', jsonb_build_object('SecretToken', 's', 'HeaderName', 'X', 'Encoding', v)) ~ '^CP'
  FROM unnest(ARRAY['hex', 'base64', 'base64url', 'utf8', 'base32']) v;
SELECT k, s, pg_temp.put('HMAC', jsonb_build_object('SecretToken', s, 'HeaderName', 'X', 'KeyEncoding', k))
  FROM (VALUES ('hex', 'geheim'), ('hex', 'abc'), ('base64', 'ge heim'), ('base64url', 'a+/b')) t (k, s);
SELECT k, s, pg_temp.put('HMAC', jsonb_build_object('SecretToken', s, 'HeaderName', 'X', 'KeyEncoding', k)) ~ '^CP'
  FROM (VALUES ('hex', 'abcd'), ('base64', 'AAAA'), ('base64url', '-_8'), ('utf8', 'geheim')) t (k, s);
SELECT v, pg_temp.put('HMAC', jsonb_build_object('SecretToken', 's', 'HeaderName', 'X', 'Separator', v)) ~ '^CP'
  FROM unnest(ARRAY[',', ' ', ';', ', ', '', 'ä', E'\t']) v;
SELECT v, pg_temp.put('HMAC', jsonb_build_object('SecretToken', 's', 'HeaderName', 'X', 'SignedTemplate', v))
  FROM unnest(ARRAY['{id}', '{body', 'x{nobody}', '{form}{body}', '{timestamp}{body}', '}{body}']) v;
SELECT v, pg_temp.put('HMAC', jsonb_build_object('SecretToken', 's', 'HeaderName', 'X', 'SignedTemplate', v)) ~ '^CP'
  FROM unnest(ARRAY['{body}', '{id}.{url}.{header:Date}.{body}', repeat('x', 294) || '{body}', repeat('x', 295) || '{body}']) v;
SELECT pg_temp.put('HMAC', '{"SecretToken": "s", "HeaderName": "X", "TimestampHeader": "X-Time"}');
SELECT pg_temp.put('HMAC', '{"SecretToken": "s", "HeaderName": "X", "ToleranceSeconds": "60"}');
SELECT pg_temp.put('HMAC', '{"SecretToken": "s", "HeaderName": "X", "TimestampHeader": "X-Time", "SignedTemplate": "{header:x-time}{body}"}') ~ '^CP';
SELECT v, pg_temp.put('SLACK', jsonb_build_object('SecretToken', 's', 'ToleranceSeconds', v)) ~ '^CP'
  FROM unnest(ARRAY['"1"', '"86400"', '1', '86400', '"0"', '"86401"', '0', '86401', '"300 s"', '""', '-1', '1.5', 'true', '[300]']::jsonb[]) v;
SELECT pg_temp.put('SLACK', '{"SecretToken": "s", "ToleranceSeconds": "a while"}');
SELECT pg_temp.put('SHOPIFY', '{"SecretToken": "s", "ToleranceSeconds": "60"}');
SELECT v, pg_temp.put('SHOPIFY', jsonb_build_object('SecretToken', 's', 'AllowedIPRanges', v)) ~ '^CP'
  FROM unnest(ARRAY['["10.0.0.0/8"]', '"10.0.0.0/8"', '"10.0.0.0/8, 2001:db8::1"', '[]', '""', '{}', '7', '[7]', '["10.0.0.1/8"]', '"10.0.0.0/8,"', '["10.0.0.0/8", ""]']::jsonb[]) v;
SELECT n, pg_temp.put('SHOPIFY', jsonb_build_object('SecretToken', 's', 'AllowedIPRanges',
  (SELECT jsonb_agg('10.0.0.' || i) FROM generate_series(1, n) i))) ~ '^CP' FROM unnest('{200,201}'::int[]) n;
SELECT pg_temp.put('SHOPIFY', '{"SecretToken": "s", "AllowedIPRanges": ["10.0.0.0/8", "2001:db8::1/32"]}');
SELECT pg_temp.put('DISCORD', jsonb_build_object('PublicKey', v)) FROM unnest(ARRAY['abcd', 'whpk_AAAA', repeat('g', 64)]) v;
SELECT pg_temp.put('BASIC', '{"SecretToken": "s", "UserName": "a:b"}');
SELECT v, pg_temp.put('STANDARD_WEBHOOKS', jsonb_build_object('SecretToken', v)) FROM unnest(ARRAY['whsec_', 'whsec_AAAA', 'geheim!']) v;
SELECT pg_temp.put('STANDARD_WEBHOOKS', '{"PublicKey": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "KeepPreviousSecretFor": "1 day"}');

-- Rotation.
SELECT pg_temp.put('STRIPE', '{"SecretToken": "s", "PreviousSecretToken": "geheim"}');
SELECT pg_temp.put('STRIPE', '{"SecretToken": "s", "PreviousSecretTokenExpires": "2031-01-31T12:00:00Z"}');
SELECT v, pg_temp.put('STRIPE', jsonb_build_object('SecretToken', 's', 'PreviousSecretToken', 't', 'PreviousSecretTokenExpires', v)) ~ '^CP'
  FROM unnest(ARRAY['2031-01-31T12:00:00Z', '2031-01-31T12:00:00.5+02:00', 'tomorrow', '2031-01-31', '2031-01-31 12:00:00Z']) v;
SELECT v, pg_temp.put('STRIPE', jsonb_build_object('SecretToken', 's', 'KeepPreviousSecretFor', v)) ~ '^CP'
  FROM unnest(ARRAY['1 hour', 'PT1H', '366 days', '367 days', '0', '-1 hour', 'a while', '']) v;
SELECT pg_temp.put('STRIPE', '{"SecretToken": "s", "KeepPreviousSecretFor": "a while"}');
-- A put that changes the secret keeps the old one; one that does not keeps what is kept; what is given counts first.
SELECT count(*) FROM (SELECT pg_temp.shown('STRIPE', '{"SecretToken": "eins"}')) t;
SELECT pg_temp.shown('STRIPE', '{"SecretToken": "zwei", "KeepPreviousSecretFor": "1 day"}') - 'PreviousSecretTokenExpires';
SELECT secret, previous_secret, (configuration ->> 'PreviousSecretTokenExpires')::timestamptz - now() BETWEEN '23:59' AND '24:01'
  FROM cp_webhook.webhook_definitions;
SELECT pg_temp.shown('STRIPE', '{"SecretToken": "zwei", "KeepPreviousSecretFor": "2 days"}') - 'PreviousSecretTokenExpires';
SELECT secret, previous_secret, (configuration ->> 'PreviousSecretTokenExpires')::timestamptz - now() BETWEEN '23:59' AND '24:01'
  FROM cp_webhook.webhook_definitions;
SELECT pg_temp.shown('STRIPE', '{"SecretToken": "drei", "KeepPreviousSecretFor": "1 day", "PreviousSecretToken": "null", "PreviousSecretTokenExpires": "2031-01-31T12:00:00Z"}');
SELECT secret, previous_secret FROM cp_webhook.webhook_definitions;
SELECT pg_temp.shown('STRIPE', '{"SecretToken": "drei"}');
SELECT secret, previous_secret, configuration FROM cp_webhook.webhook_definitions;
DELETE FROM cp_webhook.webhook_definitions;
