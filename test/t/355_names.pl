# Listen addresses that are names, and no name server that answers: nobody waits
# for it, neither clients nor the server.
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

prepare_faults() or plan skip_all => 'there is no C compiler';

my $node = start_receivers('main', settings => { listen_addresses => '127.0.0.1' });
create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one');

sub listen_on
{
	my ($addresses) = @_;

	$node->safe_psql('postgres', "ALTER SYSTEM SET cp_webhook.listen_addresses = '$addresses'");
	$node->reload;
	return;
}

# How many receivers have so many threads.
sub with_threads
{
	my ($count) = @_;

	return scalar grep { $count == (() = glob "/proc/$_/task/*") } worker_pids($node);
}

sub pipes
{
	return join ' ', map { scalar grep { (readlink($_) // '') =~ /^pipe:/ } glob "/proc/$_/fd/*" } worker_pids($node);
}

sub wait_until_asking
{
	poll('both receivers ask for a name', sub { with_threads(2) == 2 });
	return;
}

sub wait_until_known
{
	poll('no thread is left', sub { with_threads(1) == 2 });
	return;
}

sub serves
{
	my ($host) = @_;

	return try_get($node, '/healthz', host => $host)->{status} == 200;
}

my $pids = join ' ', worker_pids($node);
is(with_threads(1), 2, 'an address that is written as one asks nobody');
my $pipes = pipes();

# ---- a name that is not known yet ----

silence_names(1);
listen_on('localhost, 127.0.0.2');
wait_until_asking();
is(post($node, $path, '{}', host => '127.0.0.1')->{json}{status}, 'triggered', 'the old address serves meanwhile');
ok(!serves('127.0.0.2'), 'the new one does not');
my ($status, undef, $errors) = $node->psql('postgres', "SET statement_timeout = '20s'",
	extra_params => [ '-c', 'CREATE DATABASE other', '-c', 'DROP DATABASE other' ]);
is($status, 0, 'DROP DATABASE works meanwhile') or diag($errors);

# ---- a reload does not wait for it ----

listen_on('127.0.0.1, 127.0.0.3');
poll('what is written as an address is served at once', sub { serves('127.0.0.3') });
listen_on('127.0.0.1, localhost');
listen_on('localhost, 127.0.0.4');
poll('each reload asks anew', sub { with_threads(4) == 2 });
ok(serves('127.0.0.3'), 'and what is open stays so');

# ---- it is known ----

silence_names(0);
poll('the names are known', sub { serves('127.0.0.4') && !serves('127.0.0.3') });
is(post($node, $path, '{}', host => '127.0.0.1')->{json}{status}, 'triggered', 'and served');
wait_until_known();
listen_on('127.0.0.1');
poll('back', sub { !serves('127.0.0.4') });
is(join(' ', worker_pids($node)), $pids, 'the receivers are the same as before');
is(pipes(), $pipes, 'and hold no more pipes');

# ---- from the start ----

silence_names(1);
listen_on('127.0.0.1, localhost, 127.0.0.5');
wait_until_asking();
$node->restart;
poll('a start serves what is known', sub { serves('127.0.0.1') && serves('127.0.0.5') });
wait_until_asking();
$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . (worker_pids($node))[0] . ')');
poll('a receiver that asks is ended', sub { (join ' ', worker_pids($node)) !~ /^(?:$pids|)$/ && with_threads(2) == 2 });
my $seconds = seconds_of(sub { $node->stop('fast') });
cmp_ok($seconds, '<', 15, sprintf('and so is the server (%.1f s)', $seconds));

$node->start;
poll('it serves', sub { serves('127.0.0.1') });
silence_names(0);
wait_until_known();
my $position = log_position($node);
is(post($node, $path, '{}', host => '127.0.0.1')->{json}{status}, 'triggered', 'it goes on');
unlike(log_since($node, $position), qr/ERROR|FATAL|PANIC/, 'without an error');
$node->stop;

done_testing();
