-- test_webhook: each step, each error, recorded deliveries, warnings.
\pset format unaligned
\pset tuples_only on
SELECT cpw_test.state('create_pipeline', cpw_test.pipeline('dry', '{}', '{"Branch": "main", "Owner": "octo", "OAuthToken": "hidden"}'));
CREATE FUNCTION pg_temp.dry(name text, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql
RETURN cpw_test.webhook(name, '{"targetPipeline": "dry"}' || more);
CREATE FUNCTION pg_temp.hmac(secret text) RETURNS jsonb LANGUAGE sql
RETURN jsonb_build_object('authentication', 'GITHUB_HMAC', 'authenticationConfiguration', jsonb_build_object('SecretToken', secret));
-- A line a step: what it was, its verdict, its detail.
CREATE FUNCTION pg_temp.explain(request jsonb) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  answer jsonb := cp_webhook.test_webhook(request);
BEGIN
  RETURN NEXT concat_ws(' | ', answer ->> 'outcome', answer ->> 'httpStatus', answer ->> 'reason');
  RETURN QUERY SELECT concat_ws(' | ', '  ' || (s ->> 'step') || coalesce(' ' || (s ->> 'number'), ''), s ->> 'verdict', s ->> 'detail')
    FROM jsonb_array_elements(answer -> 'steps') WITH ORDINALITY t (s, n) ORDER BY n;
  RETURN QUERY SELECT '  ! ' || w FROM jsonb_array_elements_text(answer -> 'warnings') w;
END
$$;
SELECT cpw_test.state('put_webhook', pg_temp.dry('dry', '{"filters": [{"jsonPath": "$.ref", "matchEquals": "refs/heads/{Branch}"}, {"jsonPath": "$.n"}]}'));
SELECT cpw_test.state('put_webhook', pg_temp.dry('dry-hmac', pg_temp.hmac('secret')));
SELECT cpw_test.state('put_webhook', pg_temp.dry('dry-ip', '{"authentication": "IP", "authenticationConfiguration": {"AllowedIPRange": "192.0.2.0/24"}}'));

-- ---- a payload ----
SELECT * FROM pg_temp.explain('{"name": "dry", "body": {"ref": "refs/heads/main", "n": 1}}');
SELECT * FROM pg_temp.explain('{"name": "dry", "body": {"ref": "refs/heads/x"}}');
SELECT * FROM pg_temp.explain('{"name": "dry", "body": [], "headers": {"X-GitHub-Event": "ping"}}');
SELECT * FROM pg_temp.explain('{"name": "dry", "body": 7, "headers": {"Content-Type": "text/plain"}}');
SELECT * FROM pg_temp.explain('{"name": "dry-hmac", "body": {}}');
SELECT * FROM pg_temp.explain('{"name": "dry-ip", "body": {}}');
SELECT * FROM pg_temp.explain('{"name": "dry-ip", "body": {}, "sourceAddress": "192.0.2.1"}');
SELECT * FROM pg_temp.explain('{"name": "dry-ip", "body": {}, "sourceAddress": "192.0.3.1"}');
SELECT * FROM pg_temp.explain(jsonb_build_object('name', 'dry', 'body', true, 'headers', jsonb_build_object('X-GitHub-Delivery', repeat('x', 256))));

-- ---- bytes ----
SELECT * FROM pg_temp.explain('{"name": "dry", "body": "{\"ref\": \"refs/heads/main\", \"n\": 1}", "headers": {"CONTENT-TYPE": "application/json"}}');
SELECT * FROM pg_temp.explain('{"name": "dry", "body": "{", "headers": {"content-type": "application/json"}}');
SELECT * FROM pg_temp.explain('{"name": "dry", "body": "", "headers": {"content-type": "application/json"}}');
SELECT * FROM pg_temp.explain('{"name": "dry", "body": "payload=%7B%22n%22%3A1%7D", "headers": {"content-type": "application/x-www-form-urlencoded"}}');
SELECT * FROM pg_temp.explain('{"name": "dry-hmac", "body": "{\"a\": \"z\"}", "headers": {"content-type": "application/json", "x-hub-signature-256": "sha256=f417af3a21bd70379b5796d5f013915e7029f62c580fb0f500f59a35a6f04c89"}}');
SELECT * FROM pg_temp.explain('{"name": "dry-hmac", "body": "{\"a\": \"z\"}\n", "headers": {"content-type": "application/json", "x-hub-signature-256": "sha256=f417af3a21bd70379b5796d5f013915e7029f62c580fb0f500f59a35a6f04c89"}}');
SELECT * FROM pg_temp.explain('{"name": "dry-hmac", "body": "{}", "headers": {"content-type": "application/json", "X-Gitlab-Token": "hidden"}}');

-- ---- filters, told in full ----
SELECT jsonb_pretty(s) FROM jsonb_array_elements(cp_webhook.test_webhook(jsonb_build_object('definition', pg_temp.dry('new', '{"filters": [
    {"jsonPath": "$.a[*]", "matchEquals": "{Owner}/{Branch}"}, {"jsonPath": "$query.x == \"1\""},
    {"jsonPath": "$headers.\"x-a\"", "matchEquals": "b"}, {"jsonPath": "$.token", "matchEquals": "-{OAuthToken}"},
    {"jsonPath": "$.a[0].double() / 0"}]}') -> 'webhook',
  'body', '{"a": ["octo/main", 1.50, null, true, {"b": []}], "token": "hidden"}'::jsonb,
  'query', '?x=1', 'headers', '{"X-A": "b", "Authorization": "hidden"}'::jsonb)) -> 'steps') s
 WHERE s ->> 'step' = 'filter';
