# Failover: a primary is killed under load, its synchronous standby is promoted
# and takes its place on the same port: the same URLs answer, nothing that was
# acked is lost, and nothing is there twice. Before that the standby can be read,
# and says clearly what it can't do.
#
#   FAILOVER_RATE     deliveries a second (400)
#   FAILOVER_SECONDS  for which they come before the kill, and after it (3)
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Lifecycle;
use Load;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $rate = $ENV{FAILOVER_RATE} || 400;
my $seconds = $ENV{FAILOVER_SECONDS} || 3;

my $primary = start_receivers('primary', init => [ allows_streaming => 1 ], settings => { api_port => PostgreSQL::Test::Cluster::get_free_port() });
create_pipeline($primary, 'pipeline');
my $path = put_webhook($primary, 'one', secret => 's3cret');
my $delivered = post($primary, $path, '{}', secret => 's3cret', id => 'first');
my $execution = $delivered->{json}{pipelineExecutionId};

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->safe_psql('postgres', "ALTER SYSTEM SET synchronous_standby_names = 'standby'");
$primary->reload;
poll('the standby is synchronous', sub {
	$primary->safe_psql('postgres', 'SELECT sync_state FROM pg_stat_replication') eq 'sync';
});

# ---- a standby: what can be read, and what can't be done ----

sub refused_by
{
	my ($node, $statement) = @_;
	my ($status, undef, $errors) = $node->psql('postgres', "\\set VERBOSITY verbose\n$statement;");

	return $status ? $errors : '';
}

my ($claimed, $nonce) = split /\|/, $primary->safe_psql('postgres', q{SELECT id, nonce FROM cp_webhook.claim_executions('worker', lease => '1 hour')});
is($claimed, $execution, 'an execution is claimed on the primary');
$primary->wait_for_catchup($standby, 'replay');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'cp_webhook%'}), '0', 'a standby has no workers');

