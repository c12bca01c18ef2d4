# 010_answers: what each POST is answered, and what it leaves behind.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha1_hex);
use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Test::More;
use Time::HiRes qw(sleep time);

my $secret = q{It's a "Secret" to Everybody};
my $push = '{"ref":"refs/heads/main","after":"c0ffee"}';
my $node = start_receivers('answers',
	settings => { lock_timeout => '30s', batch_timeout => '30s', rejections_per_minute => 1000 });

create_pipeline($node, 'pipeline', Branch => 'main');
my $path = put_webhook($node, 'push', secret => $secret,
	filters => [ { jsonPath => '$.ref', matchEquals => 'refs/heads/{Branch}' } ]);
my $open = put_webhook($node, 'open');
my $far = put_webhook($node, 'far', range => '192.0.2.0/24');
my $unknown = '/trigger/' . 'A' x 43;
my $listener = listen_for_notifications($node);

sub value
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}

sub rows
{
	return value('SELECT count(*) FROM cp_webhook.deliveries');
}

# The newest delivery, as Perl data.
sub last_delivery
{
	return json_of(value('SELECT to_jsonb(d) FROM cp_webhook.deliveries d ORDER BY id DESC LIMIT 1'));
}

# An answer that is an error has that body, and no other member.
sub is_error
{
	my ($answer, $status, $error, $what) = @_;

	is($answer->{status}, $status, "$what: $status");
	is($answer->{headers}{'content-type'}, 'application/json', "$what: in JSON");
	is_deeply([ sort keys %{ $answer->{json} // {} } ], [ 'error', 'message' ],
		"$what: error and message");
	is($answer->{json}{error}, $error, "$what: $error");
	return;
}

# The newest delivery was rejected with that status; its body is not kept.
sub is_rejected
{
	my ($status, $reason, $what) = @_;
	my $row = last_delivery();

	is($row->{outcome}, 'rejected', "$what: recorded as rejected");
	is($row->{http_status}, $status, "$what: with its status");
	like($row->{reason}, $reason, "$what: with its reason");
	is($row->{payload}, undef, "$what: without its body");
	return;
}

# The framing of a request is wrong. Later versions of libmicrohttpd refuse
# some of it by themselves, in their own words, and then there is no row.
sub is_malformed
{
	my ($answer, $reason, $what) = @_;

	if (!$answer->{json})
	{
		like($answer->{status}, qr/^(400|501)$/, "$what: refused");
		return;
	}
	is_error($answer, 400, 'bad_request', $what);
	is_rejected(400, $reason, $what);
	return;
}

sub count_of
{
	my ($webhook, $counter) = @_;
	return value("SELECT $counter FROM cp_webhook.webhooks WHERE name = '$webhook'");
}

# ---------------------------------------------------------------------------
note 'triggered';

my $answer = post($node, $path, $push, secret => $secret, id => 'first', event => 'push',
	headers => [ 'User-Agent', 'GitHub-Hookshot/1', 'X-Twice', 'a', 'X-Twice', 'b',
		'X-Odd', "caf\xe9 \xe2\x82\xac", 'Authorization', 'Basic aGk6aG8=' ]);
is($answer->{status}, 200, 'triggered: 200');
is($answer->{headers}{'content-type'}, 'application/json', 'triggered: in JSON');
is_deeply([ sort keys %{ $answer->{json} } ], [ 'pipelineExecutionId', 'status' ],
	'triggered: status and execution');
is($answer->{json}{status}, 'triggered', 'triggered');
my $execution = $answer->{json}{pipelineExecutionId};
like($execution, qr/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
	'the execution id is a uuid v7');

my $first = last_delivery();
my $arn = 'arn:aws:codepipeline:us-east-1:000000000000:webhook:push';
is($first->{outcome}, 'triggered', 'the delivery is recorded');
is($first->{webhook}, 'push', 'its webhook');
is($first->{provider_delivery_id}, 'first', 'the id that the sender gave it');
is($first->{event}, 'push', 'its event');
is($first->{http_status}, 200, 'its status');
is($first->{reason}, undef, 'no reason');
is($first->{redelivery_of}, undef, 'not a redelivery');
is($first->{peer_address}, '127.0.0.1', 'where it came from');
is($first->{source_address}, '127.0.0.1', 'the same without a proxy');
is_deeply($first->{payload}, json_of($push), 'its payload');
is_deeply($first->{headers},
	{
		'host' => 'localhost',
		'user-agent' => 'GitHub-Hookshot/1',
		'x-twice' => 'a, b',
		'x-odd' => "caf\x{fffd} \x{20ac}",
		'authorization' => '****',
		'content-type' => 'application/json',
		'content-length' => length($push) . '',
		'x-hub-signature-256' => sign($secret, $push),
		'x-github-delivery' => 'first',
		'x-github-event' => 'push'
	},
	'its headers');
is(value("SELECT received_at = to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)"
		  . " OR abs(extract(epoch FROM received_at) - ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0) < 0.001"
		  . " FROM cp_webhook.deliveries"), 't', 'received_at is the instant in the id');

is_deeply(
	json_of(value("SELECT to_jsonb(e) - ARRAY['created_at', 'updated_at', 'xid', 'era', 'webhook_id'] FROM cp_webhook.executions e")),
	{
		id => $execution, pipeline => 'pipeline', version => 1, action => 'Source',
		trigger_type => 'Webhook', trigger_detail => $arn, delivery => $first->{id},
		status => 'InProgress', attempts => 0, lease_holder => undef, lease_until => undef, nonce => undef, retry_at => undef,
		result => undef, reason => undef, started_at => undef, ended_at => undef,
		client_request_token => undef, request => undef
	},
	'the execution');
is_deeply(
	json_of(value("SELECT jsonb_build_object('id', execution_id, 'status', status, 'pipeline', pipeline, 'webhook', webhook,"
			  . " 'event', event, 'provider', provider_delivery_id, 'headers', headers, 'payload', payload)"
			  . " FROM cp_webhook.trigger_events")),
	{
		id => $execution, status => 'InProgress', pipeline => 'pipeline', webhook => 'push',
		event => 'push', provider => 'first', headers => $first->{headers}, payload => json_of($push)
	},
	'the trigger event');

my ($notification) = take_notifications($listener, 1);
my $received_at = delete $notification->{receivedAt};
is_deeply($notification,
	{
		pipelineExecutionId => $execution, pipelineName => 'pipeline', webhook => 'push',
		event => 'push', deliveryId => $first->{id}
	},
	'the notification has these members');
is(value("SELECT received_at = '$received_at' FROM cp_webhook.deliveries WHERE id = '$first->{id}'"),
	't', 'and the instant');
is(value("SELECT w.last_triggered = d.received_at FROM cp_webhook.webhooks w, cp_webhook.deliveries d"
		  . " WHERE w.name = 'push' AND d.id = '$first->{id}'"), 't', 'last_triggered is exact at once');
my $details = call($node, 'get_pipeline_execution',
	{ pipelineName => 'pipeline', pipelineExecutionId => $execution })->{pipelineExecution};
is($details->{status}, 'InProgress', 'the API shows the execution');
is_deeply($details->{trigger}, { triggerType => 'Webhook', triggerDetail => $arn }, 'and what triggered it');

# ---------------------------------------------------------------------------
note 'duplicate, ignored, pong';

$answer = post($node, $path, $push, secret => $secret, id => 'first', event => 'push');
is($answer->{status}, 200, 'duplicate: 200');
is_deeply($answer->{json}, { status => 'duplicate', pipelineExecutionId => $execution },
	'duplicate: with the execution of the first');
my $row = last_delivery();
is($row->{outcome}, 'duplicate', 'duplicate: recorded');
is($row->{payload}, undef, 'duplicate: without its payload');
is($row->{provider_delivery_id}, 'first', 'duplicate: with its id');

my $other = '{"ref":"refs/heads/other"}';
$answer = post($node, $path, $other, secret => $secret, id => 'second');
is($answer->{status}, 200, 'ignored: 200');
is_deeply($answer->{json}, { status => 'ignored' }, 'ignored: the status alone');
$row = last_delivery();
is($row->{outcome}, 'ignored', 'ignored: recorded');
is($row->{reason}, 'filter 1: $.ref is "refs/heads/other", wanted "refs/heads/main"', 'ignored: why');
is_deeply($row->{payload}, json_of($other), 'ignored: with its payload');

$answer = post($node, $path, '{"zen":"Keep it logically awesome."}', secret => $secret, id => 'third', event => 'ping');
is($answer->{status}, 200, 'pong: 200');
is_deeply($answer->{json}, { status => 'pong' }, 'pong: the status alone');
is(last_delivery()->{outcome}, 'pong', 'pong: recorded');
$answer = post($node, $path, '{}', secret => 'wrong', event => 'ping');
is_error($answer, 401, 'bad_signature', 'a ping is authenticated');

is(value('SELECT count(*) FROM cp_webhook.executions'), 1, 'of these only the first started an execution');
is(count_notifications($listener), 0, 'and notified');

# ---------------------------------------------------------------------------
note 'no such URL: 404, the body unread';

my $before = rows();
foreach my $case ([ 'an unknown token', $unknown ], [ 'no token', '/trigger/' ], [ 'a longer path', "$path/" ],
	[ 'the prefix in capitals', $path =~ s/trigger/Trigger/r ], [ 'another path', '/' ],
	[ 'an encoded token', $path =~ s{^/trigger/(.)}{sprintf '/trigger/%%%02x', ord $1}er ])
{
	my $connection = connect_to($node);
	my ($what, $where) = @$case;

	# The body never comes: it must not be waited for.
	$connection->send_text("POST $where HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n");
	is_error($connection->read_answer, 404, 'not_found', $what);
	is($connection->wait_for_end, '', "$what: the connection ends");
}
is_error(post($node, $unknown, 'x' x 3_000_000), 404, 'not_found', 'an answer before a large body was sent');
my $connection = connect_to($node);
is_error($connection->request(GET => $unknown), 404, 'not_found', 'GET of an unknown URL');
is_error($connection->request(POST => $unknown, headers => [ 'Content-Length', 0 ]), 404, 'not_found', 'an empty POST there');
is($connection->request(GET => '/healthz')->{status}, 200, 'the connection goes on where no body came');
$connection = connect_to($node);
$connection->send_text("POST $unknown HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n");
is_error($connection->read_answer, 404, 'not_found', 'Expect: 100-continue on an unknown URL');
ok(!$connection->{continued}, 'it is not asked for the body');

# ---------------------------------------------------------------------------
note 'other methods: 405';

foreach my $method (qw(GET PUT DELETE PATCH OPTIONS))
{
	my $refused = connect_to($node)->request($method => $path);

	is_error($refused, 405, 'method_not_allowed', $method);
	is($refused->{headers}{allow}, 'POST', "$method: Allow");
}
$connection = connect_to($node);
$connection->send_text("HEAD $path HTTP/1.1\r\nHost: x\r\n\r\n");
is($connection->read_answer(no_body => 1)->{status}, 405, 'HEAD: 405');
is($connection->request(GET => '/healthz')->{status}, 200, 'HEAD: no body');
$answer = post($node, '/healthz', '{}');
is_error($answer, 405, 'method_not_allowed', 'POST /healthz');
is($answer->{headers}{allow}, 'GET, HEAD', 'POST /healthz: Allow');
is(rows(), $before, 'neither 404 nor 405 is recorded');

$answer = connect_to($node)->request(GET => '/healthz');
is($answer->{status}, 200, 'healthz');
is_deeply($answer->{json}, { status => 'ok' }, 'healthz: its body');
$connection = connect_to($node);
$connection->send_text("HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
is($connection->read_answer(no_body => 1)->{status}, 200, 'HEAD /healthz');

# ---------------------------------------------------------------------------
note 'signatures: 401';

my $right = sign($secret, $push);
my $sha1 = 'sha1=' . hmac_sha1_hex($push, $secret);
foreach my $case (
	[ 'no signature' ],
	[ 'an empty one', 'X-Hub-Signature-256', '' ],
	[ 'of another secret', 'X-Hub-Signature-256', sign('other', $push) ],
	[ 'of another body', 'X-Hub-Signature-256', sign($secret, "$push ") ],
	[ 'without its prefix', 'X-Hub-Signature-256', $right =~ s/sha256=//r ],
	[ 'cut short', 'X-Hub-Signature-256', substr($right, 0, -2) ],
	[ 'with more behind', 'X-Hub-Signature-256', $right . '00' ],
	[ 'twice', 'X-Hub-Signature-256', $right, 'X-Hub-Signature-256', $right ],
	[ 'wrong first', 'X-Hub-Signature-256', sign('other', $push), 'X-Hub-Signature-256', $right ],
	[ 'a wrong SHA-1', 'X-Hub-Signature', 'sha1=' . hmac_sha1_hex($push, 'other') ],
	[ 'SHA-1 beside a wrong SHA-256', 'X-Hub-Signature', $sha1, 'X-Hub-Signature-256', sign('other', $push) ],
	[ 'SHA-1 beside an empty SHA-256', 'X-Hub-Signature', $sha1, 'X-Hub-Signature-256', '' ],
	[ 'SHA-1 in the place of SHA-256', 'X-Hub-Signature-256', $sha1 ])
{
	my ($what, @headers) = @$case;

	is_error(post($node, $path, $push, headers => \@headers), 401, 'bad_signature', $what);
	is_rejected(401, qr/ignature/, $what);
}
is(post($node, $path, $push, headers => [ 'X-Hub-Signature', $sha1 ])->{json}{status},
	'triggered', 'SHA-1 alone is taken');
is(post($node, $path, $push, headers => [ 'X-Hub-Signature', 'sha1=' . '0' x 40 ], secret => $secret)->{json}{status},
	'triggered', 'beside a right SHA-256 the SHA-1 does not count');
is(post($node, $path, $push, headers => [ 'X-HUB-SIGNATURE-256', 'sha256=' . uc(substr $right, 7) ])->{json}{status},
	'triggered', 'a name in capitals, upper-case digits');

# What is refused at its headers needs no body either.
$connection = connect_to($node);
$connection->send_text("POST $path HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n");
is_error($connection->read_answer, 401, 'bad_signature', 'without a signature the body is not waited for');

# ---------------------------------------------------------------------------
note 'addresses, JSON, media types';

is_error(post($node, $far, $push), 403, 'address_denied', 'an address out of range');
is_rejected(403, qr/AllowedIPRange/, 'an address out of range');
foreach my $body ('', '{', "{'a':1}", '[1,]', 'nonsense', "\xff", '{"a":1}{"b":2}')
{
	is_error(post($node, $path, $body, secret => $secret), 400, 'bad_json', "'$body'");
	is_rejected(400, qr/./, "'$body'");
}
foreach my $type ('text/plain', 'multipart/form-data; boundary=x', 'application/json; charset=latin1', 'json', undef)
{
	my $what = $type // 'no Content-Type';

	is_error(post($node, $path, $push, type => $type, secret => $secret), 415, 'unsupported_media_type', $what);
	is_rejected(415, qr/Content-Type/, $what);
}
is_error(post($node, $path, $push, secret => $secret, headers => [ 'Content-Type', 'application/json' ]),
	415, 'unsupported_media_type', 'Content-Type twice');
foreach my $coding ('gzip', 'Deflate', 'br')
{
	is_error(post($node, $path, $push, secret => $secret, headers => [ 'Content-Encoding', $coding ]),
		415, 'unsupported_media_type', "Content-Encoding: $coding");
	is_rejected(415, qr/compressed/, "Content-Encoding: $coding");
}
is(post($node, $path, $push, secret => $secret, headers => [ 'Content-Encoding', 'identity' ])->{status}, 200, 'Content-Encoding: identity');
foreach my $query ('?a=%00', '?%00=b', '?a=b&c=d%00e')
{
	is_error(post($node, "$path$query", $push, secret => $secret), 400, 'bad_request', "a NUL in the query: $query");
	is_rejected(400, qr/the query contains a NUL byte/, "a NUL in the query: $query");
}
is(post($node, "$path?a=%0&b=%250", $push, secret => $secret)->{status}, 200, 'no NUL in the query');

# White space around a value is no part of it.
is(post($node, $path, $push, headers => [ 'X-Hub-Signature-256', '  ' . sign($secret, $push) . " \t " ])->{status}, 200,
	'a signature with blanks around it');
is(post($node, $path, $push, secret => $secret, id => 'blanks')->{json}{status}, 'triggered', 'an id');
is(post($node, $path, $push, secret => $secret, id => "blanks \t")->{json}{status}, 'duplicate', 'and the same with blanks behind it');

# ---------------------------------------------------------------------------
note 'malformed requests: 400';

foreach my $coding ('gzip', 'gzip, chunked', 'identity', 'xchunked')
{
	$connection = connect_to($node);
	$connection->send_text("POST $open HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		  . "Transfer-Encoding: $coding\r\n\r\n2\r\n{}\r\n0\r\n\r\n");
	is_malformed($connection->read_answer, qr/Transfer-Encoding/, "Transfer-Encoding: $coding");
	is($connection->wait_for_end, '', "Transfer-Encoding: $coding: the connection ends");
}
foreach my $headers ("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
	"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")
{
	$connection = connect_to($node);
	$connection->send_text("POST $open HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n$headers\r\n"
		  . "2\r\n{}\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
	is_malformed($connection->read_answer, qr/Transfer-Encoding/, $headers =~ s/\r\n/ /gr);
	is($connection->wait_for_end, '', 'what follows is not read');
}
foreach my $length ('-1', '+2', '0x2', '2, 2', '99999999999999999999', 'two')
{
	$connection = connect_to($node);
	$connection->send_text("POST $open HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: $length\r\n\r\n{}");
	$answer = $connection->read_answer;
	ok(!$answer || $answer->{status} == 400 || $answer->{status} == 413, "Content-Length: $length is refused");
	$connection->wait_for_end;
	is(value("SELECT count(*) FROM cp_webhook.deliveries WHERE outcome <> 'rejected' AND webhook = 'open'"), 0,
		"Content-Length: $length triggers nothing");
}
foreach my $second (3, 2)
{
	$connection = connect_to($node);
	$connection->send_text("POST $open HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		  . "Content-Length: 2\r\nContent-Length: $second\r\n\r\n{} ");
	is_malformed($connection->read_answer, qr/Content-Length/, "lengths 2 and $second");
	is($connection->wait_for_end, '', 'the connection ends');
}
is(value("SELECT count(*) FROM cp_webhook.executions e JOIN cp_webhook.deliveries d ON d.id = e.delivery WHERE d.webhook = 'open'"),
	0, 'none of these triggered');

# libmicrohttpd cuts a header at a NUL byte before we see it.
$connection = connect_to($node);
$connection->send_text("POST $open HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Nul: a\0b\r\nContent-Length: 2\r\n\r\n{}");
$answer = $connection->read_answer;
ok(!$answer || $answer->{status} == 400
	  || value("SELECT headers ->> 'x-nul' FROM cp_webhook.deliveries ORDER BY id DESC LIMIT 1") eq 'a',
	'a NUL byte in a header is refused, or ends it');

# ---------------------------------------------------------------------------
note 'how a body may come';

is(post($node, $path, undef, chunks => [ $push ], secret => $secret)->{json}{status}, 'triggered', 'chunked');
is(post($node, $path, undef, chunks => [ split //, $push ], secret => $secret)->{json}{status}, 'triggered', 'a byte a chunk');
$connection = connect_to($node);
foreach my $byte (split //, request_text(POST => $path, body => $push, secret => $secret))
{
	$connection->send_text($byte);
}
is($connection->read_answer->{json}{status}, 'triggered', 'a byte a packet');
$connection = connect_to($node);
my $text = request_text(POST => $path, body => $push, secret => $secret, headers => [ 'Expect', '100-continue' ]);
my ($head, $body) = $text =~ /^(.*?\r\n\r\n)(.*)$/s;
$connection->send_text($head);
ok($connection->is_readable($CpWebhook::timeout), 'Expect: 100-continue is answered');
$connection->send_text($body);
is($connection->read_answer->{json}{status}, 'triggered', 'and the request goes on');
is($connection->{continued}, 1, 'after one 100 Continue');

$connection = connect_to($node);
$connection->send_text(join '', map { request_text(POST => $path, body => $push, secret => $secret, id => $_) }
	  'pipelined-1', 'pipelined-2', 'pipelined-1');
my @answers = map { $connection->read_answer->{json} } 1 .. 3;
is_deeply([ map { $_->{status} } @answers ], [ 'triggered', 'triggered', 'duplicate' ], 'pipelined requests are answered in order');
is($answers[2]{pipelineExecutionId}, $answers[0]{pipelineExecutionId}, 'a pipelined duplicate');
$connection = connect_to($node);
$connection->send_text(request_text(POST => $path, body => $push, secret => $secret) =~ s{HTTP/1\.1}{HTTP/1.0}r);
is($connection->read_answer->{json}{status}, 'triggered', 'HTTP/1.0');
is($connection->wait_for_end, '', 'HTTP/1.0: the connection ends');
$connection = connect_to($node);
is($connection->request(POST => $path, body => $push, secret => $secret, headers => [ 'Connection', 'close' ])->{json}{status},
	'triggered', 'Connection: close');
is($connection->wait_for_end, '', 'Connection: close: it ends');
$connection = connect_to($node);
$connection->send_text(request_text(POST => $path, body => $push, secret => $secret));
$connection->finish_sending;
is($connection->read_answer->{json}{status}, 'triggered', 'a client that has shut down its side gets the answer');

# A client that is gone before its answer.
$connection = connect_to($node);
$connection->send_text(request_text(POST => $path, body => $push, secret => $secret));
$connection->close;
my $gone = connect_to($node);
$gone->send_text(substr request_text(POST => $path, body => $push, secret => $secret), 0, -5);
$gone->close;
is(connect_to($node)->request(GET => '/healthz')->{status}, 200, 'a client that goes away harms nobody');

# ---------------------------------------------------------------------------
note 'the same id at once';

# On two receivers: both have looked the key up before either stores it.
my $lock = $node->background_psql('postgres');
my @connections = connect_to_each($node);
is(scalar @connections, 2, 'a connection to each receiver');
$lock->query_safe('BEGIN');
$lock->query_safe('LOCK cp_webhook.delivery_keys IN SHARE MODE');
$before = value('SELECT count(*) FROM cp_webhook.executions');
$_->send_text(request_text(POST => $path, body => $push, secret => $secret, id => 'at-once')) foreach @connections;
ok($node->poll_query_until('postgres',
		"SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type = 'cp_webhook receiver' AND wait_event_type = 'Lock'"),
	'both receivers are about to store the key');
$lock->query_safe('COMMIT');
@answers = sort { $b->{status} cmp $a->{status} } map { $_->read_answer->{json} } @connections;
is_deeply([ map { $_->{status} } @answers ], [ 'triggered', 'duplicate' ], 'one triggers, the other is a duplicate');
is($answers[0]{pipelineExecutionId}, $answers[1]{pipelineExecutionId}, 'both have the same execution');
is(value('SELECT count(*) FROM cp_webhook.executions') - $before, 1, 'there is one execution');

# In one batch of one receiver.
my $blocker = $connections[0];
my $pid = worker_of($node, $blocker);
my @batch;
poll('there are connections to the same receiver', sub {
	my $candidate = connect_to($node);

	push @batch, $candidate if worker_of($node, $candidate) == $pid;
	return @batch == 3;
});
$before = value('SELECT count(*) FROM cp_webhook.executions');
$lock->query_safe('BEGIN');
$lock->query_safe('LOCK cp_webhook.delivery_keys IN SHARE MODE');
$blocker->send_text(request_text(POST => $path, body => $push, secret => $secret, id => 'blocker'));
ok($node->poll_query_until('postgres', "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $pid"),
	'a receiver is kept busy');
$batch[$_]->send_text(request_text(POST => $path, body => qq({"ref":"refs/heads/main","n":$_}), secret => $secret, id => 'same-batch'))
  foreach 0 .. 2;
$lock->query_safe('COMMIT');
is($blocker->read_answer->{json}{status}, 'triggered', 'the one that kept it busy');
@answers = map { $_->read_answer->{json} } @batch;
is_deeply([ sort map { $_->{status} } @answers ], [ 'duplicate', 'duplicate', 'triggered' ], 'one of three triggers');
is(scalar(keys %{ { map { $_->{pipelineExecutionId} => 1 } @answers } }), 1, 'all have the same execution');
is(value("SELECT count(*) || ' in ' || count(DISTINCT xmin::text) FROM cp_webhook.deliveries WHERE provider_delivery_id = 'same-batch'"),
	'3 in 1', 'they were of one transaction');
is(value("SELECT string_agg(outcome, ' ' ORDER BY id) FROM cp_webhook.deliveries WHERE provider_delivery_id = 'same-batch'"),
	'triggered duplicate duplicate', 'the first of them triggered');
is(value("SELECT payload IS NULL FROM cp_webhook.deliveries WHERE provider_delivery_id = 'same-batch' AND outcome = 'duplicate' LIMIT 1"),
	't', 'a duplicate keeps no payload');
is(value('SELECT count(*) FROM cp_webhook.executions') - $before, 2, 'there are two executions');
$lock->quit;

# ---------------------------------------------------------------------------
note 'counters';

foreach my $outcome (qw(triggered ignored duplicate rejected pong))
{
	my $recorded = value("SELECT count(*) FROM cp_webhook.deliveries WHERE webhook = 'push' AND outcome = '$outcome'");

	cmp_ok($recorded, '>', 0, "there were $outcome ones");
	ok($node->poll_query_until('postgres', "SELECT $outcome = $recorded FROM cp_webhook.webhooks WHERE name = 'push'"),
		"and the view counts them: $recorded $outcome");
}
is(value("SELECT last_triggered = (SELECT max(received_at) FROM cp_webhook.deliveries WHERE webhook = 'push' AND outcome = 'triggered')"
		  . " FROM cp_webhook.webhooks WHERE name = 'push'"), 't', 'last_triggered is exact with counters, too');
is(value('SELECT count(*) FROM cp_webhook.executions'),
	value("SELECT count(*) FROM cp_webhook.deliveries WHERE outcome = 'triggered'"), 'as many executions as triggered deliveries');
my $events = value('SELECT count(*) FROM cp_webhook.executions');
is(scalar(@{ [ take_notifications($listener, $events - 1) ] }), $events - 1, 'each of them has notified once');
is(count_notifications($listener), 0, 'and not more');
$listener->quit;

done_testing();
