# 310_proxies: whose address a delivery has behind proxies, and how many
# connections may come.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use IO::Socket::IP;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_receivers('proxies',
	settings => { workers => 1, listen_addresses => '127.0.0.1, ::1', rejections_per_minute => 10000 });
my $has_v6 = defined IO::Socket::IP->new(PeerHost => '::1', PeerPort => port_of($node));

create_pipeline($node, 'pipeline');
my $open = put_webhook($node, 'open');
my $far = put_webhook($node, 'far', range => '203.0.113.0/24');
my $far_v6 = put_webhook($node, 'far-v6', range => '2001:db8::/32');
my $near = put_webhook($node, 'near', range => '127.0.0.0/8');

sub value
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}

sub stat_of
{
	my ($column) = @_;
	return value("SELECT $column FROM cp_webhook.stats()");
}

# Source and peer of the newest delivery.
sub addresses
{
	return value("SELECT concat_ws(' ', host(source_address), host(peer_address)) FROM cp_webhook.deliveries ORDER BY id DESC LIMIT 1");
}

# One POST with these headers, and what is recorded of it.
sub is_recorded
{
	my ($headers, $expected, $what, %options) = @_;

	is(post($node, $open, '{}', headers => $headers, %options)->{status}, 200, "$what: taken");
	is(addresses(), $expected, "$what: recorded");
	return;
}

# One POST to an IP webhook.
sub is_judged
{
	my ($path, $headers, $status, $what) = @_;
	my $answer = post($node, $path, '{}', headers => $headers);

	is($answer->{status}, $status, "$what: $status");
	is($answer->{json}{error}, 'address_denied', "$what: denied") if $status == 403;
	return;
}

sub for_list { return [ map { ('X-Forwarded-For', $_) } @_ ] }
sub forwarded { return [ map { ('Forwarded', $_) } @_ ] }

# ---------------------------------------------------------------------------
note 'without trusted proxies the headers are nothing';

is_recorded([], '127.0.0.1 127.0.0.1', 'no header');
is_recorded(for_list('203.0.113.9'), '127.0.0.1 127.0.0.1', 'X-Forwarded-For');
is_recorded(forwarded('for=203.0.113.9'), '127.0.0.1 127.0.0.1', 'Forwarded');
is_judged($far, for_list('203.0.113.9'), 403, 'a claim to be in the range');
is_judged($near, for_list('203.0.113.9'), 200, 'a claim to be elsewhere');

# ---------------------------------------------------------------------------
note 'a trusted proxy';

