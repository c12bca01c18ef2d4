# The AWS wire: what is answered to whom, in which form.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use PostgreSQL::Test::Utils;
use Test::More;
use Wire;

my $node = start_api('wire', settings => { workers => 1 });

$node->safe_psql('postgres', <<'SQL');
CREATE ROLE deployer;
GRANT EXECUTE ON FUNCTION cp_webhook.start_pipeline_execution(jsonb), cp_webhook.list_pipelines(jsonb) TO deployer;
CREATE ROLE "od d'""role";
GRANT EXECUTE ON FUNCTION cp_webhook.start_pipeline_execution(jsonb) TO "od d'""role";
SQL
my $admin = create_key($node, $node->safe_psql('postgres', 'SELECT current_user'));
my $deployer = create_key($node, 'deployer');
create_pipeline($node, 'pipeline');

# Status and type of an answer: "400 ValidationException", "200".
sub verdict
{
	my ($answer) = @_;
	return join ' ', $answer->{status}, $answer->{json}{__type} // ();
}

# ---- answers ----

my $answer = wire($node, $admin, 'GetPipeline', { name => 'pipeline' });
is($answer->{status}, 200, 'a call that goes well');
is($answer->{headers}{'content-type'}, 'application/x-amz-json-1.1', 'the type of its answer');
like($answer->{headers}{'x-amzn-requestid'}, qr/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'its request id');
is($answer->{json}{pipeline}{name}, 'pipeline', 'its answer is the function\'s');
like($answer->{body}, qr/"created": ?\d{10}\.\d+/, 'times are seconds since 1970 with a fraction');

$answer = wire($node, $admin, 'GetPipeline', { name => 'none' });
is(verdict($answer), '400 PipelineNotFoundException', 'an exception of the API');
is($answer->{json}{message}, "pipeline not found: 'none'", 'its message, without the name before it');
is($answer->{headers}{'content-type'}, 'application/x-amz-json-1.1', 'the type of an error');
ok($answer->{headers}{'x-amzn-requestid'}, 'and its request id');

is_deeply(wire($node, $admin, 'DeletePipeline', { name => 'none' })->{json}, {}, 'an empty answer');
is(verdict(wire($node, $admin, 'ListPipelines', '')), '200', 'no body says nothing, as {} does');

# Every operation that exists as a function is there.
my @functions = split /\n/, $node->safe_psql('postgres', <<'SQL');
SELECT proname FROM pg_proc WHERE pronamespace = 'cp_webhook'::regnamespace
AND prorettype = 'jsonb'::regtype AND proargtypes::text = 'jsonb'::regtype::oid::text
AND proname <> 'test_webhook' ORDER BY 1
SQL
foreach my $function (@functions)
{
	my $operation = join '', map { ucfirst } split /_/, $function;

	unlike(verdict(wire($node, $admin, $operation, { nothing => 'known' })),
		qr/UnknownOperation|Serialization|Internal/, "$operation is $function");
}
is(verdict(wire($node, $admin, 'PollForJobs', {})), '400 UnknownOperationException', 'an operation that is not there');
is(verdict(wire($node, $admin, 'TestWebhook', {})), '400 UnknownOperationException', 'a function that is no operation');
is(verdict(wire($node, $admin, 'x', {}, headers => { 'X-Amz-Target' => 'ListPipelines' })), '400 UnknownOperationException',
	'a target without the service');

# ---- requests ----

is(verdict(wire($node, $admin, 'GetPipeline', { name => 'pipeline', version => undef, futureMember => { a => [1] } })), '200',
	'members that are null or unknown do not matter');
is(verdict(wire($node, $admin, 'CreatePipeline', { pipeline => { name => 'more', future => 1, stages => [
	{ name => 'Source', x => undef, actions => [ { name => 'a', y => 2, configuration => { K => 'v' }, actionTypeId => {
		category => 'Source', owner => 'AWS', provider => 'S3', version => '1', z => [] } } ] },
	{ name => 'Build', actions => [ { name => 'b', actionTypeId => {
		category => 'Build', owner => 'AWS', provider => 'CodeBuild', version => '1' } } ] } ] } })), '200',
	'at any depth');
