-- create_, update_, get_, list_ and delete_pipeline.
\pset format unaligned
\pset tuples_only on

SELECT cpw_test.try('create_pipeline', cpw_test.pipeline('p', '{"version": 7, "executionMode": "QUEUED", "pipelineType": "V2",
  "roleArn": "arn:aws:iam::123456789012:role/x", "artifactStore": {"type": "S3", "location": null}, "variables": [{"name": "A"}], "triggers": null}')
  || '{"tags": [{"key": "k", "value": "v"}]}');
SELECT cpw_test.try('create_pipeline', cpw_test.pipeline('p'));
SELECT cpw_test.try('get_pipeline', '{"name": "p"}');
SELECT version, execution_mode FROM cp_webhook.pipeline_definitions WHERE name = 'p';

-- An update makes the next version, whatever the request says; the older stay.
SELECT cpw_test.try('update_pipeline', cpw_test.pipeline('p', '{"version": 1}', '{"Branch": "dev"}'));
SELECT version, execution_mode, updated_at > created_at FROM cp_webhook.pipeline_definitions WHERE name = 'p';
SELECT v, cp_webhook.get_pipeline(jsonb_build_object('name', 'p', 'version', v)) #> '{pipeline,stages,0,actions,0,configuration}'
  FROM unnest('{1,2}'::int[]) v;
SELECT cpw_test.try('get_pipeline', '{"name": "p", "version": 3}');
SELECT cpw_test.try('get_pipeline', '{"name": "p", "version": 0}');
SELECT cpw_test.try('get_pipeline', '{"name": "p", "version": 2147483648}');
SELECT cpw_test.try('get_pipeline', '{"name": "none"}');
SELECT cpw_test.try('get_pipeline', '{"Name": "p"}');
SELECT cpw_test.try('update_pipeline', cpw_test.pipeline('none'));

-- Lists, in pages of the order of names.
SELECT cpw_test.try('list_pipelines', '{}');
SELECT cpw_test.try('list_pipelines', '{"maxResults": 1}');
SELECT cp_webhook.list_pipelines('{"maxResults": 1}') ->> 'nextToken' AS token \gset
SELECT cpw_test.try('list_pipelines', jsonb_build_object('nextToken', :'token'));
SELECT cpw_test.state('list_webhooks', jsonb_build_object('NextToken', :'token'));
SELECT n, cpw_test.state('list_pipelines', jsonb_build_object('maxResults', n)) FROM unnest('{0,1,1000,1001}'::int[]) n;
SELECT cpw_test.try('list_pipelines', '{"nextToken": "nothing of ours"}');
SELECT n, cpw_test.state('list_pipelines', jsonb_build_object('nextToken', repeat('A', n))) FROM unnest('{0,2048,2049}'::int[]) n;
-- 100 on a page, where the request does not say.
BEGIN;
SELECT count(cp_webhook.create_pipeline(cpw_test.pipeline('page' || i))) FROM generate_series(1, 100 - (SELECT count(*) FROM cp_webhook.pipeline_definitions)) i;
SELECT jsonb_array_length(l -> 'pipelines'), l ? 'nextToken' FROM cp_webhook.list_pipelines() l;
SELECT cpw_test.state('create_pipeline', cpw_test.pipeline('pages'));
SELECT jsonb_array_length(l -> 'pipelines'), l ? 'nextToken' FROM cp_webhook.list_pipelines() l;
ROLLBACK;

-- Deleted with versions and tags, also when it is not there.
SELECT cpw_test.try('delete_pipeline', '{"name": "p"}');
SELECT cpw_test.try('delete_pipeline', '{"name": "p"}');
SELECT cpw_test.try('delete_pipeline', '{"name": ""}');
SELECT count(*) FROM cp_webhook.pipeline_versions WHERE name = 'p';
SELECT count(*) FROM cp_webhook.resource_tags;
-- Made again it begins with version 1.
SELECT cpw_test.try('create_pipeline', cpw_test.pipeline('p'));
-- So does one whose row was deleted by hand, which leaves its versions.
SELECT cpw_test.state('update_pipeline', cpw_test.pipeline('p'));
DELETE FROM cp_webhook.pipeline_definitions WHERE name = 'p';
SELECT cpw_test.state('create_pipeline', cpw_test.pipeline('p'));
SELECT count(*), max(version) FROM cp_webhook.pipeline_versions WHERE name = 'p';