set_settings($node, trusted_proxies => '127.0.0.1/32');
is_recorded([], '127.0.0.1 127.0.0.1', 'no header');
foreach my $case (
	[ 'one address', for_list('203.0.113.9'), '203.0.113.9' ],
	[ 'what the client wrote before it', for_list('198.51.100.1, 203.0.113.9'), '203.0.113.9' ],
	[ 'a claim to be the proxy', for_list('127.0.0.1, 203.0.113.9'), '203.0.113.9' ],
	[ 'behind the proxy twice', for_list('198.51.100.1, 203.0.113.9, 127.0.0.1'), '203.0.113.9' ],
	[ 'headers are one list', for_list('198.51.100.1', '203.0.113.9'), '203.0.113.9' ],
	[ 'an open quote', for_list('", 203.0.113.9'), '203.0.113.9' ],
	[ 'a port', for_list('203.0.113.9:4711'), '203.0.113.9' ],
	[ 'IPv6', for_list('2001:db8::9'), '2001:db8::9' ],
	[ 'IPv6 with a port', for_list('[2001:db8::9]:4711'), '2001:db8::9' ],
	[ 'a mapped address', for_list('::ffff:203.0.113.9'), '203.0.113.9' ],
	[ 'a name', for_list('203.0.113.9, client.example'), '127.0.0.1' ],
	[ 'unknown', for_list('203.0.113.9, unknown'), '127.0.0.1' ],
	[ 'unknown, farther away', for_list('unknown, 203.0.113.9'), '203.0.113.9' ],
	[ 'nothing in it', for_list(''), '127.0.0.1' ],
	[ 'Forwarded', forwarded('for=203.0.113.9;proto=https'), '203.0.113.9' ],
	[ 'Forwarded, IPv6', forwarded('for=198.51.100.1, For="[2001:db8::9]:4711"'), '2001:db8::9' ],
	[ 'Forwarded, obfuscated', forwarded('for=203.0.113.9, for=_gazonk'), '127.0.0.1' ],
	[ 'Forwarded, an open quote', forwarded('for=198.51.100.1;x=", for=203.0.113.9'), '127.0.0.1' ],
	[ 'Forwarded, lines are one list', forwarded('for=198.51.100.1;x="', 'for=203.0.113.9'), '203.0.113.9' ],
	[ 'both, the same', [ @{ for_list('198.51.100.1, 203.0.113.9') }, @{ forwarded('for=203.0.113.9') } ], '203.0.113.9' ],
	[ 'both, one of them mapped', [ @{ for_list('::ffff:203.0.113.9') }, @{ forwarded('for=203.0.113.9') } ], '203.0.113.9' ],
	[ 'both, disagreeing', [ @{ for_list('203.0.113.9') }, @{ forwarded('for=198.51.100.1') } ], '127.0.0.1' ],
	[ 'both, one unreadable', [ @{ for_list('203.0.113.9') }, @{ forwarded('for="') } ], '127.0.0.1' ],
	[ 'forty hops', for_list(join ', ', map { "203.0.113.$_" } 1 .. 40), '203.0.113.40' ])
{
	my ($what, $headers, $source) = @$case;

	is_recorded($headers, "$source 127.0.0.1", $what);
}
is_recorded(for_list('203.0.113.9'), '::1 ::1', 'a peer that is not trusted', host => '::1') if $has_v6;

# Rejected deliveries have both addresses as well.
is(post($node, $open, 'nonsense', headers => for_list('203.0.113.9'))->{status}, 400, 'a bad body');
is(addresses(), '203.0.113.9 127.0.0.1', 'a bad body: both addresses');

# ---------------------------------------------------------------------------
note 'IP webhooks judge the client';

is_judged($far, for_list('203.0.113.9'), 200, 'in the range');
is_judged($far, for_list('198.51.100.1'), 403, 'out of the range');
is(addresses(), '198.51.100.1 127.0.0.1', 'the denied delivery has both addresses');
is_judged($far, [], 403, 'the proxy itself');
is_judged($far, for_list('203.0.113.9, 198.51.100.1'), 403, 'a claim left of the truth');
is_judged($far, for_list('203.0.113.9', '198.51.100.1'), 403, 'a claim in a header of its own');
is_judged($far, for_list('203.0.113.9, 127.0.0.1, 198.51.100.1'), 403, 'a claim with the proxy behind it');
is_judged($far, for_list('198.51.100.1, 203.0.113.9'), 200, 'in the range, with something left of it');
is_judged($far, forwarded('for=203.0.113.9'), 200, 'Forwarded, in the range');
is_judged($far, forwarded('for=203.0.113.9, for=198.51.100.1'), 403, 'Forwarded, a claim');
is_judged($far, forwarded('for=203.0.113.9;x=", for=198.51.100.1'), 403, 'Forwarded, a claim with an open quote');
is_judged($far, [ @{ forwarded('for=203.0.113.9') }, @{ for_list('198.51.100.1') } ], 403, 'a claim in the other header');
is_judged($far_v6, for_list('2001:db8::9'), 200, 'IPv6, in the range');
is_judged($far_v6, for_list('2001:db9::9'), 403, 'IPv6, out of the range');
is_judged($far_v6, for_list('203.0.113.9'), 403, 'IPv4 and a range of IPv6');

