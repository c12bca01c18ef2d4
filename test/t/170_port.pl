# A port that is in use: by another program, and by another server of the same
# user, with whom the kernel would share it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use IO::Socket::INET;
use Lifecycle;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

# ---- by another program ----

my $node = start_receivers('first', start => 0,
	settings => { listen_addresses => '127.0.0.1' });
my $port = port_of($node);
my $squatter = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 5, ReuseAddr => 1)
  or die "could not listen: $!";
$node->start;
my $start = time;
$node->safe_psql('postgres', 'CREATE EXTENSION cp_webhook');
create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one');
poll('the log tells that the port is in use', sub {
	log_since($node, 0) =~ /could not listen on 127\.0\.0\.1:$port: Address already in use/;
});
like(log_since($node, 0), qr/could not listen.*HINT:  Another program or another PostgreSQL server uses the port/s,
	'a port in use: the log says so, and what to do');
poll('it is tried again', sub { (() = log_since($node, 0) =~ /could not listen/g) >= 6 });
my $attempts = () = log_since($node, 0) =~ /could not listen/g;
my $seconds = time - $start;
note(sprintf '%d attempts in %.1f s', $attempts, $seconds);
# Each of the two receivers pauses 0.5, 1, 2, 4 s ...
cmp_ok($attempts, '<=', 2 * (2 + log(1 + 2 * $seconds) / log(2)), 'with longer and longer pauses');
is(scalar worker_pids($node), 2, 'the receivers live on');
like($node->safe_psql('postgres', 'SELECT DISTINCT last_error FROM cp_webhook.stats()'),
	qr/could not listen on 127\.0\.0\.1:$port/, 'stats() shows it');
$squatter->close;
wait_until_listening($node);
is(try_post($node, $path, '{}')->{status}, 200, 'once the port is free it serves');

# A reload tries at once, and a port that is in use leaves the others alone.
my $other_port = PostgreSQL::Test::Cluster::get_free_port();
$squatter = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $other_port, Listen => 5, ReuseAddr => 1)
  or die "could not listen: $!";
my $position = log_position($node);
set_settings($node, port => $other_port, listen_addresses => '127.0.0.1, 127.0.0.2');
is(try_post($node, $path, '{}', host => '127.0.0.2')->{status}, 200, 'where one address is in use another serves');
like(log_since($node, $position), qr/could not listen on 127\.0\.0\.1:$other_port/, 'and the log tells of the one');
$squatter->close;
set_settings($node, port => $port, listen_addresses => '127.0.0.1');
is(try_post($node, $path, '{}')->{status}, 200, 'back on the first port');

# ---- by another server ----

my $second = start_receivers('second', start => 0,
	settings => { port => $port, listen_addresses => '127.0.0.1' });
$second->start;
$second->safe_psql('postgres', 'CREATE EXTENSION cp_webhook');
create_pipeline($second, 'pipeline');
my $second_path = put_webhook($second, 'two');
poll('the second server finds the port in use', sub {
	log_since($second, 0) =~ /could not listen on 127\.0\.0\.1:$port: Address already in use/;
});
my %statuses;
$statuses{ try_post($node, $path, '{}')->{status} }++ foreach 1 .. 60;
is_deeply(\%statuses, { 200 => 60 }, 'the first server gets every request');
is($second->safe_psql('postgres', 'SELECT count(*) FROM cp_webhook.stats() WHERE listening <> $$$$'), '0',
	'the second one does not listen');

# A receiver of the first that comes back is no stranger.
my ($victim) = worker_pids($node);
$node->safe_psql('postgres', "SELECT pg_terminate_backend($victim)");
poll('it is back', sub {
	my @now = worker_pids($node);
	@now == 2 && !grep { $_ == $victim } @now;
});
wait_until_listening($node);
%statuses = ();
$statuses{ try_post($node, $path, '{}')->{status} }++ foreach 1 .. 60;
is_deeply(\%statuses, { 200 => 60 }, 'also after one of its receivers came back');

# A fast restart of the first keeps or loses the port, but never shares it.
$start = time;
$node->stop;
is(try_post($second, $path, '{}', seconds => 5)->{status} == 200 ? 1 : 0, 0, 'without the first its URL is not served');
wait_until_listening($second);
note(sprintf 'the second took over after %.1f s', time - $start);
is(try_post($second, $second_path, '{}')->{status}, 200, 'the second server takes over');
is(try_post($second, $path, '{}')->{status}, 404, 'and does not know the URLs of the first');

$position = log_position($node);
$node->start;
poll('the first server finds the port in use', sub {
	log_since($node, $position) =~ /could not listen on 127\.0\.0\.1:$port: Address already in use/;
});
%statuses = ();
$statuses{ try_post($second, $second_path, '{}')->{status} }++ foreach 1 .. 60;
is_deeply(\%statuses, { 200 => 60 }, 'now the second gets every request');
$second->stop;
$node->stop;

done_testing();
