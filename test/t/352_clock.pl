# The clock steps: back, far ahead, and back again.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Faults;
use Lifecycle;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

prepare_faults() or plan skip_all => 'there is no C compiler';

my $node = start_receivers('main', settings => { workers => 1, lock_timeout => '700ms', batch_timeout => '2s' });
create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one');
my $secret_path = put_webhook($node, 'signed', secret => 'secret');
my ($pid) = worker_pids($node);
my $position = log_position($node);
my $number = 0;

sub deliver
{
	my ($count) = @_;
	my $connection = connect_to($node);

	return scalar grep {
		my $answer = $connection->request(POST => $path, body => '{}', id => 'clock-' . ++$number);
		$answer && ($answer->{json}{status} // '') eq 'triggered'
	} 1 .. $count;
}

sub check_ids
{
	my ($what) = @_;

	is($node->safe_psql('postgres', q{
		SELECT count(*) FROM (SELECT id, lag(id) OVER w AS before, received_at, lag(received_at) OVER w AS earlier
		  FROM cp_webhook.deliveries WHERE provider_delivery_id LIKE 'clock-%'
		  WINDOW w AS (ORDER BY substr(provider_delivery_id, 7)::int)) d WHERE before >= id OR earlier > received_at}), '0',
		"$what: ids and times only increase");
	is($node->safe_psql('postgres', q{SELECT count(*) FROM cp_webhook.deliveries
		 WHERE tableoid::regclass::text <> 'cp_webhook.deliveries_' || to_char(received_at AT TIME ZONE 'UTC', 'YYYYMMDD')}), '0',
		"$what: each delivery is in the partition of its day");
	return;
}

# The counters are written about once a second.
sub check_counted
{
	my ($what) = @_;
	local $CpWebhook::timeout = 10;
	my $counted = eval {
		poll('they are counted', sub {
			$node->safe_psql('postgres', q{
				SELECT triggered = (SELECT count(*) FROM cp_webhook.deliveries WHERE webhook = 'one' AND outcome = 'triggered')
				  FROM cp_webhook.webhooks WHERE name = 'one'}) eq 't';
		});
	};

	ok($counted, "$what: they are counted");
	return;
}

sub day_of
{
	my ($offset) = @_;
	return $node->safe_psql('postgres', "SELECT to_char(now() AT TIME ZONE 'UTC' + '$offset', 'YYYYMMDD')");
}

sub has_partition
{
	my ($day) = @_;
	return $node->safe_psql('postgres', "SELECT to_regclass('cp_webhook.deliveries_$day') IS NOT NULL") eq 't';
}

is(deliver(20), 20, 'a clock that goes');
check_counted('a clock that goes');

# ---- an hour back ----

step_clock(-3600);
my $start = time;
is(deliver(20), 20, 'an hour back: deliveries go on');
cmp_ok(time - $start, '<', 5, 'without delay');
check_ids('an hour back');
check_counted('an hour back');
$start = time;
my $admin = $node->background_psql('postgres', on_error_stop => 1);
$admin->query_safe('BEGIN');
$admin->query_safe('LOCK TABLE cp_webhook.executions IN ACCESS EXCLUSIVE MODE');
is(try_post($node, $path, '{}')->{status}, 503, 'a lock that is held too long');
cmp_ok(time - $start, '<', 3, 'ends a batch in the same time as ever');
$admin->query_safe('COMMIT');
$admin->quit;
is(try_post($node, $secret_path, '{}')->{status}, 401, 'a rejection');
is($node->safe_psql('postgres', q{SELECT count(*) FROM cp_webhook.deliveries WHERE webhook = 'signed'}), '1', 'is recorded');

# Another process does not know how far the old one was: its ids are today's.
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
poll('another receiver has taken its place', sub {
	my @now = worker_pids($node);
	@now == 1 && $now[0] != $pid;
});
wait_until_listening($node);
($pid) = worker_pids($node);
my $before = $node->safe_psql('postgres', 'SELECT now()');
is(try_post($node, $path, '{}', id => 'restarted')->{json}{status}, 'triggered', 'a receiver that was started since');
is($node->safe_psql('postgres', qq{SELECT received_at BETWEEN '$before' AND now() FROM cp_webhook.deliveries WHERE provider_delivery_id = 'restarted'}),
	't', 'goes by the clock');
is(try_post($node, $path, '{}', id => 'clock-1')->{json}{status}, 'duplicate', 'and knows the ids of before');

# ---- nine days ahead ----

my $ahead = day_of('9 days');
ok(!has_partition($ahead), 'there is no partition for the day nine days from now');
step_clock(9 * 86400);
$start = time;
is(deliver(20), 20, 'nine days ahead: deliveries go on');
cmp_ok(time - $start, '<', 5, 'without delay');
ok(has_partition($ahead), 'in a partition of that day');
check_ids('nine days ahead');
check_counted('nine days ahead');

# ---- and back ----

step_clock(0);
$start = time;
is(deliver(20), 20, 'back again: deliveries go on');
cmp_ok(time - $start, '<', 5, 'without delay');
check_ids('back again');
check_counted('back again');
is($node->safe_psql('postgres', q{SELECT count(*) FROM cp_webhook.deliveries WHERE provider_delivery_id LIKE 'clock-%' AND outcome = 'triggered'}),
	$number, 'all of them are stored');

# While a batch waits: its lock_timeout is the server's own timer.
my $client = connect_to($node);
$admin = $node->background_psql('postgres', on_error_stop => 1);
$admin->query_safe('BEGIN');
$admin->query_safe('LOCK TABLE cp_webhook.executions IN ACCESS EXCLUSIVE MODE');
$client->send_text(request_text(POST => $path, body => '{}', id => 'ahead'));
wait_for_lock($node);
step_clock(7200);
my ($answer) = answers_of(10, $client);
is($answer->{status}, 503, 'a step ahead while a batch waits ends it');
$admin->query_safe('COMMIT');
$admin->quit;
is(try_post($node, $path, '{}', id => 'ahead')->{json}{status}, 'triggered', 'its retry triggers');
is(join(' ', worker_pids($node)), $pid, 'the receiver is the same');
unlike(log_since($node, $position), qr/PANIC|terminated by signal/, 'and nothing has crashed');
$node->stop;

done_testing();