-- Rules: stages, names, where sources are.
CREATE FUNCTION pg_temp.stages(VARIADIC stages text[]) RETURNS text LANGUAGE sql
BEGIN ATOMIC
  -- "Name: Action/Category Action/Category"
  SELECT cpw_test.try('create_pipeline', jsonb_build_object('pipeline', jsonb_build_object('name', 'r', 'stages',
    coalesce((SELECT jsonb_agg(jsonb_build_object('name', split_part(s, ':', 1), 'actions',
       coalesce((SELECT jsonb_agg(jsonb_build_object('name', split_part(a, '/', 1), 'actionTypeId',
          jsonb_build_object('category', split_part(a, '/', 2), 'owner', 'AWS', 'provider', 'x', 'version', '1')))
          FROM regexp_split_to_table(trim(split_part(s, ':', 2)), ' ') a WHERE a <> ''), '[]')))
     FROM unnest(stages) s), '[]'))));
END;
SELECT pg_temp.stages(VARIADIC '{}');
SELECT pg_temp.stages('S: a/Source');
SELECT cpw_test.state('delete_pipeline', '{"name": "r"}');
SELECT pg_temp.stages('S:');
SELECT pg_temp.stages('S: a/Build');
SELECT pg_temp.stages('S: a/Source b/Build');
SELECT pg_temp.stages('S: a/Source', 'T: b/Source');
SELECT pg_temp.stages('S: a/Source', 'S: b/Build');
SELECT pg_temp.stages('S: a/Source a/Source');
SELECT pg_temp.stages('S: a/Source', 'T: a/Build', 'T: c/Source', 'U:');
SELECT count(*) FROM cp_webhook.pipeline_definitions WHERE name = 'r';

-- The shape of a declaration, member by member.
CREATE FUNCTION pg_temp.set(path text, value jsonb) RETURNS text LANGUAGE sql
RETURN cpw_test.state('create_pipeline', jsonb_set(cpw_test.pipeline('m'), ('{pipeline,' || path || '}')::text[], value));
CREATE FUNCTION pg_temp.both(path text, fits jsonb, fails jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  good text; bad text;
BEGIN
  DELETE FROM cp_webhook.pipeline_definitions WHERE name = 'm';
  bad := pg_temp.set(path, fails);
  good := pg_temp.set(path, fits);
  RETURN path || ': ' || good || ' ' || bad;
END
$$;
SELECT pg_temp.both(p, f, g) FROM (VALUES
  ('roleArn', to_jsonb('arn:aws:iam::123456789012:role/' || repeat('x', 993)), to_jsonb('arn:aws:iam::123456789012:role/' || repeat('x', 994))),
  ('roleArn', '"arn:aws-cn:iam::123456789012:role/"', '"arn:aws:iam::12345678901:role/x"'),
  ('artifactStore', '{}', '[]'),
  ('artifactStores', '{"eu": {"any": [1]}}', '"x"'),
  ('executionMode', '"PARALLEL"', '"parallel"'),
  ('pipelineType', '"V1"', '"V3"'),
  ('version', '1', '0'),
  ('variables', jsonb_path_query_array(to_jsonb(array_fill(1, '{50}')), '$[*]'), to_jsonb(array_fill(1, '{51}'))),
  ('triggers', to_jsonb(array_fill(1, '{50}')), to_jsonb(array_fill(1, '{51}'))),
  ('stages,0,name', to_jsonb(repeat('n', 100)), to_jsonb(repeat('n', 101))),
  ('stages,0,blockers', '[{"any": "thing"}]', '{}'),
  ('stages,0,onFailure', '{"any": "thing"}', '[]'),
  ('stages,0,onSuccess', '{}', '1'),
  ('stages,0,beforeEntry', '{}', 'true'),
  ('stages,0,actions,0,runOrder', '1', '0'),
  ('stages,0,actions,0,runOrder', '999', '1000'),
  ('stages,0,actions,0,commands', to_jsonb(array_fill('x'::text, '{50}')), '[]'),
  ('stages,0,actions,0,commands', '["x"]', to_jsonb(array_fill('x'::text, '{51}'))),
  ('stages,0,actions,0,outputArtifacts', '[]', '{}'),
  ('stages,0,actions,0,inputArtifacts', '[]', '{}'),
  ('stages,0,actions,0,outputVariables', to_jsonb(array_fill('x'::text, '{15}')), to_jsonb(array_fill('x'::text, '{16}'))),
  ('stages,0,actions,0,roleArn', '"arn:aws:iam::123456789012:role/x"', '"x"'),
  ('stages,0,actions,0,region', '"abcd"', '"abc"'),
  ('stages,0,actions,0,region', to_jsonb(repeat('r', 30)), to_jsonb(repeat('r', 31))),
  ('stages,0,actions,0,namespace', '"a@b"', '"a.b"'),
  ('stages,0,actions,0,namespace', to_jsonb(repeat('n', 100)), to_jsonb(repeat('n', 101))),
  ('stages,0,actions,0,namespace', '"n"', '""'),
  ('stages,0,actions,0,timeoutInMinutes', '5', '4'),
  ('stages,0,actions,0,timeoutInMinutes', '86400', '86401'),
  ('stages,0,actions,0,environmentVariables', to_jsonb(array_fill(1, '{10}')), to_jsonb(array_fill(1, '{11}'))),
  ('stages,0,actions,0,environmentVariables', '[1]', '[]'),
  ('stages,0,actions,0,configuration', '{}', '[]'),
  ('stages,0,actions,0,configuration', jsonb_build_object(repeat('k', 50), 'v'), jsonb_build_object(repeat('k', 51), 'v')),
  ('stages,0,actions,0,configuration', '{"k": "v"}', '{"": "v"}'),
  ('stages,0,actions,0,configuration', jsonb_build_object('k', repeat('é', 1000)), jsonb_build_object('k', repeat('é', 1001))),
  ('stages,0,actions,0,configuration', '{"k": "v"}', '{"k": ""}'),
  ('stages,0,actions,0,configuration', '{"k": "5"}', '{"k": 5}'),
  ('stages,0,actions,0,actionTypeId,provider', to_jsonb(repeat('p', 35)), to_jsonb(repeat('p', 36))),
  ('stages,0,actions,0,actionTypeId,provider', '"a_-9"', '"a.b"'),
  ('stages,0,actions,0,actionTypeId,version', to_jsonb(repeat('9', 9)), to_jsonb(repeat('9', 10))),
  ('stages,0,actions,0,actionTypeId,owner', '"Custom"', '"custom"'),
  ('stages,1,actions,0,actionTypeId,category', '"Compute"', '"Computer"'),
  ('name', '"m"', '"m m"')) t (p, f, g);
SELECT cpw_test.try('create_pipeline', '{"pipeline": {"name": "m", "Stages": [], "stages": [{"name": "s", "actions": [{"name": "a",
  "actionTypeId": {"category": "Sauce", "owner": "AWS", "version": ""}, "runOrder": "1", "configuration": {"OAuthToken": 5, "Repo": 5, "x": null}}]}]}}');