-- What was found is bounded, in number and size.
SELECT jsonb_path_query(cp_webhook.test_webhook(jsonb_build_object('definition',
    pg_temp.dry('new', '{"filters": [{"jsonPath": "$[*]", "matchEquals": "x"}]}') -> 'webhook',
  'body', (SELECT jsonb_agg(n) FROM generate_series(1, 1000) n))), '$.steps[*] ? (@.step == "filter")') - 'translated';
SELECT length(f #>> '{}'), left(f #>> '{}', 40) FROM jsonb_path_query(cp_webhook.test_webhook(jsonb_build_object('definition',
    pg_temp.dry('new', '{"filters": [{"jsonPath": "$[*]", "matchEquals": "x"}]}') -> 'webhook',
  'body', jsonb_build_array(repeat('y', 10000), to_jsonb(repeat('9', 10000)::numeric), (SELECT jsonb_agg(n) FROM generate_series(1, 1000) n),
    (SELECT jsonb_object_agg(n, n) FROM generate_series(1, 1000) n)))), '$.steps[*].found[*]') f;

-- ---- a definition that is not put ----
SELECT count(*) FROM cp_webhook.webhooks WHERE name = 'new';
SELECT * FROM pg_temp.explain(jsonb_build_object('body', '{"a": 1}'::jsonb, 'definition', pg_temp.dry('dry', '{"filters": [{"jsonPath": "$.a", "matchEquals": "1.0"}]}') -> 'webhook'));
-- **** is the secret that is stored; a new one is tried as it is given.
SELECT cp_webhook.test_webhook(jsonb_build_object('body', '{"a": "z"}', 'definition', pg_temp.dry('dry-hmac', pg_temp.hmac(s)) -> 'webhook', 'headers',
  '{"content-type": "application/json", "x-hub-signature-256": "sha256=f417af3a21bd70379b5796d5f013915e7029f62c580fb0f500f59a35a6f04c89"}'::jsonb)) ->> 'outcome'
  FROM unnest(ARRAY['****', 'secret', 'other']) s;
SELECT cpw_test.try('test_webhook', jsonb_build_object('body', '{}', 'definition', pg_temp.dry('new', pg_temp.hmac('****')) -> 'webhook'));
-- What put_webhook refuses is refused, at its place in this request.
SELECT cpw_test.try('test_webhook', jsonb_build_object('body', '{}', 'definition', pg_temp.dry('new', d) -> 'webhook')) FROM unnest(ARRAY[
  '{"filters": [{"jsonPath": "$["}]}', '{"filters": [{"jsonPath": "$.a", "matchEquals": "{Missing}"}]}', '{"targetPipeline": "nowhere"}',
  '{"targetAction": "nowhere"}', '{"authentication": "GITHUB_HMAC"}',
  '{"authentication": "IP", "authenticationConfiguration": {"AllowedIPRange": "x"}}', '{"name": "a b"}']::jsonb[]) d;

