# 011_limits: sizes and times: both sides of each limit.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = start_receivers('limits',
	settings => { workers => 1, max_header_size => 1024, max_body_size => 2048 });

create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'open');

sub value
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}

sub is_error
{
	my ($answer, $status, $error, $what) = @_;

	is($answer && $answer->{status}, $status, "$what: $status");
	is($answer && $answer->{json}{error}, $error, "$what: $error");
	return;
}

sub last_row
{
	return value("SELECT concat_ws(' ', outcome, http_status, payload IS NULL, headers = '{}') FROM cp_webhook.deliveries ORDER BY id DESC LIMIT 1");
}

# A JSON text of so many bytes.
sub json_of_length
{
	my ($length) = @_;
	return '"' . 'x' x ($length - 2) . '"';
}

# ---------------------------------------------------------------------------
note 'max_body_size';

is(post($node, $path, json_of_length(2048))->{json}{status}, 'triggered', 'a body as large as max_body_size');
is_error(post($node, $path, json_of_length(2049)), 413, 'body_too_large', 'one byte more');
is(last_row(), 'rejected 413 t f', 'it is recorded without its body');
is(post($node, $path, undef, chunks => [ json_of_length(2048) =~ /.{1,100}/gs ])->{json}{status},
	'triggered', 'the same in chunks');
is_error(post($node, $path, undef, chunks => [ json_of_length(2049) =~ /.{1,100}/gs ]),
	413, 'body_too_large', 'one byte more in chunks');
is(last_row(), 'rejected 413 t f', 'it is recorded as well');
my $connection = connect_to($node);
$connection->send_text("POST $path HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2049\r\n\r\n");
is_error($connection->read_answer, 413, 'body_too_large', 'a length that is too large, before the body comes');
$connection = connect_to($node);
$connection->send_text("POST $path HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 2049\r\n\r\n");
is_error($connection->read_answer, 413, 'body_too_large', 'with Expect: 100-continue');
ok(!$connection->{continued}, 'it is not asked for');
is_error(post($node, $path, json_of_length(20_000_000)), 413, 'body_too_large', 'a very large body');

# What is a little too large in chunks is read, so that its sender gets the
# answer; what never ends is cut.
$connection = connect_to($node);
is_error($connection->request(POST => $path, chunks => [ json_of_length(300_000) =~ /.{1,1000}/gs ]),
	413, 'body_too_large', 'chunks far beyond it');
