-- put_webhook: answers, updates, rules and limits, each on both sides.
\pset format unaligned
\pset tuples_only on

-- A new webhook, and the same name again: the URL stays.
SELECT cpw_test.try('put_webhook', cpw_test.webhook('a'));
SELECT id AS id, token AS token FROM cp_webhook.webhook_definitions WHERE name = 'a' \gset
SELECT cpw_test.try('put_webhook', cpw_test.webhook('a',
  '{"filters": [{"jsonPath": "$.ref", "matchEquals": "refs/heads/{Branch}"}, {"jsonPath": "$.x"}]}'));
SELECT id = :'id', token = :'token', updated_at > created_at FROM cp_webhook.webhook_definitions WHERE name = 'a';
SELECT length(token), token ~ '^[A-Za-z0-9_-]+$', id::text ~ '^.{14}7' FROM cp_webhook.webhook_definitions WHERE name = 'a';
-- Names differ by case.
SELECT cpw_test.state('put_webhook', cpw_test.webhook('A'));
SELECT name FROM cp_webhook.webhook_definitions ORDER BY name;

-- The answer's URL and ARN are those of the view.
SELECT url ~ ('/trigger/' || :'token' || '$'), arn FROM cp_webhook.webhooks WHERE name = 'a';

-- NULL and what is no object.
SELECT cpw_test.try('put_webhook', NULL);
SELECT cpw_test.try('put_webhook', '[]');
SELECT cpw_test.try('put_webhook', '"SecretToken"');
SELECT cpw_test.try('put_webhook', '{}');
SELECT cpw_test.try('put_webhook', '{"webhook": null}');
SELECT cpw_test.try('put_webhook', '{"webhook": {}}');

-- All violations at once, in the API's form.
SELECT cpw_test.try('put_webhook', '{"webhook": {"name": "a b", "targetPipeline": "app", "targetAction": "GitHub",
  "authentication": "UNAUTHENTICATED", "authenticationConfiguration": {}}}');
