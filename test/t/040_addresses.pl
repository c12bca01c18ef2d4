# 040_addresses: where the receivers listen, and whom webhooks with a range of
# addresses let in.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use IO::Socket::INET;
use IO::Socket::IP;
use Socket qw(AF_INET6 SOCK_STREAM SOMAXCONN inet_pton pack_sockaddr_in6);
use Test::More;

my $has_ipv6 = IO::Socket::IP->new(LocalHost => '::1', Listen => 1);
my $node = start_receivers('addresses',
	settings => { listen_addresses => '127.0.0.1, 127.0.0.2' . ($has_ipv6 ? ', ::1' : ''), rejections_per_minute => 1000 });
my $pids = join ' ', worker_pids($node);

create_pipeline($node, 'pipeline');
my $open = put_webhook($node, 'open');

sub value
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}

# The address of the newest delivery.
sub last_peer
{
	return value("SELECT host(peer_address) || ' ' || host(source_address) FROM cp_webhook.deliveries ORDER BY id DESC LIMIT 1");
}

sub is_closed
{
	my ($host, $port, $what) = @_;

	ok(!IO::Socket::IP->new(PeerHost => $host, PeerPort => $port), $what);
	return;
}

# ---------------------------------------------------------------------------
note 'where they listen';

foreach my $host ('127.0.0.1', '127.0.0.2', $has_ipv6 ? '::1' : ())
{
	is(post($node, $open, '{}', host => $host)->{json}{status}, 'triggered', "on $host");
}
is_closed('127.0.0.3', port_of($node), 'not on 127.0.0.3');
is(post($node, $open, '{}', from => '127.0.0.9')->{json}{status}, 'triggered', 'from 127.0.0.9');
is(last_peer(), '127.0.0.9 127.0.0.9', 'the address is recorded');
like(value("SELECT url FROM cp_webhook.webhooks WHERE name = 'open'"), qr{^http://127\.0\.0\.1:\d+/}, 'URLs name the first address');

# ---------------------------------------------------------------------------
note 'ranges';

my @cases = (
	# range, from, whether it is in it
	[ '127.0.0.0/8', '127.0.0.1', 1 ],
	[ '127.0.0.1', '127.0.0.1', 1 ],
	[ '127.0.0.1/32', '127.0.0.1', 1 ],
	[ '127.0.0.2', '127.0.0.1', 0 ],
	[ '127.0.0.8/29', '127.0.0.7', 0 ],
	[ '127.0.0.8/29', '127.0.0.8', 1 ],
	[ '127.0.0.8/29', '127.0.0.15', 1 ],
	[ '127.0.0.8/29', '127.0.0.16', 0 ],
	[ '0.0.0.0/0', '127.1.2.3', 1 ],
	[ '10.0.0.0/8', '127.0.0.1', 0 ],
	[ '::/0', '127.0.0.1', 0 ],
	[ '::1/128', '127.0.0.1', 0 ]);

push @cases,
	[ '::1/128', '::1', 1 ],
	[ '::1', '::1', 1 ],
	[ '::/127', '::1', 1 ],
	[ '::2/127', '::1', 0 ],
	[ '::/0', '::1', 1 ],
	[ 'fe80::/10', '::1', 0 ],
	[ '0.0.0.0/0', '::1', 0 ],
	[ '127.0.0.0/8', '::1', 0 ]
  if $has_ipv6;
foreach my $case (@cases)
{
	my ($range, $from, $is_in) = @$case;
	my $path = put_webhook($node, 'ranged', range => $range);
	my $answer = post($node, $path, '{}', from => $from, host => $from =~ /:/ ? '::1' : '127.0.0.1');

	is($answer->{status}, $is_in ? 200 : 403, "$from is " . ($is_in ? '' : 'not ') . "in $range");
	is($answer->{json}{error}, $is_in ? undef : 'address_denied', "$from, $range: the answer's name");
	is(last_peer(), "$from $from", "$from, $range: recorded");
}

# A header proves nothing.
my $path = put_webhook($node, 'ranged', range => '192.0.2.0/24');
my $answer = post($node, $path, '{}',
	headers => [ 'X-Forwarded-For', '192.0.2.1', 'Forwarded', 'for=192.0.2.1', 'X-Real-IP', '192.0.2.1' ]);
is($answer->{status}, 403, 'X-Forwarded-For of a stranger does not count');
is(last_peer(), '127.0.0.1 127.0.0.1', 'nor is it recorded as the source');

# Denied before the body: it is not waited for.
my $connection = connect_to($node);
$connection->send_text("POST $path HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n");
is($connection->read_answer->{status}, 403, 'the body of a stranger is not waited for');

# ---------------------------------------------------------------------------
note 'all addresses';

my $position = log_position($node);
set_settings($node, listen_addresses => '*');
unlike(log_since($node, $position), qr/could not listen/, 'the addresses of before are not in the way');
is(post($node, $open, '{}', host => '127.0.0.3')->{json}{status}, 'triggered', 'on 127.0.0.3, too');
$path = put_webhook($node, 'ranged', range => '127.0.0.0/8');
SKIP:
{
	skip 'no IPv6 here', 4 unless $has_ipv6;
	is(post($node, $open, '{}', host => '::1')->{json}{status}, 'triggered', 'on ::1');
	is(last_peer(), '::1 ::1', 'as an IPv6 address');

	# An IPv6 socket of the client's, an IPv4 connection.
	socket my $mapped, AF_INET6, SOCK_STREAM, 0 or die $!;
	connect $mapped, pack_sockaddr_in6(port_of($node), inet_pton(AF_INET6, '::ffff:127.0.0.1')) or die $!;
	syswrite $mapped, request_text(POST => $path, body => '{}', headers => [ 'Connection', 'close' ]);
	my $text = do { local $/; <$mapped> };
	like($text, qr{^HTTP/1\.1 200 }, 'a mapped IPv4 address is in an IPv4 range');
	is(last_peer(), '127.0.0.1 127.0.0.1', 'and recorded as an IPv4 address');
}
like(value("SELECT url FROM cp_webhook.webhooks WHERE name = 'open'"), qr{^http://localhost:\d+/}, 'URLs name localhost');

# ---------------------------------------------------------------------------
note 'another address, another port, without a restart';

set_settings($node, listen_addresses => '127.0.0.1');
is_closed('127.0.0.3', port_of($node), 'an address that was taken out is closed');
my $kept = connect_to($node);
is($kept->request(GET => '/healthz')->{status}, 200, 'a connection');
my $old = port_of($node);
set_settings($node, port => PostgreSQL::Test::Cluster::get_free_port());
isnt(port_of($node), $old, 'another port');
is(post($node, $open, '{}')->{json}{status}, 'triggered', 'is served');
is_closed('127.0.0.1', $old, 'the old one is closed');
is($kept->request(POST => $open, body => '{}')->{json}{status}, 'triggered', 'a connection of before goes on');
is(value("SELECT url LIKE '%:" . port_of($node) . "/%' FROM cp_webhook.webhooks WHERE name = 'open'"), 't', 'URLs name the new port');
set_settings($node, public_url => 'https://hooks.example.com/ci/');
like(value("SELECT url FROM cp_webhook.webhooks WHERE name = 'open'"), qr{^https://hooks\.example\.com/ci/trigger/[\w-]{43}$}, 'public_url');
set_settings($node, public_url => undef);

# A port that another program has, even one that would share it.
$position = log_position($node);
my $foreign = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => PostgreSQL::Test::Cluster::get_free_port(),
	Listen => SOMAXCONN, ReusePort => 1) or die $!;
$node->safe_psql('postgres', "ALTER SYSTEM SET cp_webhook.listen_addresses = '127.0.0.1';\nALTER SYSTEM SET cp_webhook.port = " . $foreign->sockport);
$node->reload;
poll('each receiver says that the port is in use', sub {
	my %said = map { $_ => 1 } log_since($node, $position) =~ /\[(\d+)\] .*could not listen on 127\.0\.0\.1:\d+: Address already in use/g;

	return 2 == keys %said;
});
like(log_since($node, $position), qr/HINT:  Another program or another PostgreSQL server uses the port/, 'the log has a hint');
is(join(' ', worker_pids($node)), $pids, 'the receivers are the same as before');
is($kept->request(GET => '/healthz')->{status}, 200, 'and serve the connections that they have');
$position = log_position($node);
my $port = $foreign->sockport;
$foreign->close;
poll('both listen once the port is free', sub {
	my %said = map { $_ => 1 } log_since($node, $position) =~ /\[(\d+)\] .*cp_webhook listens on 127\.0\.0\.1:$port/g;

	return 2 == keys %said;
});
is(connect_to($node, port => $port)->request(POST => $open, body => '{}')->{json}{status}, 'triggered', 'the port is free: they listen there');

# An address that is none.
$position = log_position($node);
set_settings($node, port => $port, listen_addresses => '127.0.0.1, no.such.host.invalid');
is(post($node, $open, '{}')->{json}{status}, 'triggered', 'the other addresses are served');
poll('the log names it', sub { log_since($node, $position) =~ /could not resolve listen address "no\.such\.host\.invalid"/ });

# set_settings() adds one more: 16, which is the limit.
my @many = map { "127.100.100.$_" } 101 .. 115;
$position = log_position($node);
set_settings($node, listen_addresses => join ', ', @many);
unlike(log_since($node, $position), qr/could not/, 'as many addresses as there may be');
is(value("SELECT count(*) FROM cp_webhook.stats(), regexp_split_to_table(listening, ', ')"), 32, 'each receiver listens on each');
is(post($node, $open, '{}', host => $many[-1])->{json}{status}, 'triggered', 'on the last one, too');
$position = log_position($node);
$node->safe_psql('postgres', "ALTER SYSTEM SET cp_webhook.listen_addresses = '" . join(', ', @many, '127.0.0.1', '127.0.0.2') . "'");
$node->reload;
poll('one more is too many', sub { log_since($node, $position) =~ /could not resolve listen address "127\.0\.0\.2": too many addresses/ });
is(post($node, $open, '{}', host => $many[-1])->{json}{status}, 'triggered', 'the others are served');
is(join(' ', worker_pids($node)), $pids, 'the receivers are the same as before');

done_testing();
