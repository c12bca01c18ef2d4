# Faults inside the server: deadlocks, time-outs of others, memory for locks, the
# notification queue, a receiver that stands still. What the sender sees, how
# long it waits, what is stored, and how it goes on.
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
use Time::HiRes qw(sleep time);

my $node = start_receivers('main', settings => { workers => 1, lock_timeout => '8s', batch_timeout => '10s' },
	conf => "deadlock_timeout = 1500ms\nmax_locks_per_transaction = 10\nmax_connections = 10\n");
create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one');
my ($pid) = worker_pids($node);
my $admin = $node->background_psql('postgres', on_error_stop => 0);

sub check_503
{
	my ($answer, $what) = @_;

	is($answer->{status}, 503, "$what: 503");
	like($answer->{headers}{'retry-after'} // '', qr/^\d+$/, "$what: with Retry-After");
	is($answer->{json}{error}, 'unavailable', "$what: in JSON");
	return;
}

# ---- a deadlock ----

# The batch holds its key and waits for executions; the admin holds executions
# and waits for the keys. The receiver looks for a deadlock first.
my $position = log_position($node);
my $client = connect_to($node);

$admin->query_safe(q{SET deadlock_timeout = '1min'});
$admin->query_safe('BEGIN');
$admin->query_safe('LOCK TABLE cp_webhook.executions IN ACCESS EXCLUSIVE MODE');
my $start = time;
$client->send_text(request_text(POST => $path, body => '{}', id => 'deadlock'));
wait_for_lock($node);
$admin->query_safe('LOCK TABLE cp_webhook.delivery_keys IN ACCESS EXCLUSIVE MODE');
$admin->query_safe('COMMIT');
my ($answer) = answers_of(20, $client);
like(log_since($node, $position), qr/could not record a batch of 1 deliveries, they are tried again: deadlock detected/,
	'a deadlock ends the batch, not the admin');
is($answer->{json}{status}, 'triggered', 'which is tried again, and the sender sees nothing of it');
cmp_ok($answer->{time} - $start, '<', 6, 'but some delay');
is(() = stored_of($node, 'deadlock') =~ /\S+/g, 1, 'it is stored once');

# ---- one that would be tried again for ever ----

$node->safe_psql('postgres', q{
	CREATE SEQUENCE attempts;
	CREATE FUNCTION complain() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
	BEGIN
	  PERFORM nextval('public.attempts');
	  RAISE EXCEPTION USING MESSAGE = 'again', ERRCODE = 'deadlock_detected';
	END $$;
	CREATE TRIGGER complain BEFORE INSERT ON cp_webhook.executions FOR EACH ROW EXECUTE FUNCTION complain()});
check_503(try_post($node, $path, '{}', id => 'again'), 'a deadlock each time');
is($node->safe_psql('postgres', 'SELECT last_value FROM attempts'), '2', 'it is tried twice');
$node->safe_psql('postgres', 'DROP FUNCTION complain CASCADE');
is(try_post($node, $path, '{}', id => 'again')->{json}{status}, 'triggered', 'its retry triggers');

# ---- time-outs that are not meant for us ----

{
	# Our own sessions don't have them either.
	my @timeouts = qw(statement_timeout lock_timeout idle_in_transaction_session_timeout);
	local $ENV{PGOPTIONS} = join ' ', map { "-c $_=0" } @timeouts;

	$node->safe_psql('postgres', "ALTER DATABASE postgres SET $_ = '1ms'") foreach @timeouts;
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	poll('another receiver has taken its place', sub {
		my @now = worker_pids($node);
		@now == 1 && $now[0] != $pid;
	});
	wait_until_listening($node);
	($pid) = worker_pids($node);
	my $large = '{"text": "' . join('', map { chr(97 + rand 26) } 1 .. 500_000) . '"}';
	is(try_post($node, $path, $large, id => 'timeouts')->{json}{status}, 'triggered', "the database's time-outs are not a receiver's");
	$node->safe_psql('postgres', 'ALTER DATABASE postgres RESET ALL');
}

# ---- out of shared memory ----

# Locks of a session stay when the statement that took them fails.
$position = log_position($node);
my $hog = $node->background_psql('postgres', on_error_stop => 0);
$hog->query('SELECT count(pg_advisory_lock(i)) FROM generate_series(1, 10000000) i');
$start = time;
check_503(try_post($node, $path, '{}', id => 'memory'), 'no memory for locks');
cmp_ok(time - $start, '<', 2, 'at once');
like(log_since($node, $position), qr/could not record a batch of 1 deliveries, they are refused: out of shared memory/, 'and the log says why');
is(try_get($node, '/healthz')->{status}, 503, 'and not healthy');
$hog->query('SELECT pg_advisory_unlock_all()');
is(try_post($node, $path, '{}', id => 'memory')->{json}{status}, 'triggered', 'with memory again the retry triggers');
is(try_get($node, '/healthz')->{status}, 200, 'and it is healthy');
$hog->quit;
is(join(' ', worker_pids($node)), $pid, 'the receiver is the same');

# ---- a full notification queue ----

SKIP:
{
	skip 'to fill the notification queue takes 8 GB before PostgreSQL 17', 7
	  if $node->safe_psql('postgres', q{SELECT count(*) FROM pg_settings WHERE name = 'max_notify_queue_pages'}) == 0;
	$node->append_conf('postgresql.conf', 'max_notify_queue_pages = 64');
	eval { $admin->quit };
	$node->restart;
	wait_until_listening($node);
	($pid) = worker_pids($node);
	$admin = $node->background_psql('postgres', on_error_stop => 0);

	# A listener in a transaction takes nothing from the queue.
	my $stuck = listen_for_notifications($node);
	$stuck->query_safe('BEGIN');
	$stuck->query_safe('SELECT 1');
	poll('the queue is full', sub {
		$admin->query(q{SELECT count(pg_notify('other', repeat('x', 7000) || i)) FROM generate_series(1, 10) i});
		$node->safe_psql('postgres', 'SELECT pg_notification_queue_usage() > 0.95') eq 't';
	}, 0);
	1 while $node->psql('postgres', q{SELECT pg_notify('other', repeat('x', 7000))}) == 0;
	1 while $node->psql('postgres', q{SELECT pg_notify('other', 'x')}) == 0;
	$position = log_position($node);
	$start = time;
	$answer = try_post($node, $path, '{}', id => 'full');
	is($answer->{json}{status}, 'triggered', 'a full notification queue fails no delivery');
	cmp_ok($answer->{time} - $start, '<', 2, 'nor does it delay it');
	like(log_since($node, $position), qr/they are recorded without NOTIFY: too many notifications/, 'the log says what is missing');
	is(() = stored_of($node, 'full') =~ /\S+/g, 1, 'it is stored once');
	$stuck->query('COMMIT');
	my $number = 0;
	poll('NOTIFY is on again', sub {
		try_post($node, $path, '{}', id => 'full-' . ++$number)->{status} == 200 or die;
		count_notifications($stuck) > 0;
	});
	pass('when the listener goes on so does NOTIFY');
	my ($first) = take_notifications($stuck, 1);
	like($first->{pipelineExecutionId}, qr/^[0-9a-f-]{36}$/, 'with what was recorded since');
	is(join(' ', worker_pids($node)), $pid, 'the receiver is the same');
	$stuck->quit;
}

# ---- a receiver that stands still ----

eval { $admin->quit };
$node->append_conf('postgresql.conf', 'cp_webhook.workers = 2');
set_settings($node, request_timeout => '3s');
$node->restart;
wait_until_listening($node);
my %of = map { worker_of($node, $_) => $_ } connect_to_each($node);
my ($still, $moving) = sort keys %of;
is(join(' ', map { $_->request(POST => $path, body => '{}')->{status} } values %of), '200 200', 'connections that are kept');
my $half = connect_to($node);
while (worker_of($node, $half) != $still)
{
	$half = connect_to($node);
}
$half->send_text(substr request_text(POST => $path, body => '{"half":1}'), 0, -3);
wait_until_read($half);

kill STOP => $still;
$start = time;
my @clients = map { connect_to($node) } 1 .. 24;
$clients[$_]->send_text(request_text(POST => $path, body => '{}', id => "still-$_")) foreach 0 .. $#clients;
$of{$_}->send_text(request_text(POST => $path, body => '{}', id => "kept-$_")) foreach $still, $moving;
my ($served) = answers_of(5, $of{$moving});
is($served->{json}{status}, 'triggered', 'a receiver stands still: the other one goes on');
cmp_ok($served->{time} - $start, '<', 2, 'at once');
poll('half of the others are served', sub { 4 <= grep { $_->is_readable(0) } @clients });
ok(!$of{$still}->is_readable(0.5), 'a connection to the one that stands still waits');
# Longer than request_timeout, which does not run where nothing does.
poll('it stands still for long', sub { time - $start > 3.5 });
my @waiting = grep { !$_->is_readable(0) } @clients;
my @others = grep { $_->is_readable(0) } @clients;
note(scalar(@waiting) . ' of ' . @clients . ' new connections wait');
cmp_ok(scalar @waiting, '>', 0, 'so do those of the new ones that the kernel gave to it');
is(scalar(grep { $_->{json}{status} eq 'triggered' } answers_of(5, @others)), scalar @others, 'all others are served');
my $new = () = map { try_post($node, $path, '{}', id => "sender-$_", seconds => 1)->{status} == 200 || () } 1 .. 4;
note("$new of 4 tries of 1 s came through");

kill CONT => $still;
my $resumed = time;
my @answers = answers_of(10, @waiting, $of{$still});
is(scalar(grep { ($_->{json}{status} // '') eq 'triggered' } @answers), @waiting + 1, 'when it goes on all that waited are served');
my ($last) = sort { $b <=> $a } map { $_->{time} } @answers;
note(sprintf 'they waited %.1f s, and %.2f s after it went on', $last - $start, $last - $resumed);
cmp_ok($last - $resumed, '<', 2, 'at once');
is((answers_of(5, $half))[0]{error}, 'closed', 'but a request that was half sent for longer than request_timeout is cut');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM (SELECT FROM cp_webhook.deliveries WHERE outcome = 'triggered'
	   AND provider_delivery_id ~ '^(still|kept)' GROUP BY provider_delivery_id) d}), @clients + 2, 'each is stored');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM (SELECT FROM cp_webhook.deliveries WHERE outcome = 'triggered'
	   AND provider_delivery_id IS NOT NULL GROUP BY provider_delivery_id HAVING count(*) > 1) d}), '0', 'and none twice');
$node->stop;

done_testing();
