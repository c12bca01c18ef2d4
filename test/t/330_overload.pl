# 330_overload: more than the receivers can take, and clients that only hold
# connections.

use strict;
use warnings;

use Errno qw(EAGAIN EINTR);
use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use IO::Select;
use IO::Socket::IP;
use PostgreSQL::Test::Utils qw(slurp_file);
use Test::More;
use Time::HiRes qw(sleep time);

my $timeout = 4;
my $node = start_receivers('overload', settings => {
	request_timeout => "${timeout}s", max_buffered => '1MB', max_connections => 2000 });

create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'open');
my $port = port_of($node);
my $post = request_text(POST => $path, body => '{"fill":"' . 'x' x 16000 . '"}');
my $health = request_text(GET => '/healthz');

# Runs the code in a process of its own; a handle that reads what it prints.
sub in_process
{
	my ($code) = @_;
	my $pid = open my $handle, '-|';

	die "fork: $!\n" unless defined $pid;
	return $handle if $pid;
	$| = 1;
	eval { $code->(); 1 } or print "died $@";
	# Without what Cluster.pm does at exit.
	require POSIX;
	POSIX::_exit(0);
}

sub connection
{
	my $socket = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port, Proto => 'tcp', Timeout => 30)
	  or die "connect: $!\n";
	return $socket;
}

