# 320_http: HTTP as RFC 9110 and 9112 want it, byte by byte, on raw sockets.
#
# Each case sends bytes and expects certain answers and then that the connection
# ends, or goes on. What is malformed is followed on the same connection by a
# whole request to a webhook of its own, the canary: wherever the two ends of a
# connection could disagree about where a request ends, those bytes must not be
# taken for a request. Nothing may ever arrive there.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use POSIX ();
use PostgreSQL::Test::Utils qw(slurp_file);
use Test::More;

my $header_limit = 32768;
my $node = start_receivers('http', settings => {
	workers => 1, rejections_per_minute => 100000, max_header_size => $header_limit,
	request_timeout => '60s', max_body_size => '1MB' });

create_pipeline($node, 'pipeline');
my $open = put_webhook($node, 'open');
my $canary = put_webhook($node, 'canary');
my ($token) = $open =~ m{([^/]+)$};
my $unknown = '/trigger/' . 'A' x 43;
my $sql = $node->background_psql('postgres');
$sql->set_query_timer_restart;

my %error_of = (
	400 => 'bad_request', 404 => 'not_found', 405 => 'method_not_allowed', 413 => 'body_too_large',
	415 => 'unsupported_media_type', 431 => 'headers_too_large');

# Up to 0.9 libmicrohttpd takes what it should refuse, and our own answer is
# JSON; from 1.0 on it refuses by itself, in its own words, and by codes of its
# own choice. Which of both it is a folded line shows.
my $is_strict = do {
	my $connection = connect_to($node);

	$connection->send_text("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: a\r\n b\r\n\r\n");
	!$connection->read_answer->{json};
};
note 'libmicrohttpd refuses by itself what is malformed' if $is_strict;

my $smuggled = "POST $canary HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
my $health = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
my $json = "Content-Type: application/json\r\n";