-- ---- errors ----
SELECT cpw_test.try('test_webhook', r) FROM unnest(ARRAY['{}', '{"name": "dry"}', '{"body": {}}', '{"name": "dry", "body": null}',
  '{"name": "nowhere", "body": {}}', '{"name": "dry", "body": {}, "since": "1 day"}',
  '{"name": "dry", "deliveryId": "00000000-0000-7000-8000-000000000000", "since": "1 day", "headers": {}}',
  '{"name": "dry", "since": "1 day", "query": "a=b", "sourceAddress": "::1"}',
  '{"name": "dry", "body": {}, "sourceAddress": "10.0.0.0/8"}', '{"name": "dry", "body": {}, "headers": {"a": 1}}',
  '{"name": "dry", "body": {}, "headers": ["a"]}', '{"name": "dry", "body": {}, "boddy": {}}',
  '{"name": "dry", "deliveryId": "x"}', '{"deliveryId": "00000000-0000-7000-8000-000000000000"}',
  '{"name": "dry", "since": "soon"}', '{"name": "dry", "since": "9999-01-01"}', '{"name": "dry", "since": "infinity"}', '{"name": "dry", "since": "-1 day"}',
  '{"name": "nowhere", "since": "1 day"}', NULL]::jsonb[]) r;
SELECT cpw_test.try('test_webhook', jsonb_build_object('name', 'dry', 'definition', pg_temp.dry('dry') -> 'webhook', 'body', '{}'));
SELECT cpw_test.try('test_webhook', jsonb_build_object('definition', pg_temp.dry('new') -> 'webhook', 'since', '1 day'));

-- ---- what is recorded ----
CREATE TABLE cpw_test.recorded PARTITION OF cp_webhook.deliveries DEFAULT;
CREATE FUNCTION pg_temp.record(n int, webhook text, outcome text, status int, reason text, payload jsonb, headers jsonb DEFAULT '{}', address inet DEFAULT '192.0.2.9')
RETURNS void LANGUAGE sql AS $$
INSERT INTO cp_webhook.deliveries (id, received_at, webhook, source_address, outcome, reason, http_status, headers, payload, webhook_id)
SELECT overlay(cp_webhook.uuid_at(now() - n * interval '1 day')::text PLACING '8000-' || lpad(n::text, 12, '0') FROM 20)::uuid,
  now() - n * interval '1 day', webhook, address, outcome, reason, status, '{"content-type": "application/json"}' || headers, payload, w.id
  FROM cp_webhook.webhook_definitions w WHERE name = webhook;
$$;
SELECT count(pg_temp.record(n, 'dry', o, s, r, p, h)) FROM (VALUES
  (1, 'triggered', 200, NULL, '{"ref": "refs/heads/main", "n": 1}'::jsonb, '{}'::jsonb),
  (2, 'ignored', 200, 'filter 1: as it was', '{"ref": "refs/heads/x", "n": 2}', '{}'),
  (3, 'duplicate', 200, NULL, NULL, '{"x-github-delivery": "one"}'),
  (4, 'pong', 200, NULL, '{"zen": "so"}', '{"x-github-event": "ping"}'),
  (5, 'rejected', 401, 'the signature, as it was judged', NULL, '{}'),
  (6, 'rejected', 403, 'the address, as it was judged', NULL, '{}'),
  (7, 'rejected', 415, 'the type, as it was judged', NULL, '{}'),
  (8, 'rejected', 413, 'the size, as it was judged', NULL, '{}'),
  (9, 'rejected', 400, 'the body, as it was judged', NULL, '{}')) v (n, o, s, r, p, h);
