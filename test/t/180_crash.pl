# Acked means kept: whatever is killed under load, no delivery that was
# answered 2xx is lost, and none starts two executions.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Lifecycle;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# Cluster.pm turns fsync off: a process that dies loses nothing by that, but
# what is tested is what people run.
my $node = start_receivers('main', conf => "restart_after_crash = on\nfsync = on\n");
create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one', filters => [ { jsonPath => '$.ref' } ]);
my @all;

sub check
{
	my ($what, @notes) = @_;
	my %acked;

	push @all, @notes;
	$acked{ $_->{id} }{ $_->{execution} }++ foreach @all;
	my %stored = map { split /\|/ } split /\n/, $node->safe_psql('postgres',
		'SELECT k.key, e.id FROM cp_webhook.delivery_keys k JOIN cp_webhook.executions e ON e.id = k.execution');

	cmp_ok(scalar(keys %acked), '>', 100, "$what: there were deliveries");
	is_deeply([ grep { !defined $stored{$_} } sort keys %acked ], [], "$what: each that was acked is stored");
	is_deeply([ grep { keys %{ $acked{$_} } > 1 } sort keys %acked ], [], "$what: every answer for an id names the same execution");
	is_deeply([ grep { !exists $acked{$_}{ $stored{$_} // '' } } sort keys %acked ], [], "$what: the one that is stored");
	cmp_ok(scalar(grep { $_->{outcome} eq 'duplicate' } @notes), '>', 0, "$what: some were duplicates");
	is($node->safe_psql('postgres', q{
		SELECT count(*) FROM (SELECT FROM cp_webhook.deliveries WHERE outcome = 'triggered'
		        GROUP BY provider_delivery_id HAVING count(*) > 1) d}), '0', "$what: no id triggered twice");
	is($node->safe_psql('postgres', q{
		SELECT count(*) FROM cp_webhook.executions e
		 WHERE NOT EXISTS (SELECT FROM cp_webhook.delivery_keys k WHERE k.execution = e.id)
		    OR NOT EXISTS (SELECT FROM cp_webhook.deliveries d WHERE d.id = e.delivery AND d.outcome = 'triggered')}), '0',
		"$what: each execution has its key and its delivery");
	return;
}

sub wait_for_acks
{
	my ($load, $more) = @_;
	my $now = acked_of($load);

	poll("$more more deliveries are acked", sub { acked_of($load) >= $now + $more });
	return;
}

# All its children have to end before it can start again.
sub kill_postmaster
{
	my @pids = split /\n/, $node->safe_psql('postgres', 'SELECT pid FROM pg_stat_activity');

	$node->kill9;
	poll('its children end with the postmaster', sub { !grep { kill 0, $_ } @pids });
	$node->start;
	wait_until_listening($node);
	return;
}

my $body = '{"ref":"refs/heads/main"}';

# ---- a receiver ----

my $load = start_load($node, $path, clients => 4, body => $body);
wait_for_acks($load, 100);
foreach my $time (1, 2)
{
	my $position = log_position($node);
	my ($victim) = worker_pids($node);

	kill 9, $victim;
	# The server restarts all its processes.
	poll('the server notices', sub { log_since($node, $position) =~ /was terminated by signal 9/ });
	poll('the server is back', sub { is_up($node) });
	wait_until_listening($node);
	wait_for_acks($load, 100);
}
check('kill -9 of a receiver', finish_load($load));

# ---- another backend ----

$load = start_load($node, $path, clients => 4, body => $body);
wait_for_acks($load, 50);
my $position = log_position($node);
my $backend = $node->background_psql('postgres');
my $victim = $backend->query_safe('SELECT pg_backend_pid()');
kill 9, $victim;
poll('the server notices', sub { log_since($node, $position) =~ /was terminated by signal 9/ });
poll('the server is back', sub { is_up($node) });
wait_until_listening($node);
wait_for_acks($load, 100);
eval { $backend->quit };
check('kill -9 of a backend', finish_load($load));

# ---- the postmaster ----

$load = start_load($node, $path, clients => 4, body => $body);
foreach my $time (1, 2)
{
	wait_for_acks($load, 100);
	kill_postmaster();
	wait_for_acks($load, 100);
}
check('kill -9 of the postmaster', finish_load($load));

# ---- the postmaster, of a server that commits asynchronously ----

$node->safe_psql('postgres', "ALTER SYSTEM SET wal_writer_delay = '10s'");
$node->safe_psql('postgres', 'ALTER SYSTEM SET synchronous_commit = off');
$node->safe_psql('postgres', 'ALTER DATABASE postgres SET synchronous_commit = off');
$node->restart;
wait_until_listening($node);
$load = start_load($node, $path, clients => 4, body => $body);
foreach my $time (1, 2)
{
	wait_for_acks($load, 100);
	kill_postmaster();
}
wait_for_acks($load, 20);
check('synchronous_commit = off', finish_load($load));

# ---- an immediate stop, and a webhook changed meanwhile ----

$load = start_load($node, $path, clients => 4, body => $body);
wait_for_acks($load, 50);
put_webhook($node, 'one', filters => [ { jsonPath => '$.ref', matchEquals => 'refs/heads/main' } ]);
$node->stop('immediate');
$node->start;
wait_until_listening($node);
wait_for_acks($load, 100);
check('an immediate stop', finish_load($load));
$node->stop;

done_testing();