# That many connections, each of which sends the next request as soon as its
# answer is here, for some seconds. Prints "status count" lines.
sub offer_load
{
	my ($connections, $seconds) = @_;
	my %received = map { my $s = connection(); ($s => [ $s, '' ]) } 1 .. $connections;
	my $select = IO::Select->new(map { $_->[0] } values %received);
	my $end = time + $seconds;
	my %count;

	syswrite $_->[0], $post foreach values %received;
	while ($select->count && time < $end + 20)
	{
		foreach my $socket ($select->can_read(1))
		{
			my $one = $received{$socket};

			if (!sysread $socket, $one->[1], 65536, length $one->[1])
			{
				$count{closed}++;
				$select->remove($socket);
				next;
			}
			while ($one->[1] =~ s/^HTTP\/1\.1 (\d+)[^\r]*\r\n(.*?)\r\n\r\n//s)
			{
				my ($status, $headers) = ($1, $2);
				my ($length) = $headers =~ /^Content-Length: (\d+)/mi;

				$count{$status}++;
				$count{'503 without Retry-After'}++ if $status == 503 && $headers !~ /^Retry-After:/mi;
				substr($one->[1], 0, $length) = '';
				if (time < $end)
				{
					syswrite $socket, $post;
				}
				else
				{
					$select->remove($socket);
				}
			}
		}
	}
	$count{unanswered} = $select->count if $select->count;
	print "$_ $count{$_}\n" foreach sort keys %count;
	return;
}

# One request after the other on new connections until the time is over; prints
# the slowest in milliseconds, how many there were, and what was not 200.
sub time_requests
{
	my ($request, $seconds) = @_;
	my ($slowest, $count, %other) = (0, 0);
	my $end = time + $seconds;

	while (time < $end)
	{
		my $start = time;
		my $socket = connection();
		my $received = '';

		syswrite $socket, $request;
		while ($received !~ /\r\n\r\n/ && IO::Select->new($socket)->can_read(30))
		{
			sysread($socket, $received, 65536, length $received) or last;
		}
		my ($status) = $received =~ m{^HTTP/1\.1 (\d+)};
		$other{ $status // 'none' }++ if ($status // '') ne '200';
		$slowest = time - $start if time - $start > $slowest;
		$count++;
		sleep 0.02;
	}
	printf "%.0f %d %s\n", $slowest * 1000, $count, join ',', map { "$_ x $other{$_}" } sort keys %other;
	return;
}

sub own_memory
{
	my $largest = 0;

	foreach my $pid (worker_pids($node))
	{
		my ($kilobytes) = slurp_file("/proc/$pid/status") =~ /^RssAnon:\s*(\d+)/m;
		$largest = $kilobytes if $kilobytes > $largest;
	}
	return $largest;
}

sub connections
{
	return $node->safe_psql('postgres', 'SELECT sum(connections) FROM cp_webhook.stats()');
}

# ---------------------------------------------------------------------------
note 'more than they can take';

# 1,000 requests of 16 kB at once, and room for 1 MB in each receiver.
my $pids = join ' ', worker_pids($node);
my $watch = in_process(sub { time_requests($health, 6) });
my @load = map { in_process(sub { offer_load(500, 4) }) } 1 .. 2;
my %count;
my $memory = 0;
foreach my $handle (@load)
{
	foreach my $line (<$handle>)
	{
		chomp $line;
		my ($what, $n) = $line =~ /^(.*) (\d+)$/ or die "odd line: $line";
		$count{$what} += $n;
	}
	my $now = own_memory();
	$memory = $now if $now > $memory;
}
note join ', ', map { "$_: $count{$_}" } sort keys %count;
cmp_ok($count{200} // 0, '>', 1000, 'deliveries are taken');
cmp_ok($count{503} // 0, '>', 0, 'what they have no memory for is refused');
is(join(' ', grep { $_ ne 200 && $_ ne 503 } sort keys %count), '', 'there is no other answer, and none is missing');
my ($slowest, $times, $other) = <$watch> =~ /^(\d+) (\d+) (.*)$/;
cmp_ok($slowest, '<', 1000, "the slowest of $times looks at /healthz took $slowest ms");
is($other, '', 'all were 200');
cmp_ok($memory, '<', 100_000, "a receiver has $memory kB of its own");
is($node->safe_psql('postgres', "SELECT count(*) FROM cp_webhook.deliveries WHERE outcome = 'triggered'"), $count{200}, 'as many are recorded as were acknowledged');
is(join(' ', worker_pids($node)), $pids, 'the receivers are the same');
my $start = time;
is(post($node, $path, '{}')->{status}, 200, 'afterwards one is taken');
cmp_ok(time - $start, '<', 0.5, 'at once');
ok($node->poll_query_until('postgres', 'SELECT sum(connections + buffered_bytes) = 0 FROM cp_webhook.stats()'), 'and nothing is left of the load');

# ---------------------------------------------------------------------------
note 'connections that drip';

my ($head, $body) = $post =~ /^(.*?\r\n\r\n)(.*)$/s;

# Clients that send a byte from time to time, of their headers or of their body
# (those whose number is odd, or all). Prints "ready" when all are let in, then
# how many ended, and after how long.
sub drip
{
	my ($connections, $seconds, $bodies_only) = @_;
	my @all = map { { socket => connection(), left => $_ % 2 || $bodies_only ? $body : substr $head, 20 } } 1 .. $connections;
	my $start = time;
	my ($first, $last);

	foreach my $one (@all)
	{
		syswrite $one->{socket}, length $one->{left} > length $head ? $head : substr $head, 0, 20;
	}
	print "ready\n";
	local $SIG{PIPE} = 'IGNORE';
	while (@all && time - $start < $seconds)
	{
		my %ended;

		foreach my $socket (IO::Select->new(map { $_->{socket} } @all)->can_read(0.2))
		{
			my $got = sysread $socket, my $bytes, 4096;

			next if $got;
			$ended{$socket} = 1;
			$first //= time - $start;
			$last = time - $start;
		}
		@all = grep { !$ended{ $_->{socket} } } @all;
		syswrite $_->{socket}, substr $_->{left}, 0, 1, '' foreach @all;
	}
	printf "%d %.2f %.2f\n", $connections - @all, $first // 0, $last // 0;
	return;
}

# They hold connections, not memory.
set_settings($node, max_buffered => '64MB');
$watch = in_process(sub { time_requests($post, 2) });
my ($before) = <$watch> =~ /^(\d+) /;
my @drip = map { in_process(sub { drip(500, 3 * $timeout) }) } 1 .. 2;
scalar <$_> foreach @drip;
cmp_ok(connections(), '>=', 1000, '1,000 connections drip');
$watch = in_process(sub { time_requests($post, $timeout) });
($slowest, $times, $other) = <$watch> =~ /^(\d+) (\d+) (.*)$/;
is($other, '', "meanwhile $times deliveries are taken");
cmp_ok($slowest, '<', 500, "the slowest in $slowest ms, in $before ms without");
foreach my $handle (@drip)
{
	my ($ended, $first, $last) = <$handle> =~ /^(\d+) (\S+) (\S+)$/;

	is($ended, 500, 'all that drip are cut');
	cmp_ok($first, '>', $timeout - 1, "the first after $first s");
	cmp_ok($last, '<', $timeout + 3, "the last after $last s");
}

# As many bodies as there is memory for, all but complete: for others they make
# room.
set_settings($node, max_buffered => '1MB');
my @hold = map { in_process(sub { drip(500, 3 * $timeout, 1) }) } 1 .. 2;
scalar <$_> foreach @hold;
poll('bodies hold all memory that there is for them', sub {
	$node->safe_psql('postgres', 'SELECT min(buffered_bytes) FROM cp_webhook.stats()') > 1_000_000;
});
poll('one of them has made room', sub { post($node, $path, '{}' . ' ' x 4000)->{status} == 200 });
is(join(' ', map { post($node, $path, '{}' . ' ' x 4000)->{status} } 1 .. 20), join(' ', (200) x 20), 'and others as well, whenever it is needed');
foreach my $handle (@hold)
{
	my ($ended) = <$handle> =~ /^(\d+) /;

	is($ended, 500, 'all that hold it are cut');
}

# A line between two chunks that fills libmicrohttpd's buffer: it neither reads
# on nor looks at the socket any more.
ok($node->poll_query_until('postgres', 'SELECT sum(connections) = 0 FROM cp_webhook.stats()'), 'none is left');
my @stuck = map { connect_to($node) } 1 .. 50;
$_->send_text(request_text(POST => $path, chunks => ['{}']) =~ s/2\r\n.*/'2;' . 'x' x 100_000/ser) foreach @stuck;
# One that sees that it never ends refuses it.
is(scalar(grep { $_->wait_for_end =~ m{^(?:$|HTTP/1\.1 4\d\d )} } @stuck), 50, 'endless lines between chunks are cut');
ok($node->poll_query_until('postgres', 'SELECT sum(connections) = 0 FROM cp_webhook.stats()'), 'none of them is left either');

# ---------------------------------------------------------------------------
note 'as many as there may be';

set_settings($node, max_connections => 100);
my $held = in_process(sub { drip(300, 6 * $timeout) });
scalar <$held>;
poll('both receivers are full', sub { connections() >= 200 });
$start = time;
is(post($node, $path, '{}')->{status}, 200, 'one more is taken in its turn');
cmp_ok(time - $start, '<', 2 * $timeout + 3, 'when those before it have been cut');
my ($ended) = <$held> =~ /^(\d+) /;
is($ended, 300, 'and all that held a connection are');

done_testing();
