-- tag_resource, untag_resource, list_tags_for_resource.
\pset format unaligned
\pset tuples_only on

SELECT cpw_test.state('put_webhook', cpw_test.webhook('app'));
SELECT cp_webhook.webhook_arn('app') AS webhook, cp_webhook.get_pipeline('{"name": "app"}') #>> '{metadata,pipelineArn}' AS pipeline \gset
SELECT :'webhook', :'pipeline';

-- A webhook and a pipeline of one name have tags of their own.
SELECT cpw_test.try('tag_resource', jsonb_build_object('resourceArn', :'webhook', 'tags', '[{"key": "b", "value": ""}, {"key": "a", "value": "ä"}]'::jsonb));
SELECT cpw_test.try('tag_resource', jsonb_build_object('resourceArn', :'pipeline', 'tags', '[{"key": "p", "value": "1"}]'::jsonb));
SELECT cpw_test.try('list_tags_for_resource', jsonb_build_object('resourceArn', a)) FROM unnest(ARRAY[:'webhook', :'pipeline']) a;
-- A known key gets the new value.
SELECT cpw_test.try('tag_resource', jsonb_build_object('resourceArn', :'webhook', 'tags', '[{"key": "b", "value": "new"}, {"key": "B", "value": "other"}]'::jsonb));
SELECT cpw_test.try('list_tags_for_resource', jsonb_build_object('resourceArn', :'webhook'));
SELECT cp_webhook.list_webhooks() #> '{webhooks,0,tags}';
-- Removed; a key that is not there is no error.
SELECT cpw_test.try('untag_resource', jsonb_build_object('resourceArn', :'webhook', 'tagKeys', '["a", "none", "b"]'::jsonb));
SELECT cpw_test.try('untag_resource', jsonb_build_object('resourceArn', :'webhook', 'tagKeys', '[]'::jsonb));
SELECT cpw_test.try('list_tags_for_resource', jsonb_build_object('resourceArn', :'webhook'));
SELECT cpw_test.try('untag_resource', jsonb_build_object('resourceArn', :'webhook', 'tagKeys', '["aws:a", "", 5, null]'::jsonb));
SELECT cpw_test.try('untag_resource', jsonb_build_object('resourceArn', :'webhook', 'tagKeys', '["B", "Aws:a"]'::jsonb));
SELECT n, cpw_test.state('untag_resource', jsonb_build_object('resourceArn', :'webhook', 'tagKeys', jsonb_build_array(repeat('ü', n)))) FROM unnest('{0,1,128,129}'::int[]) n;

-- 50 at most, together with those that are there.
SELECT cpw_test.state('tag_resource', jsonb_build_object('resourceArn', :'webhook', 'tags',
  (SELECT jsonb_agg(jsonb_build_object('key', 'k' || i, 'value', '')) FROM generate_series(1, 49) i)));
SELECT cpw_test.try('tag_resource', jsonb_build_object('resourceArn', :'webhook', 'tags', '[{"key": "k1", "value": "1"}, {"key": "one more", "value": ""}]'::jsonb));
SELECT count(*), max(value) FROM cp_webhook.resource_tags WHERE resource_type = 'webhook';
SELECT cpw_test.try('tag_resource', jsonb_build_object('resourceArn', :'webhook', 'tags', '[{"key": "k1", "value": "1"}]'::jsonb));
SELECT cpw_test.try('tag_resource', jsonb_build_object('resourceArn', :'webhook', 'tags',
  (SELECT jsonb_agg(jsonb_build_object('key', 'k' || i, 'value', '')) FROM generate_series(1, 51) i)));
SELECT cpw_test.try('tag_resource', jsonb_build_object('resourceArn', :'webhook', 'tags', '[{"key": "aws:a", "value": ""}, {"key": "k", "value": ""}, {"key": "k", "value": ""}]'::jsonb));
SELECT cpw_test.try('tag_resource', jsonb_build_object('resourceArn', :'webhook', 'tags', '[{"key": "", "value": null}, {"name": "x"}]'::jsonb));

-- Pages in the order of keys.
SELECT cpw_test.state('untag_resource', jsonb_build_object('resourceArn', :'webhook', 'tagKeys', (SELECT jsonb_agg('k' || i) FROM generate_series(4, 50) i)));
SELECT cpw_test.try('list_tags_for_resource', jsonb_build_object('resourceArn', :'webhook', 'maxResults', 3));
SELECT cp_webhook.list_tags_for_resource(jsonb_build_object('resourceArn', :'webhook', 'maxResults', 3)) ->> 'nextToken' AS token \gset
SELECT cpw_test.try('list_tags_for_resource', jsonb_build_object('resourceArn', :'webhook', 'nextToken', :'token'));
SELECT cpw_test.try('list_tags_for_resource', jsonb_build_object('resourceArn', :'pipeline', 'nextToken', :'token'));
SELECT n, cpw_test.state('list_tags_for_resource', jsonb_build_object('resourceArn', :'webhook', 'maxResults', n)) FROM unnest('{0,1,100,101}'::int[]) n;
SELECT n, cpw_test.state('list_tags_for_resource', jsonb_build_object('resourceArn', :'webhook', 'nextToken', repeat('A', n))) FROM unnest('{0,2048,2049}'::int[]) n;

-- ARNs.
SELECT a, cpw_test.state('list_tags_for_resource', jsonb_build_object('resourceArn', a)) FROM unnest(ARRAY[
  :'webhook', :'webhook' || 'x', :'pipeline' || 'x', replace(:'webhook', 'codepipeline', 'codebuild'),
  regexp_replace(:'webhook', '[0-9]{12}', '999999999999'), replace(:'webhook', 'webhook:', 'webhook/'), replace(:'webhook', 'webhook:', 'pipeline:'),
  :'webhook' || ':x', :'pipeline' || '/Source/GitHub', replace(:'webhook', 'app', ''), 'app', '']) a;
SELECT op, cpw_test.try(op, jsonb_build_object('resourceArn', :'pipeline' || 'x', m, '[]'::jsonb)) FROM (VALUES ('tag_resource', 'tags'), ('untag_resource', 'tagKeys')) t (op, m);
SELECT cpw_test.try('list_tags_for_resource', jsonb_build_object('resourceArn', :'pipeline' || '/Source'));
SELECT cpw_test.try('list_tags_for_resource', '{"resourceArn": "app"}');
SELECT cpw_test.try('tag_resource', '{}');
SELECT cpw_test.try('untag_resource', NULL);
SELECT cpw_test.state('untag_resource', jsonb_build_object('resourceArn', :'pipeline', 'tagKeys', '["p"]'::jsonb));
DELETE FROM cp_webhook.webhook_definitions;
DELETE FROM cp_webhook.resource_tags;
