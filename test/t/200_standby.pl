# A standby serves nothing until it is promoted; then it serves the same URLs.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Lifecycle;
use Maintenance;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $primary = start_receivers('primary', init => [ allows_streaming => 1 ]);
create_pipeline($primary, 'pipeline');
my $path = put_webhook($primary, 'one', secret => 'shared');
my %signed = (secret => 'shared');

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
my $port = PostgreSQL::Test::Cluster::get_free_port();
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "cp_webhook.port = $port");
$standby->start;

# ---- in recovery ----

my $first = post($primary, $path, '{}', %signed, id => 'before');
is($first->{json}{status}, 'triggered', 'the primary serves');
put_webhook($primary, 'two');
$primary->wait_for_catchup($standby);
is(scalar worker_pids($standby), 0, 'a standby has no receivers');
is(try_get($standby, '/healthz', port => $port)->{error}, 'refused', 'and listens nowhere');
is(join(' ', map { $_->{definition}{name} } @{ call($standby, 'list_webhooks', {})->{webhooks} }), 'one two',
	'list_webhooks works there');
like(call($standby, 'list_webhooks', {})->{webhooks}[0]{url}, qr{:$port\Q$path\E$}, 'with the URLs as they will be');
is($standby->safe_psql('postgres', 'SELECT name FROM cp_webhook.webhooks WHERE last_triggered IS NOT NULL'), 'one', 'and the view');
is(call($standby, 'get_pipeline_execution', { pipelineName => 'pipeline',
	pipelineExecutionId => $first->{json}{pipelineExecutionId} })->{pipelineExecution}{status}, 'InProgress', 'executions too');
like(try_call($standby, 'put_webhook', webhook_request('three')), qr/ERROR:  25006: cannot execute \w+( \w+)* (in a read-only transaction|during recovery)/,
	'put_webhook is refused as read-only');
like(try_call($standby, 'delete_webhook', { name => 'one' }), qr/ERROR:  25006/, 'so is delete_webhook');
like(try_call($standby, 'start_pipeline_execution', { name => 'pipeline' }), qr/ERROR:  25006/, 'and start_pipeline_execution');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM cp_webhook.stats() WHERE pid IS NOT NULL'), '0', 'stats() knows no receiver');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'cp_webhook maintenance'}), '0',
	'there is no maintenance worker');
is($standby->safe_psql('postgres', 'SELECT pid IS NULL FROM cp_webhook.maintenance_stats()'), 't', 'and maintenance_stats() knows none');

# ---- a synchronous standby that is away ----

$primary->safe_psql('postgres', "ALTER SYSTEM SET synchronous_standby_names = 'standby'");
set_settings($primary, batch_timeout => '800ms');
poll('the standby is synchronous', sub {
	$primary->safe_psql('postgres', 'SELECT sync_state FROM pg_stat_replication') eq 'sync';
});
is(post($primary, $path, '{}', %signed, id => 'sync-1')->{json}{status}, 'triggered', 'a synchronous standby that is there');
$standby->stop;
my $start = time;
my $answer = try_post($primary, $path, '{}', %signed, id => 'sync-2');
is($answer->{status}, 503, 'one that is away: 503, for it is not known to be safe');
unlike($answer->{json}{message}, qr/not recorded/, 'which does not say that nothing was recorded');
cmp_ok(time - $start, '<', 4, 'after batch_timeout');
my $waiting = connect_to($primary);
$waiting->send_text(request_text(POST => $path, body => '{}', %signed, id => 'sync-3'));
poll('a receiver waits for the standby', sub {
	$primary->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity
		WHERE backend_type = 'cp_webhook receiver' AND wait_event = 'SyncRep'});
});
$standby->start;
my ($third) = answers_of(10, $waiting);
note("the one that waited meanwhile: $third->{status}");
my $again;
poll('the standby is back', sub {
	$again = try_post($primary, $path, '{}', %signed, id => 'sync-2');
	$again->{status} == 200;
});
is($again->{json}{status}, 'duplicate', 'a retry of what was not acked meets what was recorded');
is($primary->safe_psql('postgres', q{SELECT count(*) FROM cp_webhook.executions e
	JOIN cp_webhook.delivery_keys k ON k.execution = e.id WHERE k.key = 'sync-2'}), '1', 'once');

$standby->stop;
$waiting = connect_to($primary);
$waiting->send_text(request_text(POST => $path, body => '{}', %signed, id => 'sync-4'));
poll('a receiver waits for the standby', sub {
	$primary->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity
		WHERE backend_type = 'cp_webhook receiver' AND wait_event = 'SyncRep'});
});
my $terminated = worker_of($primary, $waiting);
$primary->safe_psql('postgres', "SELECT pg_terminate_backend($terminated)");
isnt((answers_of(5, $waiting))[0]{status}, 200, 'a receiver that is terminated meanwhile acks nothing');
wait_until_listening($primary);
$waiting = connect_to($primary);
$waiting->send_text(request_text(POST => $path, body => '{}', %signed, id => 'sync-5'));
poll('a receiver waits for the standby', sub {
	$primary->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity
		WHERE backend_type = 'cp_webhook receiver' AND wait_event = 'SyncRep'});
});
my $seconds = seconds_of(sub { $primary->stop('fast') });
cmp_ok($seconds, '<', 5, 'a fast stop does not wait for the standby');
isnt((answers_of(5, $waiting))[0]{status}, 200, 'and acks nothing that is not there');
$primary->adjust_conf('postgresql.auto.conf', 'synchronous_standby_names', "''");
$primary->start;
wait_until_listening($primary);
$standby->start;
is(post($primary, $path, '{}', %signed, id => 'last')->{json}{status}, 'triggered', 'the primary serves again');

# ---- promoted ----

$primary->wait_for_catchup($standby);
$primary->stop;
$start = time;
$standby->promote;
poll('the standby serves', sub { try_get($standby, '/healthz', port => $port)->{status} == 200 });
note(sprintf 'it served %.2f s after its promotion began', time - $start);
poll('all its receivers run', sub { worker_pids($standby) == 2 });
$answer = try_post($standby, $path, '{}', %signed, port => $port, id => 'before');
is($answer->{json}{status}, 'duplicate', 'promoted: the same URL, the same secret, and it knows what came before');
is($answer->{json}{pipelineExecutionId}, $first->{json}{pipelineExecutionId}, 'with its execution');
is(try_post($standby, $path, '{}', %signed, port => $port, id => 'last')->{json}{status}, 'duplicate', 'the last one as well');
is(try_post($standby, $path, '{}', %signed, port => $port, id => 'after')->{json}{status}, 'triggered', 'and a new one triggers');
is(try_post($standby, $path, '{}', secret => 'other', port => $port)->{status}, 401, 'a wrong secret does not');
like(put_webhook($standby, 'three'), qr{^/trigger/}, 'put_webhook works');
poll('the maintenance worker runs', sub { $standby->safe_psql('postgres', 'SELECT pid IS NOT NULL FROM cp_webhook.maintenance_stats()') eq 't' });
$standby->safe_psql('postgres', 'DROP TABLE cp_webhook.' . day_name($standby, 3));
wake_maintenance($standby, q{to_regclass('cp_webhook.} . day_name($standby, 3) . q{') IS NOT NULL});
pass('maintenance works as well');
$standby->stop;

done_testing();
