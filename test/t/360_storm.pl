# A storm of kill -9 of receivers and of the postmaster, with senders that keep
# their HTTPS connections and send again what was not answered 2xx: each
# delivery that was acked is stored once, with one execution.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use IO::Socket::SSL;
use Lifecycle;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $directory = PostgreSQL::Test::Utils::tempdir();
run_log([ 'openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost',
	'-addext', 'subjectAltName = DNS:localhost', '-keyout', "$directory/key.pem", '-out', "$directory/cert.pem" ])
  or die 'openssl made no certificate';
chmod 0600, "$directory/key.pem";

# What is tested is what people run: with fsync.
my $node = start_receivers('main', conf => "restart_after_crash = on\nfsync = on\n",
	settings => { ssl_cert_file => "$directory/cert.pem", ssl_key_file => "$directory/key.pem" });
create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one');

# A connection of CpWebhook's over TLS.
sub connect_tls
{
	my $connection = connect_to($node);

	IO::Socket::SSL->start_SSL($connection->{socket}, SSL_ca_file => "$directory/cert.pem",
		SSL_hostname => 'localhost', SSL_verifycn_name => 'localhost', SSL_verifycn_scheme => 'http', Timeout => 5)
	  or die "no TLS: $SSL_ERROR\n";
	return $connection;
}

my $connection = connect_tls();
is($connection->request(POST => $path, body => '{}')->{json}{status}, 'triggered', 'HTTPS');
is($connection->request(POST => $path, body => '{}')->{json}{status}, 'triggered', 'twice on one connection');
isnt((eval { post($node, $path, '{}') } // { status => 0 })->{status}, 200, 'and no HTTP');

sub kill_receivers
{
	my ($count) = @_;
	my $position = log_position($node);

	kill 9, (worker_pids($node))[ 0 .. $count - 1 ];
	poll('the server notices', sub { log_since($node, $position) =~ /was terminated by signal 9/ });
	poll('the server is back', sub { is_up($node) });
	return;
}

sub kill_postmaster
{
	my @pids = worker_pids($node);

	$node->kill9;
	poll('the receivers end with their postmaster', sub { !grep { kill 0, $_ } @pids });
	# Its children may hold the shared memory for a moment.
	poll('the server starts', sub { $node->start(fail_ok => 1) });
	return;
}

my $load = start_load($node, $path, clients => 6, body => '{"ref":"refs/heads/main"}', connect => \&connect_tls);
my $end = time + 25;
my %rounds = (receivers => 0, postmaster => 0);
for (my $round = 0; $round < 6 || time < $end; $round++)
{
	# Long enough for some to be acked, and not always at the same moment.
	my $acked = acked_of($load) + 20 + int rand 60;
	poll('deliveries are acked', sub { acked_of($load) >= $acked });
	if ($round % 3 == 2)
	{
		kill_postmaster();
		$rounds{postmaster}++;
	}
	else
	{
		kill_receivers(1 + $round % 2);
		$rounds{receivers}++;
	}
}
wait_until_listening($node);
my $acked = acked_of($load);
poll('deliveries are acked at the end', sub { acked_of($load) > $acked + 50 });
my @notes = finish_load($load);
note("$rounds{receivers} rounds of receivers, $rounds{postmaster} of the postmaster, " . @notes . ' answers with 2xx');
cmp_ok($rounds{postmaster}, '>=', 2, 'the postmaster was killed');
cmp_ok($rounds{receivers}, '>=', 4, 'and receivers');

my %acked;
$acked{ $_->{id} }{ $_->{execution} }++ foreach @notes;
my %stored;
push @{ $stored{$_->[0]} }, $_->[1] foreach map { [ split /\|/ ] } split /\n/, $node->safe_psql('postgres', q{
	SELECT d.provider_delivery_id, e.id FROM cp_webhook.executions e JOIN cp_webhook.deliveries d ON d.id = e.delivery
	 WHERE d.outcome = 'triggered' AND d.provider_delivery_id LIKE 'load-%'});
cmp_ok(scalar(keys %acked), '>', 200, 'there were deliveries');
is_deeply([ grep { !$stored{$_} } sort keys %acked ], [], 'each that was acked is stored');
is_deeply([ grep { @{ $stored{$_} } != 1 } sort keys %stored ], [], 'each that is stored has one execution');
is_deeply([ grep { keys %{ $acked{$_} } != 1 || !$acked{$_}{ $stored{$_}[0] } } grep { $stored{$_} } sort keys %acked ], [],
	'which is the one that every answer named');
cmp_ok(scalar(grep { $_->{outcome} eq 'duplicate' } @notes), '>', 0, 'some were sent again');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM cp_webhook.executions e FULL JOIN cp_webhook.deliveries d ON d.id = e.delivery
	 WHERE (d.outcome = 'triggered' OR d.id IS NULL) AND (e.id IS NULL OR d.id IS NULL)}), '0',
	'no delivery has triggered without its execution, and no execution is without its delivery');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM cp_webhook.delivery_keys k LEFT JOIN cp_webhook.executions e ON e.id = k.execution WHERE e.id IS NULL}), '0',
	'nor a key without its execution');
$node->stop;

done_testing();
