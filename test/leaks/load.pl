# load: a steady load of every kind of request on one receiver, which then ends
# by itself. test/sanitizer runs it under valgrind, with different numbers of
# requests, and compares what the receiver has left.
#
#   CPW_REQUESTS=1000   how many, all kinds together

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use IO::Socket::SSL;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $requests = $ENV{CPW_REQUESTS} || 1000;
my $directory = PostgreSQL::Test::Utils::tempdir();
run_log([ 'openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
	'-subj', '/CN=localhost', '-keyout', "$directory/key.pem", '-out', "$directory/cert.pem" ])
  or die 'openssl made no certificate';
chmod 0600, "$directory/key.pem";

# Time is not what is tested: a machine that is emulated is slow.
my $node = start_receivers('load',
	conf => "autovacuum = off\n",
	settings => {
		workers => 1, rejections_per_minute => 1000, filter_timeout => '60s', batch_timeout => '60s',
		lock_timeout => '60s', request_timeout => '300s', keepalive_timeout => '300s' });
my ($pid) = worker_pids($node);

create_pipeline($node, 'pipeline');
my $open = put_webhook($node, 'open');
my $signed = put_webhook($node, 'signed', secret => 'secret', filters => [ { jsonPath => '$.ref', matchEquals => 'main' } ]);
my $ranged = put_webhook($node, 'ranged', range => '192.0.2.0/24');
my $is_tls = 0;

sub connection
{
	my $connection = connect_to($node);

	IO::Socket::SSL->start_SSL($connection->{socket}, SSL_verify_mode => SSL_VERIFY_NONE) or die "no TLS: $SSL_ERROR\n"
	  if $is_tls;
	return $connection;
}

# What is asked, and the status of its answer.
my $number = 0;
my @kinds = (
	[ 200, sub { (POST => $open, body => '{"a":[1,2,{"b":"c"}]}', id => 'id-' . ++$number, event => 'push') } ],
	[ 200, sub { (POST => $signed, body => '{"ref":"main"}', secret => 'secret', id => 'id-' . ++$number) } ],
	[ 200, sub { (POST => $signed, body => '{"ref":"other"}', secret => 'secret') } ],
	[ 200, sub { (POST => $open, body => '{}', id => 'always the same') } ],
	[ 200, sub { (POST => $open, body => 'payload=%7B%22a%22%3A1%7D', type => 'application/x-www-form-urlencoded') } ],
	[ 200, sub { (POST => $open, chunks => [ '["', 'x' x 3000, '"]' ]) } ],
	[ 200, sub { (POST => $signed, body => '{}', secret => 'secret', event => 'ping') } ],
	[ 200, sub { (GET => '/healthz') } ],
	[ 401, sub { (POST => $signed, body => '{"ref":"main"}', secret => 'wrong') } ],
	[ 403, sub { (POST => $ranged, body => '{}') } ],
	[ 404, sub { (POST => '/trigger/' . 'x' x 43, body => '{}') } ],
	[ 400, sub { (POST => $open, body => '{"a":') } ],
	[ 400, sub { (POST => $open, body => "\"\xff\"") } ],
	[ 413, sub { (POST => $open, body => '[' . '[],' x 400_000 . '1]') }, 'seldom' ],
	[ 200, sub { (POST => $open, body => '["' . 'x' x 1_500_000 . '"]') }, 'seldom' ],
	[ 415, sub { (POST => $open, body => '{}', type => 'text/plain') } ],
	[ 405, sub { (PUT => $open, body => '{}') } ],
	[ 431, sub { (POST => $open, body => '{}', headers => [ 'X-Long', 'x' x 40_000 ]) } ]);

# That many of all kinds in turn, each connection used so often, and some left
# in the middle. A connection that the answer closes is made anew.
sub send_load
{
	my ($what, $count, $uses) = @_;
	my %odd;
	my ($connection, $left) = (undef, 0);

	for my $i (1 .. $count)
	{
		my ($status, $request, $seldom) = @{ $kinds[ $i % @kinds ] };

		if ($seldom && $i % (20 * @kinds) > @kinds)
		{
			($status, $request) = @{ $kinds[0] };
		}
		if ($i % 50 == 0)
		{
			my $gone = connection();

			$gone->send_text(substr request_text($request->()), 0, -1);
			$gone->close;
		}
		($connection, $left) = (connection(), $uses) if $left-- <= 0;
		my $answer = $connection->request($request->());
		my $got = $answer ? $answer->{status} : 'none';

		$odd{"$got for $status"}++ if $got ne $status;
		$left = 0 if !$answer || ($answer->{headers}{connection} // '') eq 'close';
	}
	is(join(', ', map { "$_: $odd{$_}" } sort keys %odd), '', "$count requests, $what");
	return;
}

# Batches: several at once.
sub send_batches
{
	my ($count) = @_;
	my @connections = map { connection() } 1 .. 8;
	my $taken = 0;

	for (1 .. $count / 8)
	{
		$_->send_text(request_text(POST => $open, body => '{"batch":true}')) foreach @connections;
		$taken += $_->read_answer->{status} == 200 foreach @connections;
	}
	is($taken, 8 * int($count / 8), "$taken in batches");
	return;
}

foreach my $tls (0, 1)
{
	set_settings($node, ssl_cert_file => "$directory/cert.pem", ssl_key_file => "$directory/key.pem") if $tls;
	$is_tls = $tls;
	my $name = $tls ? 'HTTPS' : 'HTTP';
	my $share = $tls ? $requests / 4 : $requests / 4 * 3;

	send_load("$name, connections kept", int($share / 2), 50);
	send_load("$name, a connection each", int($share / 4), 1);
	send_batches(int($share / 4));
}
is(join(' ', worker_pids($node)), $pid, 'the receiver is the same');
note "receiver $pid";
$node->stop('fast', timeout => 600);

done_testing();