# A POST on the open webhook with these header lines (each with its end).
sub post_of
{
	my ($lines, $body, %change) = @_;
	my $target = $change{target} // $open;
	my $version = $change{version} // '1.1';
	my $host = $change{host} // "Host: x\r\n";

	return "POST $target HTTP/$version\r\n$host$json$lines\r\n" . ($body // '');
}

sub get_of
{
	my ($target, $lines) = @_;
	return "GET $target HTTP/1.1\r\nHost: x\r\n" . ($lines // '') . "\r\n";
}

sub chunked
{
	my ($body, $lines) = @_;
	return post_of("Transfer-Encoding: chunked\r\n" . ($lines // ''), $body);
}

sub triggered
{
	return $sql->query_safe("SELECT count(*) FROM cp_webhook.deliveries WHERE outcome = 'triggered'");
}

# Seconds that a process has used.
sub processor_time
{
	my ($pid) = @_;
	my (undef, @values) = split /\) /, slurp_file("/proc/$pid/stat");
	my @fields = split / /, $values[-1];

	return ($fields[11] + $fields[12]) / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}

my $expected_triggers = 0;

# One case. Options:
#   answers  the statuses of the answers, in order; 400.1 is one in libmicrohttpd's
#            own words, which has no JSON body
#   then     'end': nothing more is answered, the connection ends; 'open': it goes
#            on with the next request; 'wait': nothing comes; 'rest': like 'end',
#            behind the rest of the answer (or 'refused': behind another): libmicrohttpd 0.9 writes the head of
#            some of its own answers twice, which makes them longer than they say
#            'any': whatever
#   head     the first answer is to a HEAD
#   strict   where libmicrohttpd is strict, in place of answers and then: a list
#            of the ways that are right, [ answers, then ]
# Where libmicrohttpd is strict, what is malformed may be refused by another
# code and in its own words, or by the end of the connection.
sub check
{
	my ($name, $bytes, %expected) = @_;
	my $connection = connect_to($node);
	my $head = $expected{head};
	my @wanted = @{ $expected{answers} };
	my $is_refused = $is_strict && @wanted == 1 && $wanted[0] >= 400 && $expected{then} =~ /^(end|rest)$/
	  && int($wanted[0]) !~ /^40[145]$/;
	my @got;

	$connection->send_text($bytes);
	if ($is_strict && $expected{strict})
	{
		my $first = eval { $connection->read_answer };
		my $status = $first ? $first->{status} : 'end';
		my ($way) = grep { ($_->[0][0] // 'end') eq $status } @{ $expected{strict} };

		ok($way, "$name: answered $status") or diag explain $first;
		$expected_triggers++ if $first && ($first->{json}{status} // '') eq 'triggered';
		@wanted = ();
		$expected{then} = $way ? $way->[1] : 'end';
	}
	foreach my $status (@wanted)
	{
		my $answer = eval { $connection->read_answer(no_body => $head) };
		my $own = $status == int $status;

		if ($is_refused && (!$answer || $answer->{status} =~ /^(400|413|414|431|501|505)$/))
		{
			push @got, int $status;
			last;
		}

		diag $@ if $@;
		if (!$answer)
		{
			push @got, 'end';
			last;
		}
		push @got, $answer->{status};
		$expected_triggers++
		  if $answer->{status} == 200 && ($answer->{json}{status} // '') eq 'triggered';
		if (!$head && $own && $status >= 400)
		{
			is(($answer->{json} // {})->{error}, $error_of{$status}, "$name: $status names its error")
			  or diag explain $answer;
		}
		$head = 0;
	}
	is_deeply(\@got, [ map { int } @wanted ], "$name: answered " . (join(' ', map { int } @wanted) || 'nothing'));
	if ($expected{then} eq 'rest')
	{
		unlike(eval { $connection->wait_for_end } // 'HTTP/', qr{HTTP/}, "$name: the connection ends");
	}
	elsif ($expected{then} eq 'refused')
	{
		unlike(eval { $connection->wait_for_end } // 'HTTP/1.1 2', qr{HTTP/1\.1 [123]}, "$name: the connection ends");
	}
	elsif ($expected{then} eq 'end')
	{
		is(eval { $connection->wait_for_end }, '', "$name: the connection ends");
	}
	elsif ($expected{then} eq 'open')
	{
		$connection->send_text($health);
		my $answer = eval { $connection->read_answer };

		is($answer && $answer->{status}, 200, "$name: the connection goes on");
	}
	elsif ($expected{then} ne 'any')
	{
		ok(!$connection->is_readable(0.05), "$name: the rest is waited for");
	}
	$connection->close;
	is(triggered(), $expected_triggers, "$name: triggers what was answered so");
	return;
}

# ---------------------------------------------------------------------------
note 'what is in order (RFC 9112, 2 to 6)';

foreach my $case (
	[ 'a plain POST', post_of("Content-Length: 2\r\n", '{}') ],
	# A recipient must take the name in any case, and blanks around the value.
	[ 'names in odd case', post_of("cOnTeNt-LeNgTh: 2\r\n", '{}') ],
	[ 'blanks before a value', post_of("Content-Length: \t  2\r\n", '{}') ],
	[ 'no blank before a value', post_of("Content-Length:2\r\n", '{}') ],
	[ 'an empty value', post_of("X-Empty:\r\nContent-Length: 2\r\n", '{}') ],
	[ 'blanks behind a value', post_of("X-Blank: a \t \r\nContent-Length: 2\r\n", '{}') ],
	[ 'a tab inside a value', post_of("X-Tab: a\tb\r\nContent-Length: 2\r\n", '{}') ],
	[ 'all characters of a name', post_of("X!#\$%&'*+-.^_`|~9: a\r\nContent-Length: 2\r\n", '{}') ],
	[ 'leading zeros', post_of("Content-Length: 0002\r\n", '{}') ],
	# RFC 9112, 2.2: at least one empty line before a request line is ignored.
	[ 'an empty line first', "\r\n" . post_of("Content-Length: 2\r\n", '{}') ],
	# RFC 9112, 3.2.2: absolute-form must be taken, and its authority for Host.
	[ 'absolute-form', post_of("Content-Length: 2\r\n", '{}', target => "http://example.com$open") ],
	[ 'absolute-form with port and query', post_of("Content-Length: 2\r\n", '{}', target => "HTTPS://[::1]:8443$open?a=b") ],
	[ 'a query', post_of("Content-Length: 2\r\n", '{}', target => "$open?a=%20&b&=&c=\xe2\x82\xac") ],
	[ 'Host with a port', post_of("Content-Length: 2\r\n", '{}', host => "Host: localhost:8787\r\n") ],
	[ 'an IPv6 Host', post_of("Content-Length: 2\r\n", '{}', host => "Host: [::1]:8787 \r\n") ],
	# RFC 9110, 7.2: it is empty where the target has no authority.
	[ 'an empty Host', post_of("Content-Length: 2\r\n", '{}', host => "Host:\r\n") ],
	# A later minor version is answered as 1.1.
	[ 'HTTP/1.2', post_of("Content-Length: 2\r\n", '{}', version => '1.2') ],
	# RFC 9110, 10.1.1: an unknown expectation may be ignored.
	[ 'an unknown expectation', post_of("Expect: tea\r\nContent-Length: 2\r\n", '{}') ],
	[ 'Upgrade', post_of("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n", '{}') ],
	[ 'Upgrade to HTTP/2', post_of("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nContent-Length: 2\r\n", '{}') ])
{
	check(@$case, answers => [200], then => 'open');
}
check('Connection: close', post_of("Connection: close\r\nContent-Length: 2\r\n", '{}') . $smuggled, answers => [200], then => 'end');
check('Connection: x, CLOSE', post_of("Connection: x, CLOSE\r\nContent-Length: 2\r\n", '{}') . $smuggled, answers => [200], then => 'end');

# HTTP/1.0: the connection ends unless both want it to stay; Host may be missing.
check('HTTP/1.0', post_of("Content-Length: 2\r\n", '{}', version => '1.0', host => '') . $smuggled, answers => [200], then => 'end');
check('HTTP/1.0 with keep-alive', post_of("Connection: keep-alive\r\nContent-Length: 2\r\n", '{}', version => '1.0', host => ''),
	answers => [200], then => 'open');
check('HTTP/1.0 with two Hosts', post_of("Connection: keep-alive\r\nContent-Length: 2\r\n", '{}', version => '1.0', host => "Host: x\r\nHost: y\r\n") . $smuggled,
	answers => [400], then => 'end');
# RFC 9112, 6.1: of HTTP/1.0 it means that the framing is faulty.
check('HTTP/1.0 with Transfer-Encoding', post_of("Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n", version => '1.0') . $smuggled,
	answers => [400], then => 'end');

# ---------------------------------------------------------------------------
note 'pipelining';

check('two in one segment', post_of("Content-Length: 2\r\n", '{}') x 2, answers => [ 200, 200 ], then => 'open');
check('ten in one segment', post_of("Content-Length: 2\r\n", '{}') x 10, answers => [ (200) x 10 ], then => 'open');
check('a GET behind a POST', post_of("Content-Length: 2\r\n", '{}') . $health, answers => [ 200, 200 ], then => 'open');
check('a POST behind a GET', $health . post_of("Content-Length: 2\r\n", '{}'), answers => [ 200, 200 ], then => 'open');
check('a POST behind a 404', get_of($unknown) . post_of("Content-Length: 2\r\n", '{}'), answers => [ 404, 200 ], then => 'open');
check('a POST behind an empty line', post_of("Content-Length: 2\r\n", '{}') . "\r\n" . post_of("Content-Length: 2\r\n", '{}'),
	answers => [ 200, 200 ], then => 'open');
check('half a request behind a whole one', post_of("Content-Length: 2\r\n", '{}') . substr($health, 0, 20), answers => [200], then => 'wait');
# An answer that does not read the body cannot go on behind it.
check('behind an unread body', "POST $unknown HTTP/1.1\r\nHost: x\r\nContent-Length: " . length($smuggled) . "\r\n\r\n$smuggled$smuggled",
	answers => [404], then => 'end');
check('behind a GET with a body', get_of('/healthz', "Content-Length: " . length($smuggled) . "\r\n") . $smuggled x 2, answers => [200], then => 'end');
check('behind a GET with a chunked body', get_of('/healthz', "Transfer-Encoding: chunked\r\n") . "0\r\n\r\n$smuggled", answers => [200], then => 'end');
check('behind a body that is longer than told', post_of("Content-Length: 2\r\n", '{}x'), answers => [200], then => 'wait');

# ---------------------------------------------------------------------------
note 'lengths (RFC 9112, 6.3)';

# On every URL: whether one exists must not decide how a request is framed.
my @places = (
	[ 'on a webhook', "POST $open" ], [ 'on an unknown URL', "POST $unknown" ],
	[ 'on /healthz', 'GET /healthz' ], [ 'of another method', "PUT $open" ], [ 'elsewhere', 'POST /' ]);

foreach my $case (
	[ 'a length and chunked', "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", '0' ],
	[ 'chunked and a length', "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", '0' ],
	[ 'the same length twice', "Content-Length: 0\r\nContent-Length: 0\r\n", '0' ],
	[ 'two lengths', "Content-Length: 0\r\nContent-Length: 5\r\n", '0' ],
	[ 'two lengths, the other first', "Content-Length: 5\r\nContent-Length: 0\r\n", '0' ],
	[ 'chunked twice', "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", '0' ],
	[ 'chunked, then identity', "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", '0' ],
	(map { [ "Transfer-Encoding:$_", "Transfer-Encoding:$_\r\n", '0' ] }
		' identity', ' identity, chunked', ' chunked, chunked', ' chunked, identity', ' xchunked', ' chunkedx', ' chunke', ' "chunked"',
		' chunked;q=1', ' ,chunked', ' chunked,', " chunked\x0b", " \x0bchunked", ' gzip', ' gzip, chunked', '', $is_strict ? () : " chunked\t"),
	[ 'a blank before the colon', "Content-Length : 5\r\n", '0' ],
	[ 'a tab before the colon', "Content-Length\t: 5\r\n", '0' ],
	[ 'a blank before the colon of a coding', "Transfer-Encoding : chunked\r\n", '0' ],
	[ 'a blank first', " Content-Length: 5\r\n", '0' ],
	[ 'a header line of a blank', " \r\nContent-Length: 5\r\n", '0' ],
	# RFC 9112, 5.2: a folded line is refused.
	[ 'a folded length', "Content-Length:\r\n 5\r\n", '0' ],
	[ 'a length in two lines', "Content-Length: 0\r\n 5\r\n", '0' ],
	[ 'a folded coding', "Transfer-Encoding:\r\n chunked\r\n", '0' ],
	[ 'a folded coding by tab', "Transfer-Encoding: x,\r\n\tchunked\r\n", '0' ],
	[ 'a folded header', "X-Long: a\r\n b\r\n", '0' ],
	[ 'a folded header of nothing', "X-Long: a\r\n \r\n", '0' ],
	[ 'an empty name', ": 5\r\n", '0' ],
	(map { [ sprintf('a name with 0x%02x', ord), "X${_}Y: 5\r\n", '0' ] } "\x01", "\x7f", "\x80", '"', '(', ',', '/', ';', '=', '@', '[', '{', "\r"),
	# RFC 9112, 2.2 allows to take a bare LF as a line's end; others do not.
	[ 'a bare LF behind a header', "X-One: a\nContent-Length: 5\r\n", '0' ],
	[ 'a bare LF behind the last header', "X-One: a\n", '0' ],
	[ 'a bare CR in a value', "X-One: a\rContent-Length: 5\r\n", '0' ],
	[ 'a CR behind a value', "X-One: a\r\r\n", '0' ],
	# RFC 9110, 5.5.
	[ 'a NUL in a value', "X-One: a\0b\r\n", '0' ],
	[ 'a NUL behind a value', "X-One: a\0\r\n", '0' ],
	[ 'a NUL that hides a header', "X-One: a\0\r\nContent-Length: 5\r\n", '0' ],
	[ 'a NUL behind a length', "Content-Length: 0\0 5\r\n", '0' ],
	[ 'a NUL behind a coding', "Transfer-Encoding: chunked\0x\r\n", '0' ])
{
	my ($name, $lines) = @$case;

	foreach my $place (@places)
	{
		my ($where, $start) = @$place;

		check("$name $where", "$start HTTP/1.1\r\nHost: x\r\n$json$lines\r\n0\r\n\r\n$smuggled", answers => [400], then => 'end');
	}
}

# What libmicrohttpd itself cannot read.
foreach my $length ('+5', '-5', '5, 5', '5,5', '5x', ' 5x', '0x5', '5 5', '5 ', '5.0', '', '"5"', "\xb2", '1e1')
{
	# A blank behind a value is no part of it: a strict library knows that.
	my $may_pass = $is_strict && $length eq '5 ';

	check("Content-Length: $length", post_of("Content-Length: $length\r\n", '{}   ' . ($may_pass ? '' : $smuggled)), answers => [400.1], then => 'rest',
		$may_pass ? (strict => [ [ [200], 'open' ], [ [400], 'end' ] ]) : ());
}
foreach my $length ('18446744073709551616', '18446744073709551621', '99999999999999999999999')
{
	check("Content-Length: $length", post_of("Content-Length: $length\r\n", "{}   $smuggled"), answers => [413.1], then => 'rest');
}
foreach my $length ('18446744073709551615', '9223372036854775808', '1048577')
{
	check("Content-Length: $length", post_of("Content-Length: $length\r\n", "{}   $smuggled"), answers => [413], then => 'end');
}
foreach my $line ('nonsense', "Content-Length", "Content-Length\0: 5", "\0")
{
	check('a line without a colon: ' . $line =~ s/\0/NUL/r, post_of("$line\r\n") . $smuggled, answers => [400.1], then => 'end');
}

# ---------------------------------------------------------------------------
note 'clients that end in the middle';

# libmicrohttpd misses an end that comes together with the last bytes: often,
# not always. Each must end long before request_timeout.
foreach my $bytes ('GET', "POST $open HTTP/1.1\r\nHost: x\r\n", post_of("Content-Length: 100\r\n", '{}'), chunked("2\r\n{}\r\n"), chunked("2\r\n{}\r\n0\r\nX: y\r\n"))
{
	my @ending = map { connect_to($node) } 1 .. 20;
	my $ended = 0;

	foreach my $one (@ending)
	{
		$one->send_text($bytes);
		$one->finish_sending;
	}
	$ended += $_->is_readable(10) && $_->wait_for_end eq '' foreach @ending;
	is($ended, 20, 'none is kept that ended behind ' . length($bytes) . ' bytes');
}

# RFC 9112, 9.6: a client may end its side and still wait for the answer.
foreach my $request (post_of("Content-Length: 2\r\n", '{}'), chunked("2\r\n{}\r\n0\r\n\r\n"), $health, get_of($unknown), post_of("Content-Length: 100000\r\n", ' ' x 99998 . '{}'))
{
	my @ending = map { connect_to($node) } 1 .. 20;
	my $answered = 0;

	foreach my $one (@ending)
	{
		$one->send_text($request);
		$one->finish_sending;
	}
	foreach my $one (@ending)
	{
		my $answer = $one->read_answer;
		my $status = $answer ? $answer->{json}{status} // $answer->{json}{error} : 'none';

		$answered++ if $status =~ /^(triggered|ok|not_found)$/;
		$expected_triggers++ if $status eq 'triggered';
		$one->wait_for_end;
	}
	is($answered, 20, 'a client that has ended its side gets the answer to ' . substr $request, 0, index $request, ' ');
}
is(triggered(), $expected_triggers, 'and what was answered so is recorded, no more');
my $connection;

# ---------------------------------------------------------------------------
note 'chunks (RFC 9112, 7.1)';

# libmicrohttpd takes a bare LF for the end of a chunk's line, which others do
# not, and does not tell: so what follows a chunked body is never a request.
foreach my $case (
	[ 'chunked', "2\r\n{}\r\n0\r\n\r\n" ],
	[ 'chunks of a byte', "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n" ],
	[ 'leading zeros', "00000000000000000000002\r\n{}\r\n000\r\n\r\n" ],
	[ 'an extension', "2;a=b;c=\"d\"\r\n{}\r\n0;x\r\n\r\n" ],
	[ 'capitals', "A\r\n{        }\r\n0\r\n\r\n" ],
	[ 'trailers', "2\r\n{}\r\n0\r\nX-One: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nX-Two: b\r\n\r\n" ],
	[ 'bare LF', "2\n{}\n0\n\n" ],
	[ 'bare LF in an extension', "2;x\n{}\r\n0\r\n\r\n" ],
	[ 'a whole request in a trailer', "2\r\n{}\r\n0\r\nX: $smuggled\r\n\r\n" ])
{
	my ($name, $body) = @$case;

	# A strict one lets the connection go on, and then what follows is a request.
	check("chunks: $name", chunked($is_strict ? $body : "$body$smuggled"), answers => [200], then => 'end',
		strict => $name =~ /bare LF/ ? [ [ [400], 'end' ] ]
		: $name =~ /trailer$/ ? [ [ [200], 'refused' ] ]
		: $name =~ /extension/ ? [ [ [200], 'open' ], [ [400], 'end' ] ] : [ [ [200], 'open' ] ]);
}
check('chunks: two requests', chunked("2\r\n{}\r\n0\r\n\r\n") x 2, answers => $is_strict ? [ 200, 200 ] : [200],
	then => $is_strict ? 'open' : 'end');
check('chunks: none', chunked("0\r\n\r\n"), answers => [400.1], then => 'end', strict => [ [ [400], 'open' ] ]);
foreach my $size ('-2', '+2', ' 2', '2 ', '0x2', '2 ;x', 'g', '', ';x', '2,', "2\r", "\x0b2", '2.0', "2\0")
{
	# A blank before an extension is bad, but to be taken (RFC 9112, 7.1.1).
	my $may_pass = $is_strict && $size eq '2 ;x';

	check("chunks: a size of '" . $size =~ s/([^ -~])/sprintf '\x%02x', ord $1/er . "'",
		chunked("$size\r\n{}\r\n0\r\n\r\n" . ($may_pass ? '' : $smuggled)),
		answers => [400.1], then => 'end', $may_pass ? (strict => [ [ [200], 'open' ], [ [400], 'end' ] ]) : ());
}
foreach my $size ('10000000000000002', 'fffffffffffffffff', '1' . '0' x 100)
{
	check("chunks: a size of $size", chunked("$size\r\n{}\r\n0\r\n\r\n$smuggled"), answers => [413.1], then => 'end');
}
check('chunks: more than was told', chunked("2\r\n{} \r\n0\r\n\r\n$smuggled"), answers => [400.1], then => 'end');
check('chunks: another size in their place', chunked("2\r\n{}0\r\n\r\n$smuggled"), answers => [400.1], then => 'end');
check('chunks: a CR alone behind a chunk', chunked("2\r\n{}\r0\r\n\r\n$smuggled"), answers => [400.1], then => 'end');
check('chunks: less than was told', chunked("5\r\n{}\r\n"), answers => [], then => 'wait');
check('chunks: no end', chunked("2\r\n{}\r\n"), answers => [], then => 'wait');
check('chunks: no end of the trailers', chunked("2\r\n{}\r\n0\r\n"), answers => [], then => 'wait');
check('chunks: a huge one that is not there', chunked("ffffffffffffffff\r\n{}"), answers => [], then => 'wait');
check('chunks: a trailer without a colon', chunked("2\r\n{}\r\n0\r\nnonsense\r\n\r\n$smuggled"), answers => [400.1], then => 'end');
check('chunks: a line that never ends', chunked('2;' . 'x' x 100_000), answers => [], then => 'wait');

# It can do nothing for that line, which fills its buffer; it must not do so
# all the time.
my ($receiver) = worker_pids($node);
my $stuck = connect_to($node);
$stuck->send_text(chunked('2;' . 'x' x 100_000));
my $before = processor_time($receiver);
ok(!$stuck->is_readable(2) || $is_strict, 'a line that never ends is waited for, or refused');
cmp_ok(processor_time($receiver) - $before, '<', 0.5, 'not busily');
$stuck->close;
check('chunks: too many bytes', chunked('100001' . "\r\n" . ' ' x 0x100001 . "\r\n0\r\n\r\n" . ($is_strict ? '' : $smuggled)), answers => [413], then => 'end',
	strict => [ [ [413], 'any' ] ]);

# ---------------------------------------------------------------------------
note 'Host (RFC 9112, 3.2)';

foreach my $place (@places)
{
	my ($where, $start) = @$place;

	foreach my $case ([ 'no Host', '' ], [ 'two Hosts', "Host: x\r\nHost: x\r\n" ], [ 'an empty and another Host', "Host:\r\nHost: x\r\n" ],
		(map { [ "Host: $_", "Host: $_\r\n" ] } 'a b', 'a, b', 'http://x', 'user@x', 'x/y', 'x?', 'x#y', "x\x01", 'x\\y', '<x>', "\xff"))
	{
		my ($name, $host) = @$case;

		check("$name $where", "$start HTTP/1.1\r\n${host}$json\r\n$smuggled", answers => [400], then => 'end');
	}
}
check('HTTP/1.2 without Host', post_of("Content-Length: 2\r\n", '{}', version => '1.2', host => '') . $smuggled, answers => [400], then => 'end');

# ---------------------------------------------------------------------------
note 'the request line (RFC 9112, 3)';

check('a NUL in the target', "POST $open\0x HTTP/1.1\r\nHost: x\r\n${json}Content-Length: 2\r\n\r\n{}$smuggled", answers => [400], then => 'end');
check('a NUL behind the target', "POST $open\0 HTTP/1.1\r\nHost: x\r\n${json}Content-Length: 2\r\n\r\n{}$smuggled", answers => [400], then => 'end');
check('a NUL in the method', "POST\0 $open HTTP/1.1\r\nHost: x\r\n${json}Content-Length: 2\r\n\r\n{}$smuggled", answers => [400], then => 'end');
check('two blanks', "POST  $open HTTP/1.1\r\nHost: x\r\n${json}Content-Length: 2\r\n\r\n{}$smuggled", answers => [400], then => 'end');
check('two blanks before the version', "POST $open  HTTP/1.1\r\nHost: x\r\n${json}Content-Length: 2\r\n\r\n{}$smuggled", answers => [400], then => 'end');
check('a blank in the target', "POST $open x HTTP/1.1\r\nHost: x\r\n${json}Content-Length: 2\r\n\r\n{}$smuggled", answers => [400], then => 'end');
check('a tab in the target', "POST $open?\t HTTP/1.1\r\nHost: x\r\n${json}Content-Length: 2\r\n\r\n{}$smuggled", answers => [400], then => 'end');
check('a CR in the target', "POST $open?\r HTTP/1.1\r\nHost: x\r\n${json}Content-Length: 2\r\n\r\n{}$smuggled", answers => [400], then => 'end');
check('a bare LF behind it', "POST $open HTTP/1.1\nHost: x\r\n${json}Content-Length: 2\r\n\r\n{}$smuggled", answers => [400], then => 'end');
check('all bare LF', "GET /healthz HTTP/1.1\nHost: x\n\n$smuggled", answers => [400], then => 'end');
foreach my $method ('post', 'Post', 'PROPFIND', 'PRI', 'P<ST', '0', 'X' x 200)
{
	check("method $method", "$method $open HTTP/1.1\r\nHost: x\r\n\r\n", answers => [405], then => 'open');
}
check('TRACE', "TRACE $open HTTP/1.1\r\nHost: x\r\nAuthorization: secret\r\n\r\n", answers => [405], then => 'open');
check('OPTIONS', "OPTIONS $open HTTP/1.1\r\nHost: x\r\n\r\n", answers => [405], then => 'open');
check('OPTIONS *', "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", answers => [404], then => 'open');
check('HEAD', "HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n", answers => [200], then => 'open', head => 1);
check('HEAD of a webhook', "HEAD $open HTTP/1.1\r\nHost: x\r\n\r\n", answers => [405], then => 'open', head => 1);
check('HEAD and a POST', "HEAD $open HTTP/1.1\r\nHost: x\r\n\r\n" . post_of("Content-Length: 2\r\n", '{}'), answers => [ 405, 200 ], then => 'open', head => 1);
# What follows a CONNECT may be meant for the other end of the tunnel.
check('CONNECT', "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n$smuggled", answers => [404], then => 'end');
check('CONNECT to a webhook', "CONNECT $open HTTP/1.1\r\nHost: x\r\n\r\n$smuggled", answers => [405], then => 'end');

foreach my $target ($open =~ s{/trigger/(.)}{sprintf '/trigger/%%%02x', ord $1}er, "$open/", "$open%00", "$open%0d%0a", "$open;x", "/x/..$open", "/$open",
	"/trigger%2F$token", "http://$open", "http:$open", "ftp://x$open", 'http://x', 'http://', "//x$open", "x$open", "$open#x", "http://x$open#x", "\\trigger\\$token")
{
	check("target $target", "POST $target HTTP/1.1\r\nHost: x\r\n\r\n", answers => [404], then => 'open',
		strict => [ [ [404], 'open' ], $target =~ /%00/ ? [ [400], 'end' ] : () ]);
}
check('absolute-form of /healthz', "GET http://x/healthz HTTP/1.1\r\nHost: y\r\n\r\n", answers => [200], then => 'open');

foreach my $version ('HTTP/1.1 ', 'HTTP/11', 'HTTP/1.', 'HTTP/1.11', 'http/1.1', 'HTTP/1,1', 'HTTP/x.1', 'XTTP/1.1', "HTTP/1.1\r", "HTTP/1.1\0", '')
{
	check("version '" . $version =~ s/([^ -~])/sprintf '\x%02x', ord $1/er . "'", "POST $open $version\r\nHost: x\r\n${json}Content-Length: 2\r\n\r\n{}$smuggled",
		answers => [400.1], then => 'end');
}
check("version $_", "POST $open $_\r\nHost: x\r\n${json}Content-Length: 2\r\n\r\n{}$smuggled", answers => [505.1], then => 'end')
  foreach 'HTTP/0.9', 'HTTP/2.0', 'HTTP/3.0', 'HTTP/9.9';
check('the preface of HTTP/2', "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", answers => [505.1], then => 'end');
check('HTTP/0.9', "GET /healthz\r\n$smuggled", answers => [400.1], then => 'end');
check('a method alone', "GET\r\n$smuggled", answers => [], then => 'end');
check('a TLS client', "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . "\xaa" x 500 . "\r\n", answers => [], then => 'end');

# ---------------------------------------------------------------------------
note 'sizes';

# Of names, values and separators, the request line and the last line excepted.
sub headers_of
{
	my ($size) = @_;
	my $lines = "Host: x\r\n${json}Content-Length: 2\r\n";

	return $lines . 'X-Fill: ' . 'x' x ($size - length($lines) - length("X-Fill: \r\n")) . "\r\n";
}
check('headers of exactly the limit', "POST $open HTTP/1.1\r\n" . headers_of($header_limit) . "\r\n{}", answers => [200], then => 'open');
check('headers of a byte more', "POST $open HTTP/1.1\r\n" . headers_of($header_limit + 1) . "\r\n{}$smuggled", answers => [431], then => 'end');
check('headers of twice the limit', "POST $open HTTP/1.1\r\n" . headers_of($header_limit * 2) . "\r\n{}$smuggled", answers => [431.1], then => 'end');
check('headers without end', "POST $open HTTP/1.1\r\nX: " . 'x' x 1_000_000, answers => [431.1], then => 'end');
check('256 headers', post_of("a: b\r\n" x 253 . "Content-Length: 2\r\n", '{}'), answers => [200], then => 'open');
check('257 headers', post_of("a:b\r\n" x 254 . "Content-Length: 2\r\n", "{}$smuggled"), answers => [431], then => 'end');
check('headers without number', post_of("a:\r\n" x 5000, $smuggled), answers => [431.1], then => 'end');
check('a long Cookie', post_of("Cookie: " . 'a=b;' x 1900 . "\r\nContent-Length: 2\r\n", "{}"), answers => [431.1], then => 'rest',
	strict => [ [ [200], 'open' ], [ [431], 'end' ] ]);
check('a long target', "POST $open?" . 'x' x 16000 . " HTTP/1.1\r\nHost: x\r\n${json}Content-Length: 2\r\n\r\n{}", answers => [200], then => 'open');
check('a target that is too long', "POST $open?" . 'x' x 100_000 . " HTTP/1.1\r\nHost: x\r\n${json}Content-Length: 2\r\n\r\n{}$smuggled",
	answers => [414.1], then => 'end');
check('a target without end', "POST /" . 'x' x 1_000_000, answers => [414.1], then => 'end');
check('a query of many parts', "POST $open?" . 'a&' x 8000 . " HTTP/1.1\r\nHost: x\r\n${json}Content-Length: 2\r\n\r\n{}", answers => [200], then => 'open');
check('some empty lines', "\r\n" x 100 . $health, answers => [200], then => 'open', strict => [ [ [200], 'open' ], [ [], 'end' ] ]);
check('empty lines without number', "\r\n" x 200_000 . $health, answers => [414.1], then => 'end');

# ---------------------------------------------------------------------------
note 'Expect: 100-continue (RFC 9110, 10.1.1)';

$connection = connect_to($node);
$connection->send_text(post_of("Expect: 100-Continue\r\nContent-Length: 2\r\n"));
is(eval { $connection->is_readable($CpWebhook::timeout) }, 1, 'a 100 comes');
$connection->send_text('{}');
is($connection->read_answer->{status}, 200, 'and the request goes on');
is($connection->{continued}, 1, 'there was one 100');
$expected_triggers++;
foreach my $case ([ 'of HTTP/1.0', post_of("Expect: 100-continue\r\nContent-Length: 2\r\n", '{}', version => '1.0') ],
	[ 'of another', post_of("Expect: 100-continue, tea\r\nContent-Length: 2\r\n", '{}') ])
{
	$connection = connect_to($node);
	$connection->send_text($case->[1]);
	is($connection->read_answer->{status}, 200, "an expectation $case->[0] is ignored");
	ok(!$connection->{continued}, "no 100 for an expectation $case->[0]");
	$expected_triggers++;
}
foreach my $case ([ 'a body that is too large', "Content-Length: 5000000\r\n", 413 ], [ 'two lengths', "Content-Length: 2\r\nContent-Length: 3\r\n", 400 ])
{
	my ($name, $lines, $status) = @$case;

	$connection = connect_to($node);
	$connection->send_text(post_of("Expect: 100-continue\r\n$lines"));
	is($connection->read_answer->{status}, $status, "$name: $status");
	ok(!$connection->{continued}, "$name: its body is not asked for");
	is($connection->wait_for_end, '', "$name: the connection ends");
}
check('100-continue and the body at once', post_of("Expect: 100-continue\r\nContent-Length: 2\r\n", '{}'), answers => [200], then => 'open');

# ---------------------------------------------------------------------------
note 'and after all that';

is($sql->query_safe("SELECT count(*) FROM cp_webhook.deliveries WHERE webhook = 'canary'"), 0, 'no byte was taken for a request that was none');
is($sql->query_safe("SELECT count(*) FROM cp_webhook.deliveries WHERE outcome NOT IN ('triggered', 'rejected')"), 0, 'there is nothing else');
is($sql->query_safe('SELECT count(*) FROM cp_webhook.executions'), $expected_triggers, 'as many executions as were answered');
like($sql->query_safe("SELECT reason FROM cp_webhook.deliveries WHERE outcome = 'rejected' AND http_status = 400 ORDER BY id LIMIT 1"),
	$is_strict ? qr{^(more than one Host|the body is empty)$} : qr{^more than one Host$}, 'a malformed request to a webhook is recorded with its reason');
is(scalar(grep { /^\d+$/ } worker_pids($node)), 1, 'the receiver is there');
unlike(log_since($node, 0), qr/FATAL|PANIC|terminated by signal|libmicrohttpd/, 'and never left');
$sql->quit;

done_testing();
