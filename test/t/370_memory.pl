# What a receiver takes of the machine's memory at most, whoever sends what:
# README.md, "Settings", has the sum.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Lifecycle;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $MB = 1024 * 1024;
my $clients = 1000;
my $max_values = 200_000;
my $max_buffered = 64 * $MB;
my $max_body_size = 4 * $MB;
my $bound = $max_buffered + 350 * $max_values + 6 * $max_body_size + $clients * 2 * 32 * 1024 + 200 * $MB;

# The shared buffers that a process has touched count as its memory: few.
my $shared_buffers = 8 * $MB;
my $node = start_receivers('main',
	conf => "shared_buffers = 8MB\n",
	settings => {
		workers => 1, max_json_values => $max_values, max_buffered => '64MB', max_body_size => '4MB',
		filter_timeout => '20s', batch_timeout => '60s', request_timeout => '120s'
	});
create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one', filters => [ { jsonPath => '$.nothing' } ]);
my ($pid) = worker_pids($node);
my @clients = map { connect_to($node) } 1 .. $clients;

# The most that the receiver has had since its start.
sub check_memory
{
	my ($what) = @_;
	my ($kilobytes) = slurp_file("/proc/$pid/status") =~ /^VmHWM:\s+(\d+) kB/m;

	note(sprintf '%s: VmHWM %.0f MB of %.0f MB', $what, $kilobytes / 1024, ($bound + $shared_buffers) / $MB);
	cmp_ok($kilobytes * 1024, '<', $bound + $shared_buffers, "$what: memory is bounded");
	return;
}

# One body from each client; returns how many answers there were of which kind.
sub send_all
{
	my ($body) = @_;
	my $request = request_text(POST => $path, body => $body);
	my %count;

	$_->send_text($request) foreach @clients;
	foreach my $answer (answers_of(60, @clients))
	{
		my $kind = $answer->{json}{status} // $answer->{status};

		$count{$kind}++;
		$count{retry}++ if $kind eq 503 && ($answer->{headers}{'retry-after'} // '') =~ /^\d+$/;
	}
	note(join ', ', map { "$count{$_} $_" } sort keys %count);
	return %count;
}

# ---- the worst trees that pass ----

# Structural bytes are counted: one fewer than the limit is left by each.
my %worst = (
	arrays => '[' . '[],' x ($max_values / 2 - 1) . '[]]',
	numbers => '[' . '1,' x ($max_values - 1) . '1]',
	objects => '[' . '{"":{}},' x ($max_values / 4 - 1) . '{"":{}}]',
	keys => '{' . join(',', map { qq{"$_":1} } 1 .. $max_values / 2 - 1) . '}',
	nested => '[' . '[[[[]]]],' x ($max_values / 5 - 1) . '[[[[]]]]]');

foreach my $name (sort keys %worst)
{
	my $body = $worst{$name};
	my %count = send_all($body);

	cmp_ok(length $body, '<', $MB, "$name: a body below 1 MB");
	cmp_ok($count{ignored} // 0, '>', 0, "$name: is taken");
	is(($count{ignored} // 0) + ($count{retry} // 0), $clients, "$name: or refused with Retry-After");
	check_memory($name);
}
foreach my $name ('arrays', 'objects')
{
	my $body = $worst{$name} =~ s/\]$/' ' x (1.2 * $MB) . ']'/er;
	my %count = send_all($body);

	cmp_ok($count{ignored} // 0, '>', 0, "$name, above 1 MB: is taken");
	is(($count{ignored} // 0) + ($count{retry} // 0), $clients, "$name, above 1 MB: or refused with Retry-After");
	check_memory("$name, above 1 MB");
}

# What would take more is never parsed: as trees it would be beyond the bound.
my %count = send_all('[' . '[],' x ($max_body_size / 3 - 10) . '[]]');
is($count{413}, $clients, 'more values than max_json_values: 413');
check_memory('too many values');

# ---- filters ----

# What a path selects may be more than there is memory for. Where it descends,
# each value is selected with all that is in it: here that is a million values,
# from each client.
my $depth = 1500;
my $deep = '{"a":' x $depth . '1' . '}' x $depth;

$path = put_webhook($node, 'descending', filters => [ { jsonPath => '$..a', matchEquals => 'x' } ]);
%count = send_all($deep);
is($count{ignored}, $clients, 'a path that descends');
check_memory('a path that descends');
is($node->safe_psql('postgres', q{SELECT DISTINCT reason FROM cp_webhook.deliveries WHERE webhook = 'descending'}),
	'filter 1: $..a is an object or array, an object or array, an object or array and ' . ($depth - 3) . ' more, wanted "x"',
	'its reason is what it is for any path');
$path = put_webhook($node, 'existing', filters => [ { jsonPath => '$..a' } ]);
is(try_post($node, $path, $deep)->{json}{status}, 'triggered', 'a path that descends, without matchEquals');
check_memory('a path that descends, without matchEquals');

# Half a billion, and no time-out comes before the memory's end.
foreach my $greedy ('$..a..a..a', 'lax $.**.**.**')
{
	$path = put_webhook($node, 'greedy', filters => [ { jsonPath => $greedy, matchEquals => 'x' } ]);
	my $answer = try_post($node, $path, $deep);
	is($answer->{status}, 503, "$greedy: 503");
	is($answer->{json}{message}, 'Filter takes too much memory.', "$greedy: why");
	check_memory($greedy);
	is(try_post($node, $path, '{"a":1}')->{json}{status}, 'ignored', "$greedy: a usual body");
}
is(join(' ', worker_pids($node)), $pid, 'the receiver is the same');
$path = put_webhook($node, 'one', filters => [ { jsonPath => '$.nothing' } ]);

# ---- max_buffered ----

# All together far more than the bound, and none complete.
my $text = '{"text": "' . join('', map { sprintf '%08x', rand 2**32 } 1 .. 480_000) . '"}';
my $request = request_text(POST => $path, body => $text);
cmp_ok($clients * length $text, '>', $bound + $shared_buffers, 'the clients send more than there may be memory');
$_->send_text(substr $request, 0, -10) foreach @clients;
wait_until_read($_) foreach @clients[ 0, $clients / 2, -1 ];
my $buffered = $node->safe_psql('postgres', 'SELECT sum(buffered_bytes) FROM cp_webhook.stats()');
note(sprintf '%.1f MB are buffered', $buffered / $MB);
cmp_ok($buffered, '<=', $max_buffered, 'what is buffered stays within max_buffered');
cmp_ok($buffered, '>', $max_buffered / 2, 'and makes use of it');
check_memory('bodies half sent');
$_->send_text(substr $request, -10) foreach @clients;
my @answers = answers_of(60, @clients);
my @refused = grep { $_->{status} == 503 } @answers;
my $taken = grep { ($_->{json}{status} // '') eq 'ignored' } @answers;
note("$taken taken, " . @refused . ' refused');
cmp_ok($taken, '>=', 8, 'those for which there was room are taken');
is($taken + @refused, $clients, 'the others are 503');
is(scalar(grep { ($_->{headers}{'retry-after'} // '') =~ /^\d+$/ && $_->{json}{error} eq 'unavailable' } @refused), scalar @refused,
	'with Retry-After');
check_memory('bodies beyond max_buffered');
is($node->safe_psql('postgres', 'SELECT sum(buffered_bytes) FROM cp_webhook.stats()'), '0', 'nothing is left buffered');
is(try_post($node, $path, $text)->{json}{status}, 'ignored', 'what was refused is taken when it comes again');
is(join(' ', worker_pids($node)), $pid, 'the receiver is the same');
$node->stop;

done_testing();