is(verdict(wire($node, $admin, 'GetPipeline', {})), '400 ValidationException', 'a member that is missing');

my %wrong = (
	'{"name": 1}' => "'name' must be a string.",
	'{"name": ["pipeline"]}' => "'name' must be a string.",
	'{"name": "pipeline", "version": "1"}' => "'version' must be a number.",
	'[]' => "'the request' must be an object.",
	'"x"' => "'the request' must be an object.",
	'null' => "'the request' must be an object.",
	'{"name": ' => undef,
	'{"name": "pipeline"} x' => undef,
	"{\"name\": \"\xff\"}" => undef,
	"{\"name\": \"\0\"}" => undef,
	'{"name": "\u0000"}' => undef,
	'[' x 100_000 => undef,
);
foreach my $body (sort keys %wrong)
{
	$answer = wire($node, $admin, 'GetPipeline', $body);
	my $shown = substr $body, 0, 30;

	$shown =~ s/[^ -~]/?/g;
	is(verdict($answer), '400 SerializationException', "the body $shown");
	is($answer->{json}{message}, $wrong{$body}, "what is wrong with $shown") if defined $wrong{$body};
}
is(wire($node, $admin, 'PutWebhook', { webhook => { filters => [ { jsonPath => 5 } ] } })->{json}{message},
	"'webhook.filters.1.member.jsonPath' must be a string.", 'where it is wrong');
is(verdict(wire($node, $admin, 'ListPipelines', {}, headers => { 'Content-Type' => 'application/json' })),
	'400 SerializationException', 'another Content-Type');
is(verdict(wire($node, $admin, 'ListPipelines', {}, headers => { 'Content-Type' => 'application/x-amz-json-1.1; charset=utf-8' })),
	'200', 'with a parameter');

my $padding = 1024 * 1024 - length '{"x":""}';
is(verdict(wire($node, $admin, 'ListPipelines', '{"x":"' . 'x' x $padding . '"}')), '200', 'a request of 1 MB');
is(verdict(wire($node, $admin, 'ListPipelines', '{"x":"' . 'x' x ($padding + 1) . '"}')), '413 RequestEntityTooLargeException',
	'one of a byte more');
is(verdict(wire($node, $admin, 'ListPipelines', '{"x":[' . '0,' x 500_000 . '0]}')), '413 RequestEntityTooLargeException',
	'one of too many values');

# ---- roles ----

is(verdict(wire($node, $deployer, 'ListPipelines', {})), '200', 'a role calls what it may execute');
$answer = wire($node, $deployer, 'GetPipeline', { name => 'pipeline' });
is(verdict($answer), '400 AccessDeniedException', 'and nothing else');
like($answer->{json}{message}, qr/deployer.*codepipeline:GetPipeline/, 'the message says who and what');
is(verdict(wire($node, $deployer, 'GetPipeline', '{"name": ')), '400 AccessDeniedException', 'nor does it learn of the body');

is(verdict(wire($node, $deployer, 'StartPipelineExecution', { name => 'pipeline' })), '200', 'a role starts an execution');
$answer = wire($node, $admin, 'ListPipelineExecutions', { pipelineName => 'pipeline' });
is_deeply($answer->{json}{pipelineExecutionSummaries}[0]{trigger},
	{ triggerType => 'StartPipelineExecution', triggerDetail => 'deployer' }, 'who is known');