-- Secrets of configurations: hidden, kept by ****, refused where there is none.
DELETE FROM cp_webhook.pipeline_definitions WHERE name IN ('p', 'm');
SELECT cpw_test.try('create_pipeline', cpw_test.pipeline('p', '{}', '{"OAuthToken": "one", "MySecret": "two", "DbPassword": "three", "api_token": "four", "Branch": "main", "TokenName": "****"}'));
SELECT declaration #> '{stages,0,actions,0,configuration}' FROM cp_webhook.pipeline_versions WHERE name = 'p';
SELECT cpw_test.try('get_pipeline', '{"name": "p"}') ~ '"(one|two|three|four)"';
SELECT cpw_test.state('update_pipeline', jsonb_build_object('pipeline', cp_webhook.get_pipeline('{"name": "p"}') -> 'pipeline'));
SELECT version, declaration #> '{stages,0,actions,0,configuration}' FROM cp_webhook.pipeline_versions WHERE name = 'p' ORDER BY version;
SELECT cpw_test.state('update_pipeline', cpw_test.pipeline('p', '{}', '{"OAuthToken": "new", "MySecret": "****"}'));
SELECT version, declaration #> '{stages,0,actions,0,configuration}' FROM cp_webhook.pipeline_versions WHERE name = 'p' ORDER BY version DESC LIMIT 1;
SELECT cpw_test.try('update_pipeline', cpw_test.pipeline('p', '{}', '{"OAuthToken": "****", "DbPassword": "****"}'));
SELECT cpw_test.try('create_pipeline', cpw_test.pipeline('q', '{}', '{"OAuthToken": "****"}'));
SELECT max(version) FROM cp_webhook.pipeline_versions WHERE name = 'p';
-- A secret that is refused is not quoted.
SELECT cpw_test.try('create_pipeline', cpw_test.pipeline('q', '{}', jsonb_build_object('OAuthToken', repeat('geheim', 200), 'oauthtoken', '')));
DELETE FROM cp_webhook.pipeline_definitions WHERE name <> 'app';
