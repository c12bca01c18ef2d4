# 020_bodies: what a body may be, and what a hostile one can't do.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Test::More;

# A sanitizer needs memory of its own.
my $room = ($ENV{ASAN_OPTIONS} // '') eq '' ? 1 : 3;
my $node = start_receivers('bodies',
	settings => { lock_timeout => '30s', batch_timeout => '30s', filter_timeout => '20s', rejections_per_minute => 1000 });

create_pipeline($node, 'pipeline');
my $open = put_webhook($node, 'open');
my $signed = put_webhook($node, 'signed', secret => 'secret');
my $pids = join ' ', worker_pids($node);

sub value
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}

sub last_payload
{
	return value('SELECT payload FROM cp_webhook.deliveries ORDER BY id DESC LIMIT 1');
}

# A body that triggers, and how its payload is stored.
sub is_taken
{
	my ($body, $payload, $what, %options) = @_;
	my $answer = post($node, $options{path} // $open, $body, %options);

	is($answer && $answer->{json}{status}, 'triggered', "$what: triggers");
	is(last_payload(), $payload, "$what: its payload") if defined $payload;
	return;
}

sub is_refused
{
	my ($body, $status, $error, $reason, $what, %options) = @_;
	my $answer = post($node, $options{path} // $open, $body, %options);

	is($answer && $answer->{status}, $status, "$what: $status");
	is($answer && $answer->{json}{error}, $error, "$what: $error");
	like(value("SELECT outcome || ' ' || (payload IS NULL) || ' ' || reason FROM cp_webhook.deliveries ORDER BY id DESC LIMIT 1"),
		qr/^rejected true .*$reason/, "$what: recorded without its body, with the reason");
	return;
}

# ---------------------------------------------------------------------------
note 'forms';

my @form = (type => 'application/x-www-form-urlencoded');

# GitHub signs the bytes of the form.
is_taken('payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%7D', '{"ref": "refs/heads/main"}', 'a form',
	@form, path => $signed,
	headers => [ 'X-Hub-Signature-256', 'sha256=a3ec1fe0bd564ad2a8006d8045549e9afd1b18ef3596f5657aafcd2d7db60c0d' ]);
is(post($node, $signed, 'payload=%7B%22ref%22%3a%22refs%2Fheads%2Fmain%22%7D', @form,
		headers => [ 'X-Hub-Signature-256', 'sha256=a3ec1fe0bd564ad2a8006d8045549e9afd1b18ef3596f5657aafcd2d7db60c0d' ])->{status},
	401, 'other bytes of the same form are not signed');
is_taken('payload={"a":"b+c%2Bd%20e"}', '{"a": "b c+d e"}', 'plus and percent', @form);
is_taken('a=1&payload=[1]&payload=[2]&b', '[1]', 'other fields', @form);
is_taken('payload=%22%F0%9F%8E%89%22', "\"\xf0\x9f\x8e\x89\"", 'an emoji in a form', @form);
is_taken('payload=[1]', '[1]', 'a form with a charset', type => 'Application/X-WWW-Form-urlencoded; charset="UTF-8"');
foreach my $body ('payload=%zz', 'payload=%2', 'payload=%', 'payloads=[1]', 'Payload=[1]', 'x', '[1]', '&&&')
{
	is_refused($body, 400, 'bad_json', 'payload', "the form '$body'", @form);
}
is_refused('', 400, 'bad_json', 'empty', 'an empty form', @form);
is_refused('payload=', 400, 'bad_json', 'invalid', 'an empty field', @form);
is_refused('payload=%22%00%22', 400, 'bad_json', 'NUL', 'a NUL byte in a form', @form);
is_refused('payload=%22%ff%22', 400, 'bad_json', 'UTF-8', 'bad UTF-8 in a form', @form);
is_refused('payload=' . '%5B' x 20, 400, 'bad_json', 'invalid', 'brackets in a form', @form);
is_refused('payload=[' . '%5B%5D,' x 400_000 . '1]', 413, 'body_too_large', 'too many values', 'too many values in a form', @form);

# ---------------------------------------------------------------------------
note 'JSON';

is_taken(qq({"m":"\xf0\x9f\x8e\x89"}), qq({"m": "\xf0\x9f\x8e\x89"}), 'an emoji', path => $signed,
	headers => [ 'X-Hub-Signature-256', 'sha256=f1021ae6af21d16124a5ac3838ff026b6cb424b624141d1252fe85d8bb11f1e7' ]);
is_taken(qq({"\xc3\xa9":"\\u00e9\\ud83c\\udf89"}), qq({"\xc3\xa9": "\xc3\xa9\xf0\x9f\x8e\x89"}), 'escapes');
foreach my $type ('application/json; charset=utf-8', 'application/json;charset="UTF-8"', 'APPLICATION/JSON',
	'application/json; charset=utf8', 'application/vnd.github+json', 'application/cloudevents+json; charset=utf-8')
{
	is_taken('{}', '{}', $type, type => $type);
}
is_taken($_, $_, "the scalar $_") foreach '1', '-0.5', '"x"', 'true', 'null';
is_taken("\t\r\n {}\n", '{}', 'white space around');
is_taken('{"a":1,"a":2}', '{"a": 2}', 'a member twice: the last counts');
is_taken('1' x 10_000, '1' x 10_000, '10,000 digits');
is_taken('{"a":1e3,"b":1E-3}', '{"a": 1000, "b": 0.001}', 'exponents');
is_taken('[' x 1000 . ']' x 1000, undef, '1,000 levels');

foreach my $case (
	[ '{"a":"\u0000"}', 'Unicode', '\u0000' ],
	[ '"\ud800"', '', 'a lone high surrogate' ],
	[ '"\udc00x"', '', 'a lone low surrogate' ],
	[ qq("a\0b"), 'NUL', 'a NUL byte' ],
	[ qq({}\0), 'NUL', 'a NUL byte behind' ],
	[ "\0", 'NUL', 'a NUL byte alone' ],
	[ qq("\xff"), 'UTF-8', 'bad UTF-8' ],
	[ qq("\xed\xa0\x80"), 'UTF-8', 'a surrogate in UTF-8' ],
	[ qq("\xc0\x80"), 'UTF-8', 'an overlong NUL' ],
	[ qq("\xf4\x90\x80\x80"), 'UTF-8', 'beyond U+10FFFF' ],
	[ qq({"a":"\xe2\x82), 'UTF-8', 'half a character' ],
	[ "\xef\xbb\xbf{}", 'at byte 1: it begins with a byte order mark', 'a byte order mark' ],
	[ 'NaN', 'at byte 1$', 'NaN' ],
	[ '[Infinity]', 'at byte 2$', 'Infinity' ],
	[ qq({"\xc3\xa9":\n  tru}), 'at byte 10$', 'a word' ],
	[ '[[1],{"a":"b","c":"\\ud800"}]', 'at byte 19$', 'a surrogate in a string' ],
	[ '"a" x', 'at byte 5$', 'a string, and more' ],
	[ '01', '', 'a leading zero' ],
	[ '+1', '', 'a plus' ],
	[ '1e400000', '', '1e400000' ],
	[ '[1e-400000]', '', '1e-400000' ],
	[ '1e99999999999999999999', '', 'an exponent beyond all' ],
	[ '{"a"}', 'at byte 5$', 'a member without a value' ],
	[ '[1,2', 'at byte 5$', 'an open array' ],
	[ "{'a':1}", '', 'single quotes' ],
	[ '{} {}', '', 'two values' ],
	[ '   ', '', 'white space alone' ],
	[ '', 'empty', 'an empty body' ],
	[ '[' x 400_000, 'nested too deeply', '400,000 brackets' ],
	[ '{"a":' x 200_000, 'nested too deeply', '200,000 objects' ],
	[ '[' x 200_000 . ']' x 200_000, 'nested too deeply', '200,000 levels' ],
	[ '[' x 5_001 . ']' x 5_001, 'nested too deeply', '5,001 levels' ],
	[ '[1,' . '{"a":' x 5_000 . '1' . '}' x 5_000 . ']', 'nested too deeply', '5,001 levels of both kinds' ])
{
	my ($body, $reason, $what) = @$case;

	is_refused($body, 400, 'bad_json', $reason, $what);
}
is_refused(undef, 400, 'bad_json', 'empty', 'chunks of nothing', chunks => []);
is(join(' ', worker_pids($node)), $pids, 'the receivers are the same as before');

# ---------------------------------------------------------------------------
note 'what is stored can be read';

# The frames of a sanitizer are larger.
SKIP:
{
	skip 'the stack is short', 3 if $room > 1;
	foreach my $body ('[' x 5_000 . ']' x 5_000, '{"a":' x 5_000 . '1' . '}' x 5_000, '[' . '[[]],' x 10_000 . '[' x 4_999 . ']' x 5_000)
	{
		is_taken($body, undef, '5,000 levels');
	}
}
is(value(q{SELECT count(payload::text::jsonb) FROM cp_webhook.deliveries}), value(q{SELECT count(payload) FROM cp_webhook.deliveries}),
	'jsonb takes the text of each payload');

# Ten bytes can stand for 131,072 digits: nobody could read or dump what is
# longer than a gigabyte.
my $before = value('SELECT count(*) FROM cp_webhook.executions');
my $longest = value(q{SELECT pg_size_bytes(current_setting('cp_webhook.max_body_size'))});
is_refused('[' . join(',', ('1e131071') x 9_000) . ']', 413, 'body_too_large', 'written out', '9,000 numbers of 131,072 digits');
is_refused('[' . join(',', ('1e-16383') x 60_000) . ']', 413, 'body_too_large', 'written out', '60,000 numbers of 16,385 digits');
is_taken('[' . join(',', ('1e1023') x int($longest / 1024)) . ']', undef, 'as many digits as max_body_size');
is_refused('[' . join(',', ('1e1023') x int($longest / 1024), '1e0') . ']', 413, 'body_too_large', 'written out', 'one more');
is(value('SELECT count(*) FROM cp_webhook.executions'), $before + 1, 'what is refused starts nothing');
cmp_ok(value('SELECT max(length(payload::text)) FROM cp_webhook.deliveries'), '<', 2 * $longest, 'no payload is longer than it may be');
is(join(' ', worker_pids($node)), $pids, 'the receivers are the same as before');

# ---------------------------------------------------------------------------
note 'too many values';

my $max = value('SHOW cp_webhook.max_json_values');

is($max, 500_000, 'the default of max_json_values');
is_refused('[' x (1024 * 1024), 413, 'body_too_large', 'values', '1 MB of [');
is_refused('[' . '[],' x (8 * 1024 * 1024) . '[]]', 413, 'body_too_large', 'values', '24 MB of [],');
is_refused('{' . join(',', map { '"":{}' } 1 .. 300_000) . '}', 413, 'body_too_large', 'values', 'objects');
is_refused(undef, 413, 'body_too_large', 'values', 'in chunks', chunks => [ map { '[[],' x 10_000 } 1 .. 30 ]);

# One "[" and a comma less than there are numbers.
is_taken('[' . '1,' x ($max - 1) . '1]', undef, 'as many values as max_json_values');
is_refused('[' . '1,' x $max . '1]', 413, 'body_too_large', 'values', 'one more');
is_taken('["' . ',[{:' x $max . '"]', undef, 'what stands in a string is no value');
is_taken('["' . '\\",' x $max . '"]', undef, 'not behind an escaped quote either');
is_refused('["\\\\",' . '1,' x $max . '1]', 413, 'body_too_large', 'values', 'an escaped backslash ends a string');
foreach my $filler ('[[],', '[{},', '["",')
{
	is_taken($filler . substr($filler, 1) x ($max / 2 - 2) . '0]', undef, "just below it: $filler ...");
}

# ---------------------------------------------------------------------------
note 'memory';

foreach my $pid (split / /, $pids)
{
	my ($peak) = PostgreSQL::Test::Utils::slurp_file("/proc/$pid/status") =~ /^VmHWM:\s+(\d+) kB/m;

	cmp_ok($peak, '<', 400 * 1024 * $room, "receiver $pid never took 400 MB: " . int($peak / 1024) . ' MB');
}
is(join(' ', worker_pids($node)), $pids, 'the receivers are the same as before');
is(post($node, $open, '{}')->{json}{status}, 'triggered', 'and take deliveries');

# Large bodies one after the other leave nothing behind.
sub resident
{
	my $sum = 0;

	foreach my $pid (split / /, $pids)
	{
		PostgreSQL::Test::Utils::slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m or die;
		$sum += $1;
	}
	return $sum;
}

post($node, $open, '["' . 'x' x 5_000_000 . '"]') foreach 1 .. 4;
$before = resident();
post($node, $open, '["' . 'x' x 5_000_000 . '"]') foreach 1 .. 12;
cmp_ok(resident() - $before, '<', 16 * 1024 * $room, '12 bodies of 5 MB leave less than 16 MB');

# ---------------------------------------------------------------------------
note 'neighbours';

my $first = connect_to($node);
my $pid = worker_of($node, $first);
my @neighbours;
poll('there are connections to the same receiver', sub {
	my $candidate = connect_to($node);

	push @neighbours, $candidate if worker_of($node, $candidate) == $pid;
	return @neighbours == 6;
});
my $lock = $node->background_psql('postgres');

# Sends the bodies to one receiver while it is busy, so that they meet in a batch.
sub answers_of_one_batch
{
	my @bodies = @_;

	$lock->query_safe('BEGIN');
	$lock->query_safe('LOCK cp_webhook.executions IN SHARE MODE');
	$first->send_text(request_text(POST => $open, body => '{}', id => 'first ' . rand));
	ok($node->poll_query_until('postgres', "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $pid"),
		'the receiver is busy');
	foreach my $n (0 .. $#bodies)
	{
		$neighbours[$n]->send_text(request_text(POST => $open, body => $bodies[$n], event => 'batch'));
	}
	# A receiver that waits does not read; what has come is read at once.
	$lock->query_safe('COMMIT');
	is($first->read_answer->{json}{status}, 'triggered', 'until then');
	return map { $_->read_answer } @neighbours[ 0 .. $#bodies ];
}

my @answers = answers_of_one_batch('{"n":1}', '[' x 30_000, '{"n":2}', '{"a":"\u0000"}', '1e400000', '{"n":3}');
is_deeply([ map { $_->{status} } @answers ], [ 200, 400, 200, 400, 400, 200 ], 'bad bodies do not harm those beside them');
is(value("SELECT count(*) || ' in ' || count(DISTINCT xmin::text) FROM cp_webhook.deliveries WHERE event = 'batch'"),
	'6 in 1', 'they were of one transaction');

# ---------------------------------------------------------------------------
note 'small batches';

value("DELETE FROM cp_webhook.deliveries WHERE event = 'batch'");
set_settings($node, max_batch => 2);
@answers = answers_of_one_batch(map { qq({"n":$_}) } 1 .. 6);
is_deeply([ map { $_->{status} } @answers ], [ (200) x 6 ], 'all are taken');
is(value("SELECT count(*) || ' in ' || count(DISTINCT xmin::text) FROM cp_webhook.deliveries WHERE event = 'batch'"),
	'6 in 3', 'max_batch = 2: of three transactions');
set_settings($node, max_batch => undef);

# ---------------------------------------------------------------------------
note 'max_buffered';

set_settings($node, max_buffered => '4MB');
my $large = '["' . 'x' x 3_000_000 . '"]';
my $slow = request_text(POST => $open, body => $large);

$first->send_text(substr $slow, 0, -10);
wait_until_read($first);
my $answer = $neighbours[0]->request(POST => $open, body => $large);
is($answer->{status}, 503, 'a body for which there is no room: 503');
is($answer->{json}{error}, 'unavailable', 'unavailable');
like($answer->{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'with Retry-After');
is($neighbours[1]->request(POST => $open, body => '{}')->{json}{status}, 'triggered', 'a small one is taken');
$first->send_text(substr $slow, -10);
is($first->read_answer->{json}{status}, 'triggered', 'the slow one, too');
is($neighbours[0]->request(POST => $open, body => $large)->{json}{status}, 'triggered', 'then there is room again');
$first->send_text(substr $slow, 0, -10);
wait_until_read($first);
is($neighbours[0]->request(POST => $open, body => $large)->{status}, 503, 'there is no room');
$first->close;
ok( poll('there is room when its sender is gone', sub {
		$neighbours[0]->request(POST => $open, body => $large)->{status} == 200;
	}), 'a sender that goes away leaves its room');
is(join(' ', worker_pids($node)), $pids, 'the receivers are the same as before');
$lock->quit;

done_testing();