is($connection->wait_for_end, '', 'and then its end');
$connection = connect_to($node);
$connection->send_text("POST $path HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
my $sent = 0;
while ($sent < 1000 && $connection->send_text(sprintf "%x\r\n%s\r\n", 65536, 'x' x 65536))
{
	$sent++;
}
cmp_ok($sent, '<', 1000, 'endless chunks are cut');

set_settings($node, max_body_size => '25MB');
is(post($node, $path, json_of_length(2049))->{json}{status}, 'triggered', 'a reload changes the limit');
is(post($node, $path, json_of_length(20_000_000))->{json}{status}, 'triggered', 'the default takes 20 MB');
is_error(post($node, $path, json_of_length(25 * 1024 * 1024 + 1)), 413, 'body_too_large', 'and not 25 MB and a byte');

# ---------------------------------------------------------------------------
note 'max_header_size';

# A header counts its name, its value and four bytes.
sub with_headers_of_size
{
	my ($size) = @_;
	my @headers = ('Host', 'localhost', 'Content-Type', 'application/json', 'Content-Length', '2');
	my $sum = 0;

	for (my $i = 0; $i < @headers; $i += 2)
	{
		$sum += length($headers[$i]) + length($headers[ $i + 1 ]) + 4;
	}
	return request_text(POST => $path, body => '{}', headers => [ 'X-Fill', 'x' x ($size - $sum - 10) ]);
}

$connection = connect_to($node);
$connection->send_text(with_headers_of_size(1024));
is($connection->read_answer->{json}{status}, 'triggered', 'headers as large as max_header_size');
$connection = connect_to($node);
$connection->send_text(with_headers_of_size(1025));
is_error($connection->read_answer, 431, 'headers_too_large', 'one byte more');
is(last_row(), 'rejected 431 t t', 'it is recorded without its headers');
$connection = connect_to($node);
$connection->send_text(with_headers_of_size(5000));
is($connection->read_answer->{status}, 431, 'headers beyond all memory: 431');
$connection->wait_for_end;
$connection = connect_to($node);
$connection->send_text('GET /' . 'x' x 100_000 . " HTTP/1.1\r\nHost: x\r\n\r\n");
my $answer = $connection->read_answer;
ok(!$answer || $answer->{status} == 414 || $answer->{status} == 431, 'a very long URL: ' . ($answer ? $answer->{status} : 'closed'));
set_settings($node, max_header_size => 65536);
$connection = connect_to($node);
$connection->send_text(with_headers_of_size(65536));
is($connection->read_answer->{json}{status}, 'triggered', 'a reload changes the limit');
$connection = connect_to($node);
$connection->send_text(with_headers_of_size(65537));
is_error($connection->read_answer, 431, 'headers_too_large', 'one byte more');

# Host, Content-Type and Content-Length are three.
is(post($node, $path, '{}', headers => [ map { ("X-$_", '') } 1 .. 253 ])->{json}{status}, 'triggered', '256 headers');
is_error(post($node, $path, '{}', headers => [ map { ("X-$_", '') } 1 .. 254 ]), 431, 'headers_too_large', '257 headers');
set_settings($node, max_header_size => '32kB');

# ---------------------------------------------------------------------------
note 'request_timeout';

set_settings($node, request_timeout => '1s');
my $healthy = connect_to($node);
is($healthy->request(GET => q{/healthz})->{status}, 200, "a connection that is kept");

# Sends the bytes one by one, a few a second, until the connection is closed;
# returns the answer, how long it took, and whether it was in time.
sub drip
{
	my ($first, $byte) = @_;
	my $start = time;
	my $slow = connect_to($node);

	$slow->send_text($first);
	while (time - $start < 10)
	{
		last if $slow->is_readable(0.1);
		last unless $slow->send_text($byte);
	}
	my $elapsed = time - $start;
	my $end = eval { $slow->read_answer };

	return ($end, $elapsed);
}

foreach my $case (
	[ 'a client that says nothing', '', '' ],
	[ 'a request line that drips', 'POST /', 'x' ],
	[ 'headers that drip', "POST $path HTTP/1.1\r\nHost: x\r\nX-Drip: ", 'x' ],
	[ 'header lines that drip', "POST $path HTTP/1.1\r\nHost: x\r\n", "X: y\r\n" ],
	[ 'a body that drips', "POST $path HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n\"", 'x' ],
	[ 'chunks that drip', "POST $path HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\n1\r\n" ],
	[ 'a body that stops', "POST $path HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{", '' ])
{
	my ($what, $first, $byte) = @$case;
	my ($end, $elapsed) = drip($first, $byte);

	ok(!$end || $end->{status} == 408, "$what: 408, or closed");
	cmp_ok($elapsed, '>', 0.8, "$what: not before its time");
	cmp_ok($elapsed, '<', 4, "$what: when its time is over");
	is($healthy->request(GET => '/healthz')->{status}, 200, "$what: others are served");
}
# On a kept connection the second request has a deadline of its own.
{
	my $start = time;

	$connection = connect_to($node);
	is($connection->request(POST => $path, body => '{}')->{json}{status}, 'triggered', 'the first request of a connection');
	$connection->send_text("POST $path HTTP/1.1\r\nHost: x\r\nX-Drip: ");
	while (time - $start < 10 && !$connection->is_readable(0.1))
	{
		last unless $connection->send_text('x');
	}
	cmp_ok(time - $start, '<', 4, 'headers that drip on a kept connection');
}

# A client that asks and asks and never reads: once all buffers are full, the
# answer can't be sent.
{
	my $greedy = connect_to($node);
	my $socket = $greedy->{socket};
	my $many = request_text(GET => '/nowhere') x 1000;
	my $pid = worker_of($node, $greedy);
	my $progress = time;

	$socket->blocking(0);
	local $SIG{PIPE} = 'IGNORE';
	ok( poll('a client that does not read is cut', sub {
			while (my $written = syswrite $socket, $many)
			{
				# Cut anywhere in a request; go on at that place.
				$many = substr($many, $written) . substr($many, 0, $written);
				$progress = time;
			}
			return !holds_connection($node, $pid, $greedy);
		}), 'a client that does not read is cut');
	cmp_ok(time - $progress, '<', 4, 'when its time is over');
	is($healthy->request(GET => '/healthz')->{status}, 200, 'others are served');
}

# One whose batch waits beyond the time: the answer comes, or the connection is
# closed, and the receiver goes on.
my $lock = $node->background_psql('postgres');
$lock->query_safe('BEGIN');
$lock->query_safe('LOCK cp_webhook.deliveries IN SHARE MODE');
set_settings($node, lock_timeout => '20s', batch_timeout => '20s');
$connection = connect_to($node);
$connection->send_text(request_text(POST => $path, body => '{}', id => 'late'));
ok($node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'cp_webhook receiver' AND wait_event_type = 'Lock'"),
	'a batch waits');
my $start = time;
poll('the request is overdue', sub { time - $start > 1.2 });
$lock->query_safe('COMMIT');
$answer = $connection->read_answer;
ok(!$answer || $answer->{status} == 200, 'a batch that takes longer than request_timeout ends the exchange');
is(value("SELECT outcome FROM cp_webhook.deliveries WHERE provider_delivery_id = 'late'"), 'triggered', 'it was recorded');
is(post($node, $path, '{}', id => 'late')->{json}{status}, 'duplicate', 'so its retry is a duplicate');

# ---------------------------------------------------------------------------
note 'keepalive_timeout';

set_settings($node, request_timeout => '30s', keepalive_timeout => '1s');
$connection = connect_to($node);
foreach (1 .. 3)
{
	# Longer than keepalive_timeout together, and never idle so long.
	is($connection->request(POST => $path, body => '{}')->{json}{status}, 'triggered', 'a connection that is used stays');
	ok(!$connection->is_readable(0.5), 'while it is idle for less than keepalive_timeout');
}
$start = time;
is($connection->wait_for_end, '', 'an idle connection is closed');
cmp_ok(time - $start, '<', 4, 'when its time is over');

# ---------------------------------------------------------------------------
note 'max_connections';

set_settings($node, max_connections => 3, keepalive_timeout => '60s');
poll('the connections of before are gone', sub { $healthy->close if $healthy; undef $healthy; 1 });
my @connections;
foreach (1 .. 3)
{
	my $one = connect_to($node);

	is($one->request(GET => '/healthz')->{status}, 200, "connection $_ of 3");
	push @connections, $one;
}
my $waiting = connect_to($node);
$waiting->send_text(request_text(GET => '/healthz'));
ok(!$waiting->is_readable(0.5), 'one more waits');
(shift @connections)->close;
is($waiting->read_answer->{status}, 200, 'until another one ends');
set_settings($node, max_connections => undef);
@connections = ();

# ---------------------------------------------------------------------------
note 'unavailable: 503';

sub is_unavailable
{
	my ($unavailable, $what) = @_;

	is_error($unavailable, 503, 'unavailable', $what);
	like($unavailable->{headers}{'retry-after'}, qr/^[1-9]\d*$/, "$what: Retry-After");
	return;
}

my $pids = join ' ', worker_pids($node);
my $rows = value('SELECT count(*) FROM cp_webhook.deliveries');
set_settings($node, lock_timeout => '200ms');
$lock->query_safe('BEGIN');
$lock->query_safe('LOCK cp_webhook.deliveries IN SHARE MODE');
is_unavailable(post($node, $path, '{}', id => 'locked'), 'a lock that is held too long');
$lock->query_safe('COMMIT');
$lock->quit;
set_settings($node, lock_timeout => undef, batch_timeout => undef);

$node->safe_psql('postgres', 'ALTER SYSTEM SET default_transaction_read_only = on');
$node->reload;
ok(poll('healthz says so', sub { connect_to($node)->request(GET => '/healthz')->{status} == 503 }),
	'healthz of a database that takes no writes: 503');
is_unavailable(connect_to($node)->request(GET => '/healthz'), 'healthz');
is_unavailable(post($node, $path, '{}', id => 'read-only'), 'a database that takes no writes');
$node->safe_psql('postgres', 'SET default_transaction_read_only = off; ALTER SYSTEM RESET default_transaction_read_only');
$node->reload;
ok(poll('healthz is well', sub { connect_to($node)->request(GET => '/healthz')->{status} == 200 }), 'healthz is 200 again');

# A trigger of the owner's that fails fails the delivery alone.
$node->safe_psql('postgres', q{
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.provider_delivery_id = 'bad' THEN RAISE EXCEPTION 'not this one'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON cp_webhook.deliveries FOR EACH ROW EXECUTE FUNCTION refuse();});
is_unavailable(post($node, $path, '{}', id => 'bad'), 'a transaction that fails');
is(value("SELECT count(*) FROM cp_webhook.deliveries"), $rows, 'nothing of all that was recorded');
is(value("SELECT count(*) FROM cp_webhook.delivery_keys WHERE key IN ('locked', 'read-only', 'bad')"), 0, 'no key either');
is(post($node, $path, '{}', id => 'good')->{json}{status}, 'triggered', 'the next one is taken');
$node->safe_psql('postgres', 'DROP FUNCTION refuse CASCADE');
is(post($node, $path, '{}', id => 'bad')->{json}{status}, 'triggered', 'what was refused is taken when it comes again');
is(join(' ', worker_pids($node)), $pids, 'the receiver is the same as before');

done_testing();