my %reads = (
	'webhooks' => [ 'SELECT name, last_triggered IS NOT NULL, triggered >= 0 FROM cp_webhook.webhooks', 'one|t|t' ],
	'trigger_events' => [ 'SELECT webhook, lease_holder FROM cp_webhook.trigger_events', 'one|worker' ],
	'deliveries' => [ 'SELECT outcome FROM cp_webhook.deliveries', 'triggered' ],
	'stats' => [ 'SELECT count(*), count(pid) FROM cp_webhook.stats()', '2|0' ],
	'stats_total' => [ 'SELECT workers, requests FROM cp_webhook.stats_total', '0|0' ],
	'maintenance_stats' => [ 'SELECT pid, partitions_made FROM cp_webhook.maintenance_stats()', '|0' ],
	'api_stats' => [ 'SELECT pid, listening FROM cp_webhook.api_stats()', '|' ],
	'list_webhooks' => [ q{SELECT jsonb_array_length(cp_webhook.list_webhooks() -> 'webhooks')}, '1' ],
	'list_pipelines' => [ q{SELECT jsonb_array_length(cp_webhook.list_pipelines() -> 'pipelines')}, '1' ],
	'get_pipeline' => [ q{SELECT cp_webhook.get_pipeline('{"name": "pipeline"}') #>> '{pipeline,name}'}, 'pipeline' ],
	'list_pipeline_executions' => [ q{SELECT jsonb_array_length(cp_webhook.list_pipeline_executions('{"pipelineName": "pipeline"}') -> 'pipelineExecutionSummaries')}, '1' ],
	'list_tags_for_resource' => [ q{SELECT cp_webhook.list_tags_for_resource(jsonb_build_object('resourceArn', arn)) FROM cp_webhook.webhooks}, '{"tags": []}' ],
	'test_webhook' => [ q{SELECT cp_webhook.test_webhook('{"name": "one", "body": {}}') ->> 'outcome'}, 'triggered' ],
	'test_webhook since' => [ q{SELECT cp_webhook.test_webhook('{"name": "one", "since": "1 hour"}') ->> 'judged'}, '1' ],
	'executions_after' => [ q{SELECT count(*) FROM cp_webhook.executions_after(NULL)}, '1' ],
	'position_delay' => [ 'SELECT unread FROM cp_webhook.position_delay()', '0' ],
	'list_access_keys' => [ 'SELECT count(*) FROM cp_webhook.list_access_keys()', '0' ],
);
is($standby->safe_psql('postgres', $reads{$_}[0]), $reads{$_}[1], "a standby: $_ can be read") foreach sort keys %reads;

my $request = '{"name": "pipeline"}';
my %writes = (
	'delete_webhook' => q{SELECT cp_webhook.delete_webhook('{"name": "one"}')},
	'delete_pipeline' => qq{SELECT cp_webhook.delete_pipeline('$request')},
	'start_pipeline_execution' => qq{SELECT cp_webhook.start_pipeline_execution('$request')},
	'stop_pipeline_execution' => qq{SELECT cp_webhook.stop_pipeline_execution('{"pipelineName": "pipeline", "pipelineExecutionId": "$execution"}')},
	'tag_resource' => q{SELECT cp_webhook.tag_resource(jsonb_build_object('resourceArn', arn, 'tags', '[{"key": "a", "value": "b"}]'::jsonb)) FROM cp_webhook.webhooks},
	'untag_resource' => q{SELECT cp_webhook.untag_resource(jsonb_build_object('resourceArn', arn, 'tagKeys', '["a"]'::jsonb)) FROM cp_webhook.webhooks},
	'claim_executions' => q{SELECT * FROM cp_webhook.claim_executions('worker')},
	'complete_execution' => "SELECT cp_webhook.complete_execution('$execution', '$nonce')",
	'fail_execution' => "SELECT cp_webhook.fail_execution('$execution', '$nonce', 'no')",
	'extend_lease' => "SELECT cp_webhook.extend_lease('$execution', '$nonce', '1 hour')",
	'redeliver' => 'SELECT cp_webhook.redeliver(id) FROM cp_webhook.deliveries',
	'rotate_secret_key' => 'SELECT cp_webhook.rotate_secret_key()',
	'create_access_key' => 'SELECT * FROM cp_webhook.create_access_key(current_user)',
	'make_partitions' => 'SELECT cp_webhook.make_partitions(now())',
	'publish_events' => 'SELECT * FROM cp_webhook.publish_events()',
);
like(try_call($standby, 'put_webhook', webhook_request('two')), qr/ERROR:  25006: cannot execute/, 'a standby: put_webhook is refused as read-only');
like(try_call($standby, 'create_pipeline', { pipeline => call($primary, 'get_pipeline', { name => 'pipeline' })->{pipeline} }), qr/ERROR:  (25006|CP013)/, 'a standby: so is create_pipeline');
like(refused_by($standby, $writes{$_}), qr/ERROR:  25006: cannot execute/, "a standby: $_ is refused as read-only") foreach sort keys %writes;

# ---- the kill ----

# The standby's receivers will listen on the same port: clients need not know.
my $load = start_sending(ports => [ port_of($primary) ], paths => [$path], secret => 's3cret', rate => $rate);
poll('deliveries are acked', sub { acked_by($load) > $rate * $seconds / 2 }, 0.2);
sleep $seconds / 2;
my $position = log_position($standby);
my $killed = time;
$primary->kill9;
$standby->promote;
poll('the standby serves', sub { try_get($primary, '/healthz')->{status} == 200 });
my $serves = time - $killed;
sleep $seconds;
my $sent = finish_sending($load);
note(sprintf '%d deliveries at %d a second, %d acked; errors: %s; the standby served %.2f s after the kill; clients saw errors for %.2f s, no ack for %.2f s, the slowest took %.2f s',
	$sent->{sent}, $rate, $sent->{acked}, join(', ', map { "$_ $sent->{errors}{$_}" } sort keys %{ $sent->{errors} }),
	$serves, ($sent->{to} // 0) - ($sent->{from} // 0), $sent->{gap}, $sent->{slowest});

is($sent->{acked}, $sent->{sent}, 'in the end every delivery is acked');
cmp_ok(scalar(keys %{ $sent->{errors} }), '>', 0, 'the clients have noticed');
my %stored = map { split /\|/ } split /\n/, $standby->safe_psql('postgres', q{SELECT key, execution FROM cp_webhook.delivery_keys});
is(scalar(grep { ($stored{ $_->{id} } // '') ne $_->{execution} } @{ $sent->{notes} }), 0, 'each is there, with the execution that was acked');
is($standby->safe_psql('postgres', q{SELECT count(*), count(DISTINCT d.provider_delivery_id) FROM cp_webhook.executions e
	JOIN cp_webhook.deliveries d ON d.id = e.delivery WHERE d.provider_delivery_id LIKE 'load-%'}), "$sent->{sent}|$sent->{sent}", 'and none is there twice');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM cp_webhook.delivery_keys k LEFT JOIN cp_webhook.executions e ON e.id = k.execution WHERE e.id IS NULL}), '0', 'no key without its execution');

# ---- promoted ----

$standby->safe_psql('postgres', "SELECT cp_webhook.complete_execution('$execution', '$nonce')");
pass('a claim of before the failover can be ended after it');
is(try_post($primary, $path, '{}', secret => 's3cret', id => 'first')->{json}{pipelineExecutionId}, $execution, 'what came before is known');
like(put_webhook($standby, 'two'), qr{^/trigger/}, 'put_webhook works');
poll('all workers run', sub { $standby->safe_psql('postgres', q{SELECT string_agg(backend_type, ',' ORDER BY backend_type) FROM pg_stat_activity WHERE backend_type LIKE 'cp_webhook%'})
	eq 'cp_webhook api,cp_webhook maintenance,cp_webhook receiver,cp_webhook receiver' });
unlike(log_since($standby, $position), qr/PANIC|TRAP|terminated by signal/, 'without a crash');

$standby->stop;

done_testing();
