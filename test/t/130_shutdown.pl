# A shutdown neither waits for clients nor loses what they were told.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Lifecycle;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_receivers('main');
create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one');
my $limit = 5;

# Those that were told 2xx are stored, once.
sub check_kept
{
	my ($what, %execution) = @_;
	my %stored = map { split /\|/ } split /\n/, $node->safe_psql('postgres',
		'SELECT k.key, k.execution FROM cp_webhook.delivery_keys k JOIN cp_webhook.executions e ON e.id = k.execution');
	my @lost = grep { ($stored{$_} // '') ne $execution{$_} } keys %execution;

	is_deeply(\@lost, [], "$what: what was acked is stored");
	return;
}

sub check_stop
{
	my ($what, $mode) = @_;
	my $seconds = seconds_of(sub { $node->stop($mode) });

	note(sprintf '%s: %.2f s', $what, $seconds);
	cmp_ok($seconds, '<', $limit, "$what: the server stops soon");
	return;
}

sub start_again
{
	$node->start;
	wait_until_listening($node);
	return;
}

# ---- clients that hold connections ----

foreach my $mode ('fast', 'smart', 'immediate')
{
	my @idle = map { connect_to($node) } 1 .. 5;
	my @served = map { connect_to($node) } 1 .. 5;
	my @half = map { connect_to($node) } 1 .. 5;

	is(scalar(grep { $_->request(POST => $path, body => '{}')->{status} == 200 } @served), 5, "$mode: connections that are kept");
	$_->send_text(substr request_text(POST => $path, body => '{"a":1}'), 0, -3) foreach @half;
	check_stop("$mode with idle and half-sent requests", $mode);
	is(scalar(grep { $_->{error} && $_->{error} eq 'closed' } answers_of(5, @idle, @served, @half)), 15,
		"$mode: and closes them");
	start_again();
	is(try_post($node, $path, '{}')->{status}, 200, "$mode: after the next start it serves");
}

# ---- requests in flight ----

foreach my $mode ('fast', 'immediate')
{
	my $admin = $node->background_psql('postgres', on_error_stop => 1);
	my %id_of;
	my @clients = map {
		my $client = connect_to($node);
		$id_of{$client} = "$mode-$_";
		$client;
	} 1 .. 20;

	$admin->query_safe('BEGIN');
	$admin->query_safe('LOCK TABLE cp_webhook.executions IN ACCESS EXCLUSIVE MODE');
	$_->send_text(request_text(POST => $path, body => '{}', id => $id_of{$_})) foreach @clients;
	poll('a batch waits for the lock', sub {
		$node->safe_psql('postgres',
			q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'cp_webhook receiver' AND wait_event_type = 'Lock'});
	});
	check_stop("$mode while a batch waits for a lock", $mode);
	my @answers = answers_of(5, @clients);
	my $acked = grep { $_->{status} == 200 } @answers;

	# A fast stop ends the session that has the lock, too: a batch that gets it
	# then, before it hears of the stop itself, is recorded and acked.
	is($acked, 0, "$mode: none of them is acked") if $mode eq 'immediate';
	is(scalar(grep { $_->{error} && $_->{error} eq 'timeout' } @answers), 0, "$mode: none is left waiting");
	eval { $admin->quit };
	start_again();
	my $stored = $node->safe_psql('postgres', "SELECT count(*) FROM cp_webhook.delivery_keys WHERE key LIKE '$mode-%'");
	is($stored, '0', "$mode: and none is stored") if $mode eq 'immediate';
	cmp_ok($stored, '>=', $acked, "$mode: what was acked is stored");
}

foreach my $mode ('fast', 'smart', 'immediate')
{
	my $load = start_load($node, $path, clients => 3);

	poll('deliveries come', sub { acked_of($load) > 60 });
	check_stop("$mode under load", $mode);
	my @notes = finish_load($load);
	start_again();
	check_kept("$mode under load", map { $_->{id} => $_->{execution} } @notes);
	is($node->safe_psql('postgres', q{
		SELECT count(*) FROM (SELECT 1 FROM cp_webhook.deliveries WHERE outcome = 'triggered'
		 AND provider_delivery_id IS NOT NULL GROUP BY provider_delivery_id HAVING count(*) > 1) d}), '0',
		"$mode under load: nothing is stored twice");
}
# ---- what was committed is acked ----

# A commit takes long here. Whose receiver ends meanwhile has its 200, or hears
# nothing, but not that it is to come again.
$node->append_conf('postgresql.conf', "fsync = on\ncommit_delay = 100000\ncommit_siblings = 0\nwal_level = replica\nmax_wal_senders = 5");
$node->restart;
wait_until_listening($node);
my $admin = $node->background_psql('postgres', on_error_stop => 1);
my %rounds;

foreach my $round (1 .. 8)
{
	my $client = connect_to($node);
	my $worker = worker_of($node, $client);

	$client->send_text(request_text(POST => $path, body => '{}', id => "commit-$round"));
	$admin->query_safe(qq{
		DO \$\$ BEGIN
		  FOR i IN 1 .. 1000 LOOP
		    EXIT WHEN EXISTS (SELECT FROM pg_stat_activity WHERE pid = $worker AND backend_xid IS NOT NULL);
		    PERFORM pg_stat_clear_snapshot(), pg_sleep(0.002);
		  END LOOP;
		  PERFORM pg_sleep(0.03), pg_terminate_backend($worker);
		END \$\$});
	my ($answer) = answers_of(10, $client);
	poll('the receiver is back', sub {
		my @now = worker_pids($node);
		@now == 2 && !grep { $_ == $worker } @now;
	});
	wait_until_listening($node);
	my $stored = $node->safe_psql('postgres', "SELECT count(*) FROM cp_webhook.delivery_keys WHERE key = 'commit-$round'");
	$rounds{ ($answer->{status} || 'nothing') . ($stored ? ' stored' : '') }++;
}
note(join ', ', map { "$_: $rounds{$_}" } sort keys %rounds);
cmp_ok($rounds{'200 stored'} // 0, '>', 0, 'a receiver that ends during a commit tells that it is committed');
is(($rounds{'503 stored'} // 0) + ($rounds{200} // 0), 0, 'and never anything else');
$admin->quit;
$node->stop;

done_testing();