# Nobody can pass for the proxy.
is_judged($near, [], 200, 'the proxy itself, allowed');
is_judged($near, for_list(''), 200, 'the proxy itself, with an empty header');
is_judged($near, for_list('127.0.0.1'), 200, 'from the proxy through the proxy');
is_judged($near, for_list('198.51.100.1'), 403, 'a client that is not');
is_judged($near, for_list('127.0.0.1, 198.51.100.1'), 403, 'a client that claims to be');
is_judged($near, for_list('", 198.51.100.1'), 403, 'a client with an open quote');
is_judged($near, forwarded('for=", for=198.51.100.1'), 403, 'a client with an open quote in Forwarded');
like(value('SELECT reason FROM cp_webhook.deliveries ORDER BY id DESC LIMIT 1'), qr/do not tell/, 'and it is recorded why');
is_judged($near, for_list('unknown'), 403, 'a client that the proxy does not name');
is_judged($near, [ @{ for_list('198.51.100.1') }, @{ forwarded('for=127.0.0.1') } ], 403, 'a client that sends the other header');

# ---------------------------------------------------------------------------
note 'several proxies, ranges, IPv6';

set_settings($node, trusted_proxies => '127.0.0.0/8, 10.0.0.0/8 192.0.2.7,::1, 2001:db8:1::/48,');
foreach my $case (
	[ 'a chain of proxies', '203.0.113.9, 10.1.2.3, 192.0.2.7', '203.0.113.9' ],
	[ 'up to the first that is not one', '203.0.113.9, 192.0.2.8, 10.1.2.3', '192.0.2.8' ],
	[ 'a proxy of IPv6', '203.0.113.9, 2001:db8:1::5', '203.0.113.9' ],
	[ 'none of IPv6', '203.0.113.9, 2001:db8:2::5', '2001:db8:2::5' ],
	[ 'a mapped proxy', '203.0.113.9, ::ffff:10.0.0.1', '203.0.113.9' ],
	[ 'nothing but proxies', '10.0.0.1, 10.0.0.2', '10.0.0.1' ],
	[ 'what a proxy does not know', '203.0.113.9, unknown, 10.0.0.2', '10.0.0.2' ],
	[ 'more proxies than are walked', join(', ', '203.0.113.9', ('10.0.0.3') x 40), '10.0.0.3' ])
{
	my ($what, $list, $source) = @$case;

	is_recorded(for_list($list), "$source 127.0.0.1", $what);
}
is_recorded(for_list('203.0.113.9'), '203.0.113.9 ::1', 'a peer of IPv6', host => '::1') if $has_v6;
set_settings($node, trusted_proxies => '0.0.0.0/0');
is_recorded(for_list('203.0.113.9, 198.51.100.1'), '203.0.113.9 127.0.0.1', 'everybody of IPv4');
is_recorded(for_list('203.0.113.9, 2001:db8::1'), '2001:db8::1 127.0.0.1', 'nobody of IPv6');

# ---------------------------------------------------------------------------
note 'bad settings';

foreach my $list ('localhost', '127.0.0.1/33', '127.0.0.256', '::1/129', '::g', '127.0.0.1;10.0.0.1', '*', '/8',
	'10.0.0.0/8, nonsense', '10.0.0.0/', '10.0.0.0/-1', '10.0.0.0/8/8', '[::1]', 'x' x 300)
{
	my ($status, undef, $errors) = $node->psql('postgres', "ALTER SYSTEM SET cp_webhook.trusted_proxies = '$list'");

	isnt($status, 0, "'" . substr($list, 0, 40) . "' is refused");
	like($errors, qr/invalid value for parameter "cp_webhook.trusted_proxies".*is not a list of addresses and CIDR ranges/s,
		'and it is said why');
}
foreach my $list ('', ' ', ',', '127.0.0.1', '::1', '10.0.0.1/8', '10.0.0.0/0,::/0', '::ffff:10.0.0.1')
{
	my ($status, undef, $errors) = $node->psql('postgres', "ALTER SYSTEM SET cp_webhook.trusted_proxies = '$list'");

	is($status, 0, "'$list' is taken") or diag($errors);
}

# ---------------------------------------------------------------------------
note 'max_connections_per_ip';

# Whether a connection is served; one that is refused is closed.
sub is_served
{
	my ($connection) = @_;
	my $answer = eval { $connection->request(GET => '/healthz') };

	return $answer && $answer->{status} == 200;
}