SELECT d.outcome, d.http_status, e.* FROM cp_webhook.deliveries d, pg_temp.explain(jsonb_build_object('deliveryId', d.id)) e WHERE d.webhook = 'dry' ORDER BY d.id DESC;
-- By another webhook, or a definition; the address is judged again, the signature's form too.
SELECT count(pg_temp.record(10, 'dry', 'triggered', 200, NULL, '{"q": 1}', '{}', '198.51.100.1'));
SELECT coalesce(m ->> 'name', m ->> 'query', 'no query'), e.* FROM cp_webhook.deliveries d, unnest(ARRAY[
    jsonb_build_object('name', 'dry-ip'), jsonb_build_object('name', 'dry-hmac'),
    jsonb_build_object('definition', pg_temp.dry('new', '{"filters": [{"jsonPath": "$query.a == \"b\""}]}') -> 'webhook'),
    jsonb_build_object('query', 'a=b', 'definition', pg_temp.dry('new', '{"filters": [{"jsonPath": "$query.a == \"b\""}]}') -> 'webhook')]) m,
  pg_temp.explain(m || jsonb_build_object('deliveryId', d.id)) e WHERE d.payload ? 'q';
-- The webhook is gone, its delivery is not.
SELECT cpw_test.state('put_webhook', pg_temp.dry('dry-gone'));
SELECT count(pg_temp.record(11, 'dry-gone', 'ignored', 200, 'x', '{"gone": true}'));
SELECT cpw_test.state('delete_webhook', '{"name": "dry-gone"}');
SELECT cpw_test.try('test_webhook', jsonb_build_object('deliveryId', id)) FROM cp_webhook.deliveries WHERE webhook = 'dry-gone';
SELECT cp_webhook.test_webhook(jsonb_build_object('deliveryId', id, 'name', 'dry')) ->> 'reason' FROM cp_webhook.deliveries WHERE webhook = 'dry-gone';

-- ---- back-tests ----
CREATE FUNCTION pg_temp.back(request jsonb) RETURNS text LANGUAGE sql
RETURN cpw_test.mask(jsonb_pretty(cp_webhook.test_webhook(request)));
SELECT pg_temp.back(jsonb_build_object('since', '10 days 1 hour', 'definition', pg_temp.dry('dry', '{"filters": [{"jsonPath": "$.n", "matchEquals": "2"}]}') -> 'webhook'));
-- Only since then.
SELECT since, t ->> 'judged', t #>> '{notJudged,rejected}' FROM (VALUES ('36 hours'), ('8 days 1 hour'), ('1 day'), ('epoch'), ('-infinity')) v (since),
  LATERAL cp_webhook.test_webhook(jsonb_build_object('name', 'dry', 'since', since)) t ORDER BY since COLLATE "C";
-- Another authentication than that which the recorded ones have passed.
SELECT t #>> '{noLongerFires,count}', t #>> '{noLongerFires,examples,0,reason}', t -> 'warnings' FROM cp_webhook.test_webhook(jsonb_build_object('since', '20 days',
  'definition', pg_temp.dry('dry', pg_temp.hmac('secret')) -> 'webhook')) t;
DROP TABLE cpw_test.recorded;

-- ---- warnings ----
SELECT cpw_test.state('put_webhook', pg_temp.dry('dry-warn', a || '{"filters": [{"jsonPath": "$.headers"}, {"jsonPath": "$headers.a"}, {"jsonPath": "$.a ? (@ == $query.b)"}, {"jsonPath": "$.a[$query.n.double()] == $headers.b"}]}'))
  FROM unnest(ARRAY[pg_temp.hmac('secret'), '{}']) a;
SELECT cp_webhook.test_webhook(jsonb_build_object('body', '{}', 'definition', pg_temp.dry('dry-warn', a || '{"filters": [{"jsonPath": "$.headers"}, {"jsonPath": "$headers.a"}, {"jsonPath": "$.a ? (@ == $query.b)"}, {"jsonPath": "$.a[$query.n.double()] == $headers.b"}]}') -> 'webhook')) -> 'warnings'
  FROM unnest(ARRAY[pg_temp.hmac('secret'), '{"authentication": "IP", "authenticationConfiguration": {"AllowedIPRange": "::/0"}}', '{}']) a;
SELECT cpw_test.state('delete_webhook', jsonb_build_object('name', name)) FROM unnest(ARRAY['dry', 'dry-hmac', 'dry-ip', 'dry-warn']) name;
SELECT cpw_test.state('delete_pipeline', '{"name": "dry"}');