my $odd = create_key($node, q{od d''"role});
is(verdict(wire($node, $odd, 'StartPipelineExecution', { name => 'pipeline' })), '200', 'a role with an odd name');
is($node->safe_psql('postgres', 'SELECT trigger_detail FROM cp_webhook.executions ORDER BY id DESC LIMIT 1'), q{od d'"role}, 'is itself');

# A role's rights are its own after another's call, and the worker's are nobody's.
is(verdict(wire($node, $deployer, 'DeletePipeline', { name => 'more' })), '400 AccessDeniedException', 'rights do not leak');
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION cp_webhook.get_pipeline(jsonb) TO deployer');
is(verdict(wire($node, $deployer, 'GetPipeline', { name => 'pipeline' })), '200', 'a grant counts at once');
$node->safe_psql('postgres', 'REVOKE EXECUTE ON FUNCTION cp_webhook.get_pipeline(jsonb) FROM deployer');
is(verdict(wire($node, $deployer, 'GetPipeline', { name => 'pipeline' })), '400 AccessDeniedException', 'so does its end');

# A right that lacks deeper down is the caller's as well.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE log (name text);
CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE insufficient_privilege USING MESSAGE = 'not you';
END $$;
CREATE TRIGGER log BEFORE INSERT ON cp_webhook.executions FOR EACH ROW EXECUTE FUNCTION log();
SQL
is(verdict(wire($node, $deployer, 'StartPipelineExecution', { name => 'pipeline' })), '400 AccessDeniedException', 'deeper down too');
$node->safe_psql('postgres', q{CREATE OR REPLACE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN 1/0; END $$});
my $position = log_position($node);
$answer = wire($node, $admin, 'StartPipelineExecution', { name => 'pipeline' });
is(verdict($answer), '500 InternalFailure', 'a fault of the server');
unlike($answer->{body}, qr/zero/, 'whose message is not told');
like(log_since($node, $position), qr/failed while performing StartPipelineExecution: division by zero/, 'but logged');
$node->safe_psql('postgres', 'DROP TRIGGER log ON cp_webhook.executions');

# Code of the tables' owner's that runs inside a call cannot leave the caller's
# role: neither a trigger, nor one that waits for the commit, nor an operation
# that was replaced.
my $escape = q{BEGIN EXECUTE 'RESET SESSION AUTHORIZATION'; INSERT INTO public.log VALUES (current_user); %s END};
my $escapes = sub { $node->safe_psql('postgres', 'SELECT count(*) FROM log') };
$node->safe_psql('postgres', sprintf q{CREATE OR REPLACE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS $$ %s $$;
GRANT INSERT ON log TO PUBLIC;
CREATE TRIGGER log BEFORE INSERT ON cp_webhook.executions FOR EACH ROW EXECUTE FUNCTION log()}, sprintf $escape, 'RETURN NEW;');
is(verdict(wire($node, $deployer, 'StartPipelineExecution', { name => 'pipeline' })), '400 AccessDeniedException', 'a trigger that would leave the role');
$node->safe_psql('postgres', q{DROP TRIGGER log ON cp_webhook.executions;
CREATE CONSTRAINT TRIGGER log AFTER INSERT ON cp_webhook.executions DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION log()});
is(verdict(wire($node, $deployer, 'StartPipelineExecution', { name => 'pipeline' })), '400 AccessDeniedException', 'one that is deferred');
$node->safe_psql('postgres', q{CREATE OR REPLACE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO public.log VALUES (session_user); RETURN NULL; END $$});
is(verdict(wire($node, $deployer, 'StartPipelineExecution', { name => 'pipeline' })), '200', 'one that stays in it');
is($node->safe_psql('postgres', 'DELETE FROM log RETURNING name'), 'deployer', 'runs in the role\'s session');
$node->safe_psql('postgres', 'DROP TRIGGER log ON cp_webhook.executions');
my $definition = $node->safe_psql('postgres', q{SELECT pg_get_functiondef('cp_webhook.list_pipelines(jsonb)'::regprocedure)});
$node->safe_psql('postgres', sprintf q{CREATE OR REPLACE FUNCTION cp_webhook.list_pipelines(request jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE plpgsql AS $$ %s $$},
	sprintf $escape, q{RETURN '{}';});
is(verdict(wire($node, $deployer, 'ListPipelines', {})), '400 AccessDeniedException', 'an operation that was replaced');
is($escapes->(), 0, 'nothing has escaped');
$node->safe_psql('postgres', $definition);
is(verdict(wire($node, $deployer, 'ListPipelines', {})), '200', 'back again');

# ---- keys ----

$node->safe_psql('postgres', "SELECT cp_webhook.update_access_key('$deployer->{key}', 'Inactive')");
is(verdict(wire($node, $deployer, 'ListPipelines', {})), '400 UnrecognizedClientException', 'an inactive key');
$node->safe_psql('postgres', "SELECT cp_webhook.update_access_key('$deployer->{key}', 'Active')");
is(verdict(wire($node, $deployer, 'ListPipelines', {})), '200', 'an active one');
my $second = create_key($node, 'deployer');
is(verdict(wire($node, $second, 'ListPipelines', {})), '200', 'a second key of the role');
$node->safe_psql('postgres', "SELECT cp_webhook.delete_access_key('$deployer->{key}')");
is(verdict(wire($node, $deployer, 'ListPipelines', {})), '400 UnrecognizedClientException', 'a deleted key');
is(verdict(wire($node, $second, 'ListPipelines', {})), '200', 'the other one stays');
$node->safe_psql('postgres', 'ALTER ROLE deployer RENAME TO shipper');
is(verdict(wire($node, $second, 'ListPipelines', {})), '200', 'a key follows its role to another name');
$node->safe_psql('postgres', 'DROP OWNED BY shipper; DROP ROLE shipper; CREATE ROLE shipper; '
	  . 'GRANT EXECUTE ON FUNCTION cp_webhook.list_pipelines(jsonb) TO shipper');
is(verdict(wire($node, $second, 'ListPipelines', {})), '400 UnrecognizedClientException',
	'a key of a dropped role is not that of the next one of its name');
is(verdict(wire($node, { %$admin, secret => 'x' x 300 }, 'ListPipelines', {})), '400 InvalidSignatureException', 'a wrong secret');

# ---- URLs ----

my $port = api_port_of($node);
is(connect_to($node, port => $port)->request(GET => '/')->{status}, 405, 'GET /');
is(connect_to($node, port => $port)->request(GET => '/')->{headers}{allow}, 'POST', 'and what it allows');
is(connect_to($node, port => $port)->request(POST => '/metrics', body => '')->{status}, 405, 'POST /metrics');
is(connect_to($node, port => $port)->request(POST => '/trigger/x', body => '{}')->{status}, 404, 'the receivers\' URLs are not here');
is(wire($node, $admin, 'ListPipelines', {}, port => port_of($node))->{status}, 404, 'nor is the wire at the receivers');

my $connection = connect_to($node, port => $port);
is(($connection->send_text(wire_text($admin, 'ListPipelines', {})), $connection->read_answer->{status})[1], 200, 'a connection')
  foreach 1 .. 3;
$connection->send_text(wire_text($admin, 'ListPipelines', {}) x 3);
is(join(' ', map { $connection->read_answer->{status} } 1 .. 3), '200 200 200', 'calls in a row on one connection');

# Slow clients keep nobody waiting.
my @slow = map { connect_to($node, port => $port) } 1 .. 20;
$_->send_text(substr wire_text($admin, 'ListPipelines', {}), 0, 400) foreach @slow;
is(verdict(wire($node, $admin, 'ListPipelines', {})), '200', 'half a request of another holds nothing up');

# ---- locks and time ----

my $session = $node->background_psql('postgres');
$session->query_safe('BEGIN; LOCK cp_webhook.pipeline_definitions');
$answer = wire($node, $admin, 'ListPipelines', {});
is(verdict($answer), '503 ServiceUnavailableException', 'a lock is waited for only so long');
ok($answer->{headers}{'retry-after'}, 'and the client is told to come back');
$session->query_safe('ROLLBACK');
is(verdict(wire($node, $admin, 'ListPipelines', {})), '200', 'afterwards all is well');
$session->quit;

# ---- counts ----

my ($succeeded, $refused, $failed) = split /\|/,
  $node->safe_psql('postgres', 'SELECT succeeded, refused, failed FROM cp_webhook.api_stats()');
cmp_ok($succeeded, '>', 10, 'api_stats() counts what went well');
cmp_ok($refused, '>', 10, 'what was refused');
is($failed, 2, 'and what failed');

# Nothing of a secret in the log.
unlike(slurp_file($node->logfile), qr/\Q$admin->{secret}\E/, 'the log shows no secret');

$node->stop;
done_testing();