SELECT cpw_test.try('put_webhook', cpw_test.webhook('', '{"authentication": "HMAC256", "targetAction": 7,
  "filters": [{"jsonPath": ""}, {"matchEquals": "", "jsonPath": "$"}, null, "$.ref", {"jsonPath": "$", "matchEqual": "x"}]}'));

-- A client whose encoding lacks a character of the message gets the message.
SET client_encoding = LATIN1;
SELECT cp_webhook.delete_webhook('{"name": "\u4e2d \ud83d\ude00"}');
SELECT cp_webhook.put_webhook(jsonb_build_object('webhook', cpw_test.webhook('p', '{"filters": [{"jsonPath": "$[\u4e2d"}]}') -> 'webhook'));
SET client_encoding = UTF8;

-- Lengths: names 1..100 of certain characters.
SELECT n, cpw_test.state('put_webhook', cpw_test.webhook(repeat('n', n))) FROM unnest('{0,1,100,101}'::int[]) n;
SELECT c, cpw_test.state('put_webhook', cpw_test.webhook('n' || c))
  FROM unnest(ARRAY['.', '@', '-', '_', '9', ' ', '/', ':', 'é', E'\n', '*', '']) c;
-- Paths and wanted values 1..150 characters, not bytes.
SELECT n, cpw_test.state('put_webhook', cpw_test.webhook('p', jsonb_build_object('filters', jsonb_build_array(
  jsonb_build_object('jsonPath', '$."' || repeat('é', n) || '"')))))
  FROM unnest('{1,146,147}'::int[]) n;
SELECT n, cpw_test.state('put_webhook', cpw_test.webhook('p', jsonb_build_object('filters', jsonb_build_array(
  jsonb_build_object('jsonPath', '$', 'matchEquals', repeat('é', n))))))
  FROM unnest('{0,1,150,151}'::int[]) n;
-- At most 5 filters.
SELECT n, cpw_test.state('put_webhook', cpw_test.webhook('p', jsonb_build_object('filters',
  (SELECT coalesce(jsonb_agg('{"jsonPath": "$.a"}'::jsonb), '[]') FROM generate_series(1, n)))))
  FROM unnest('{0,1,5,6}'::int[]) n;
SELECT cpw_test.try('put_webhook', cpw_test.webhook('p', jsonb_build_object('filters',
  (SELECT jsonb_agg('{"jsonPath": "$.a"}'::jsonb) FROM generate_series(1, 6)))));

-- The target.
SELECT cpw_test.try('put_webhook', cpw_test.webhook('p', '{"targetPipeline": "none"}'));
SELECT cpw_test.try('put_webhook', cpw_test.webhook('p', '{"targetAction": "S3"}'));
SELECT cpw_test.try('put_webhook', cpw_test.webhook('p', '{"targetAction": "github"}'));

-- Filters: a path that is none, an unknown variable, a placeholder's key.
SELECT cpw_test.try('put_webhook', cpw_test.webhook('p', '{"filters": [{"jsonPath": "$.a"}, {"jsonPath": "$.a["}]}'));
SELECT cpw_test.try('put_webhook', cpw_test.webhook('p', '{"filters": [{"jsonPath": "$ ? (@ == $nobody)"}]}'));
SELECT cpw_test.try('put_webhook', cpw_test.webhook('p', '{"filters": [{"jsonPath": "$.a", "matchEquals": "x{Repo}{Branch}"}]}'));
SELECT cpw_test.state('put_webhook', cpw_test.webhook('p', '{"filters": [{"jsonPath": "$.a", "matchEquals": "{no key}"}]}'));
SELECT cpw_test.state('put_webhook', cpw_test.webhook('p', '{"filters": [{"jsonPath": "strict $.a"}, {"jsonPath": "$.commits[*] ? (@.id starts with \"a\")"}]}'));

-- A failed put leaves everything as it was.
SELECT filters FROM cp_webhook.webhooks WHERE name = 'a';
SELECT cpw_test.state('put_webhook', cpw_test.webhook('a', '{"filters": [{"jsonPath": "$["}]}'));
SELECT filters FROM cp_webhook.webhooks WHERE name = 'a';

-- Authentication takes exactly its member.
SELECT a, c, cpw_test.state('put_webhook', cpw_test.webhook('p', jsonb_build_object('authentication', a, 'authenticationConfiguration', c)))
  FROM unnest(ARRAY['GITHUB_HMAC', 'IP', 'UNAUTHENTICATED']) a,
       unnest(ARRAY['{}', '{"SecretToken": "s"}', '{"AllowedIPRange": "10.0.0.0/8"}',
                    '{"SecretToken": "s", "AllowedIPRange": "10.0.0.0/8"}', '{"SecretToken": null}']::jsonb[]) c;
SELECT cpw_test.try('put_webhook', cpw_test.webhook('p', '{"authentication": "GITHUB_HMAC"}'));
SELECT cpw_test.try('put_webhook', cpw_test.webhook('p', '{"authentication": "IP", "authenticationConfiguration": {"SecretToken": "geheim"}}'));
SELECT cpw_test.try('put_webhook', cpw_test.webhook('p', '{"authenticationConfiguration": {"SecretToken": "geheim", "AllowedIPRange": "10.0.0.0/8"}}'));
-- Ranges.
SELECT r, cpw_test.state('put_webhook', cpw_test.webhook('p', jsonb_build_object('authentication', 'IP',
  'authenticationConfiguration', jsonb_build_object('AllowedIPRange', r))))
  FROM unnest(ARRAY['10.0.0.0/8', '10.0.0.1', '10.0.0.1/32', '0.0.0.0/0', '::/0', '2001:db8::/32', '2001:db8::1', '2001:db8::1/128',
    '10.0.0.1/8', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/', '10/8', '10.0.0.0/08', '::/00', '10.1/16', '10.0.0', '010.0.0.0/8', '256.0.0.0/8', '10.0.0.0/8 ', ' 10.0.0.0/8',
    '2001:db8::1/32', '2001:db8::/129', '2001:db8::g', '::ffff:10.0.0.0/104', 'localhost', '10.0.0.0/8,11.0.0.0/8', '/8', ':', '']) r;
SELECT r, cpw_test.try('put_webhook', cpw_test.webhook('p', jsonb_build_object('authentication', 'IP',
  'authenticationConfiguration', jsonb_build_object('AllowedIPRange', r))))
  FROM unnest(ARRAY['10.0.0.1/8', '2001:db8::1/32', 'localhost', '010.0.0.0/8', '::ffff:10.0.0.0/104']) r;
SELECT n, cpw_test.state('put_webhook', cpw_test.webhook('p', jsonb_build_object('authentication', 'IP',
  'authenticationConfiguration', jsonb_build_object('AllowedIPRange', repeat('1', n))))) FROM unnest('{100,101}'::int[]) n;
-- It is shown as it was put.
SELECT cpw_test.try('put_webhook', cpw_test.webhook('p', '{"authentication": "IP", "authenticationConfiguration": {"AllowedIPRange": "2001:DB8::1"}}'));

-- Tags: 50 at most, no reserved prefix, no repetition; given ones replace the old ones.
SELECT n, cpw_test.state('put_webhook', cpw_test.webhook('t', '{}', (SELECT jsonb_agg(jsonb_build_object('key', 'k' || i, 'value', ''))
  FROM generate_series(1, n) i))) FROM unnest('{1,50,51}'::int[]) n;
SELECT count(*) FROM cp_webhook.resource_tags WHERE resource_name = 't';
SELECT cpw_test.try('put_webhook', cpw_test.webhook('t', '{}', '[{"key": "b", "value": "1"}, {"key": "a", "value": "ä"}]'));
SELECT cpw_test.try('put_webhook', cpw_test.webhook('t'));
SELECT cpw_test.try('put_webhook', cpw_test.webhook('t', '{}', '[]'));
SELECT cpw_test.try('put_webhook', cpw_test.webhook('t', '{}', '[{"key": "aws:a", "value": "1"}, {"key": "AWS:b", "value": "1"}, {"key": "c", "value": "1"}, {"key": "c", "value": "2"}]'));
SELECT k, v, cpw_test.state('put_webhook', cpw_test.webhook('t', '{}', jsonb_build_array(jsonb_build_object('key', repeat('ü', k), 'value', repeat('ü', v)))))
  FROM (VALUES (0, 0), (1, 0), (128, 256), (129, 0), (1, 257)) t (k, v);
SELECT cpw_test.try('put_webhook', cpw_test.webhook('t', '{}', '[{"key": "k"}, {"value": "v"}, {"Key": "k", "value": 5}]'));

-- Problems of several kinds come together.
SELECT cpw_test.try('put_webhook', cpw_test.webhook('q', '{"targetPipeline": "none", "authentication": "IP",
  "filters": [{"jsonPath": "$["}]}', '[{"key": "aws:a", "value": "1"}]'));

-- Unknown members name the nearest known one, and show no value.
SELECT cpw_test.try('put_webhook', '{"webhok": {"SecretToken": "geheim"}}');
SELECT cpw_test.try('put_webhook', cpw_test.webhook('q', '{"authentication": "GITHUB_HMAC", "authenticationConfiguration": {"secretToken": "geheim"}}'));
SELECT cpw_test.try('put_webhook', cpw_test.webhook('q', '{"TargetPipeline": "app", "filter": []}'));

-- max_webhooks: a new name fails at the limit, a known one does not.
DELETE FROM cp_webhook.webhook_definitions;
DELETE FROM cp_webhook.resource_tags;
SELECT count(cp_webhook.put_webhook(cpw_test.webhook('w' || i)))
     = current_setting('cp_webhook.max_webhooks')::int - 1
  FROM generate_series(2, current_setting('cp_webhook.max_webhooks')::int) i;
SELECT cpw_test.state('put_webhook', cpw_test.webhook('last'));
SELECT regexp_replace(cpw_test.try('put_webhook', cpw_test.webhook('more')), ' [0-9]+', ' N', 'g');
SELECT cpw_test.state('put_webhook', cpw_test.webhook('last'));
SELECT cpw_test.state('delete_webhook', '{"name": "last"}');
SELECT cpw_test.state('put_webhook', cpw_test.webhook('more'));
DELETE FROM cp_webhook.webhook_definitions;