# Waits until the receiver holds so many connections.
sub wait_for_connections
{
	my ($count) = @_;

	poll("the receiver holds $count connections", sub { stat_of('connections') == $count });
	return;
}

set_settings($node, trusted_proxies => undef, max_connections_per_ip => 3);
wait_for_connections(0);
my $refused = stat_of('refused_connections');
my @connections = map { connect_to($node) } 1 .. 3;
is(scalar(grep { is_served($_) } @connections), 3, 'as many as max_connections_per_ip are served');
is(stat_of('refused_connections'), $refused, 'none was refused');
foreach my $number (1, 2)
{
	my $more = connect_to($node);

	ok(!is_served($more), "one more ($number) is closed");
	is(stat_of('refused_connections'), ++$refused, "one more ($number) is counted");
}
is(scalar(grep { is_served($_) } @connections), 3, 'the others go on');
if ($has_v6)
{
	ok(is_served(connect_to($node, host => '::1')), 'another address is served');
	wait_for_connections(3);
}
$connections[1]->close;
wait_for_connections(2);
$connections[1] = connect_to($node);
ok(is_served($connections[1]), 'when one has gone another is served');
ok(!is_served(connect_to($node)), 'and no more than one');
$refused++;

# A lower limit cuts nobody, a higher one lets more in.
set_settings($node, max_connections_per_ip => 1);
is(scalar(grep { is_served($_) } @connections), 3, 'a lower limit cuts nobody');
ok(!is_served(connect_to($node)), 'but lets nobody in');
$refused++;
set_settings($node, max_connections_per_ip => 4);
push @connections, connect_to($node);
ok(is_served($connections[3]), 'a higher one does');
is(stat_of('refused_connections'), $refused, 'each refusal was counted once');

set_settings($node, trusted_proxies => '127.0.0.1');
push @connections, map { connect_to($node) } 1 .. 4;
is(scalar(grep { is_served($_) } @connections), 8, 'trusted proxies are never counted');
set_settings($node, trusted_proxies => '192.0.2.1', max_connections_per_ip => 1);
ok(!is_served(connect_to($node)), 'other proxies are');
set_settings($node, trusted_proxies => undef, max_connections_per_ip => 0);
push @connections, map { connect_to($node) } 1 .. 4;
is(scalar(grep { is_served($_) } @connections), 12, '0 is any number');
$_->close foreach @connections;
wait_for_connections(0);

# ---------------------------------------------------------------------------
note 'max_connections';

set_settings($node, max_connections => 2);
@connections = map { connect_to($node) } 1 .. 2;
is(scalar(grep { is_served($_) } @connections), 2, 'as many as max_connections are served');
my $waiting = connect_to($node);
$waiting->send_text(request_text(GET => '/healthz'));
ok(!$waiting->is_readable(0.5), 'one more waits');
is(stat_of('connections'), 2, 'it is not accepted yet');
$connections[0]->close;
is($waiting->read_answer->{status}, 200, 'and is served when there is room');
undef $waiting;
set_settings($node, max_connections => undef);

# ---------------------------------------------------------------------------
note 'backlog';

# The length of the accept queue of the node's sockets on 127.0.0.1, as the
# kernel has it.
sub backlog
{
	my ($queue) = map { (split)[2] } grep { /\s127\.0\.0\.1:@{[ port_of($node) ]}\s/ } split /\n/, `ss -Hltn 2>/dev/null`;

	return $queue // 0;
}

is(value('SHOW cp_webhook.backlog'), 1024, 'the default');
set_settings($node, backlog => 7);
SKIP:
{
	skip 'no ss', 1 unless backlog();
	is(backlog(), 7, 'changed at sockets that are open');
}
ok(is_served(connect_to($node)), 'and they serve');
foreach my $number (0, 65536)
{
	isnt($node->psql('postgres', "ALTER SYSTEM SET cp_webhook.backlog = $number"), 0, "backlog $number is refused");
}

is(scalar worker_pids($node), 1, 'the receiver is there');
unlike(slurp_file($node->logfile), qr/was terminated by signal|PANIC|TRAP/, 'nothing died');
$node->stop;
done_testing();
