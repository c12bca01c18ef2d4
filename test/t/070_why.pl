# 070_why: a dry run says what a real POST meets, outcome and reason, and so
# does one of the delivery that was recorded; each mistake of a signature is
# named in both; a back-test counts what a definition would change.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha1_hex hmac_sha256 hmac_sha256_hex sha256_hex);
use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_receivers('why', settings => {
	rejections_per_minute => 1000, max_body_size => '4MB', max_json_values => 200_000, max_header_size => '16kB' });
my $secret = 'a secret';

create_pipeline($node, 'pipeline', Branch => 'main', OAuthToken => 'CANARY-token');

sub value
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}

sub last_row
{
	return json_of(value('SELECT to_jsonb(d) FROM cp_webhook.deliveries d ORDER BY id DESC LIMIT 1'));
}

# The headers of request_text(), as a request of test_webhook has them: of a
# name that comes twice the second is written in capitals.
sub headers_of
{
	my ($text) = @_;
	my ($head) = $text =~ /^(.*?)\r\n\r\n/s;
	my %headers;

	foreach my $line (split /\r\n/, $head =~ s/^.*?\r\n//r)
	{
		my ($name, $text) = split /: ?/, $line, 2;

		$name = uc $name if exists $headers{$name};
		$headers{$name} = $text;
	}
	return \%headers;
}

# Posts it, then tries it, then tries what was recorded: all three say the same.
# Returns the row and the dry run.
sub compare
{
	my ($what, $webhook, $path, $body, %options) = @_;
	my $answer = post($node, $path . ($options{query} // ''), $body, %options);
	my $row = last_row();
	my $text = $body;
	utf8::decode($text);
	my $tried = call($node, 'test_webhook', {
		name => $webhook, body => $text, sourceAddress => '127.0.0.1',
		headers => headers_of(request_text(POST => $path, body => $body, %options)),
		defined $options{query} ? (query => $options{query}) : () });
	my $first = $row->{outcome} eq 'triggered' && defined $row->{provider_delivery_id};

	# By then its id has triggered.
	is($tried->{outcome}, $first ? 'duplicate' : $row->{outcome}, "$what: the outcome is $row->{outcome}");
	is($tried->{reason}, $row->{reason}, "$what: the reason is that of a real POST");
	is($tried->{httpStatus}, $row->{http_status}, "$what: so is the status");
	is($answer->{status}, $row->{http_status}, "$what: it was answered so");

	my $again = call($node, 'test_webhook', {
		deliveryId => $row->{id}, defined $options{query} ? (query => $options{query}) : () });
	is($again->{outcome}, $row->{outcome}, "$what: the recorded one has the outcome again");
	is($again->{reason}, $row->{reason}, "$what: and the reason") if $row->{outcome} ne 'duplicate';
	return ($row, $tried);
}

sub step
{
	my ($dry_run, $name) = @_;
	my ($step) = grep { $_->{step} eq $name } @{ $dry_run->{steps} };

	return $step;
}

# The most memory that a process has had.
sub peak_kb
{
	my ($pid) = @_;
	my ($peak) = slurp_file("/proc/$pid/status") =~ /^VmHWM:\s+(\d+) kB$/m;

	return $peak;
}

# ---------------------------------------------------------------------------
note 'signatures';

my $body = '{"ref":"refs/heads/main"}';
my $hook = put_webhook($node, 'signed', secret => $secret, filters => [ { jsonPath => '$.ref', matchEquals => 'refs/heads/{Branch}' } ]);
my $hmac = hmac_sha256_hex($body, $secret);
my $not_this = qr/is not the signature of this body with the webhook's secret/;
my $no_form = qr/X-Hub-Signature-256 is not "sha256=" and 64 hex digits/;
my $none = qr/There is no X-Hub-Signature-256 header, or an empty one/;

compare('a right one', 'signed', $hook, $body, secret => $secret);
compare('a right one of SHA-1', 'signed', $hook, $body, headers => [ 'X-Hub-Signature', 'sha1=' . hmac_sha1_hex($body, $secret) ]);
compare('hex in capitals', 'signed', $hook, $body, headers => [ 'X-Hub-Signature-256', 'sha256=' . uc $hmac ]);

foreach my $case (
	# what, headers, the reason; or with a body of its own and more options
	[ 'another secret', [ 'X-Hub-Signature-256', sign('another', $body) ], qr/^X-Hub.*$not_this$/ ],
	[ 'the prefix missing', [ 'X-Hub-Signature-256', $hmac ], qr/$no_form.*; the prefix "sha256=" is missing$/ ],
	[ 'the prefix in capitals', [ 'X-Hub-Signature-256', "SHA256=$hmac" ], qr/$no_form.*; .*small letters$/ ],
	[ 'SHA-1 where SHA-256 is wanted', [ 'X-Hub-Signature-256', 'sha1=' . hmac_sha1_hex($body, $secret) ], qr/$no_form.*; this is a SHA-1 signature/ ],
	[ 'SHA-1 behind sha256=', [ 'X-Hub-Signature-256', 'sha256=' . hmac_sha1_hex($body, $secret) ], qr/$no_form.*; 40 hex digits are a SHA-1/ ],
	[ 'SHA-256 where SHA-1 is wanted', [ 'X-Hub-Signature', "sha256=$hmac" ], qr/$no_form.*; .*as Bitbucket sends it/ ],
	[ 'base64', [ 'X-Hub-Signature-256', 'sha256=' . encode_base64(hmac_sha256($body, $secret), '') ], qr/$no_form.*; the signature is in base64/ ],
	[ 'odd text', [ 'X-Hub-Signature-256', 'sha256=what' ], qr/^$no_form, or X-Hub-Signature not "sha1=" and 40$/ ],
	[ 'twice', [ 'X-Hub-Signature-256', "sha256=$hmac", 'X-Hub-Signature-256', "sha256=$hmac" ], qr/^The signature header came more than once$/, undef, undef, 'skip' ],
	[ 'no header', [], qr/^$none: set the webhook's secret at the sender$/ ],
	[ 'an empty one', [ 'X-Hub-Signature-256', '' ], qr/$none.*; the header is there, but empty/ ],
	[ 'GitLab', [ 'X-Gitlab-Token', 'CANARY-gitlab' ], qr/$none.*; there is an X-Gitlab-Token, as GitLab/ ],
	[ 'Stripe', [ 'Stripe-Signature', "t=1,v1=$hmac" ], qr/$none.*; there is a Stripe-Signature/ ],
	[ 'another name', [ 'X-Signature', $hmac ], qr/$none.*; there is an X-Signature, and the header is called X-Hub-Signature-256$/ ],
	[ 'signed without the final newline', [ 'X-Hub-Signature-256', "sha256=$hmac" ], qr/$not_this; it is that of the body without its final newline/, "$body\n" ],
	[ 'signed with one', [ 'X-Hub-Signature-256', sign($secret, "$body\n") ], qr/$not_this; it is that of the body with a newline behind it/ ],
	[ 'an empty body was signed', [ 'X-Hub-Signature-256', sign($secret, '') ], qr/$not_this; it is that of an empty body/ ],
	[ 'the secret with a newline', [ 'X-Hub-Signature-256', sign("$secret\n", $body) ], qr/$not_this; it is that of the secret with a newline behind it/ ],
	[ 'no secret', [ 'X-Hub-Signature-256', sign('', $body) ], qr/$not_this; it is that of an empty secret/ ],
	[ 'a plain hash', [ 'X-Hub-Signature-256', 'sha256=' . sha256_hex($body) ], qr/$not_this; it is a plain hash of the body/ ],
	[ 'a form signed as JSON', [ 'X-Hub-Signature-256', "sha256=$hmac" ], qr/$not_this; it is that of the JSON in the form's payload/,
		'payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%7D', 'application/x-www-form-urlencoded' ])
{
	my ($what, $headers, $reason, $other_body, $type) = @$case;
	my ($row) = compare($what, 'signed', $hook, $other_body // $body, headers => $headers, defined $type ? (type => $type) : ());

	is($row->{outcome}, 'rejected', "$what: it is rejected");
	is($row->{http_status}, 401, "$what: 401");
	like($row->{reason}, $reason, "$what: the reason names it");
	is($row->{payload}, undef, "$what: without its body");
}
my $spaced = put_webhook($node, 'spaced', secret => " $secret\t");
my ($row) = compare('a secret with white space', 'spaced', $spaced, $body, secret => $secret);
like($row->{reason}, qr/; it is that of the secret without the white space around it/, 'white space around the stored secret');
unlike(post($node, $spaced, $body, secret => $secret)->{body}, qr/white space/, 'the answer to the sender says nothing of it');

# What explaining costs is bounded: not of each size.
my $large = '"' . 'x' x 1_000_000 . '"';
post($node, $hook, "$large\n", secret => undef, headers => [ 'X-Hub-Signature-256', sign($secret, $large) ]);
like(last_row()->{reason}, qr/without its final newline/, 'a body of 1 MB is looked into');
$large = '"' . 'x' x 2_200_000 . '"';
post($node, $hook, "$large\n", headers => [ 'X-Hub-Signature-256', sign($secret, $large) ]);
like(last_row()->{reason}, qr/$not_this$/, 'one of more than 2 MB is not');

# ---------------------------------------------------------------------------
note 'what else happens to a POST';

my $open = put_webhook($node, 'open', filters => [
	{ jsonPath => '$.ref', matchEquals => 'refs/heads/{Branch}' }, { jsonPath => '$.n', matchEquals => '1' } ]);
my $query = put_webhook($node, 'query', filters => [ { jsonPath => '$query.env', matchEquals => 'prod' } ]);
my $event = put_webhook($node, 'event', filters => [ { jsonPath => '$headers."x-github-event"', matchEquals => 'push' } ]);
my $inside = put_webhook($node, 'inside', range => '127.0.0.0/8');
my $outside = put_webhook($node, 'outside', range => '192.0.2.0/24');
my $token = put_webhook($node, 'token', filters => [ { jsonPath => '$.token', matchEquals => '{Branch}-{OAuthToken}' } ]);

foreach my $case (
	[ 'all pass', 'open', $open, '{"ref":"refs/heads/main","n":1}', 'triggered' ],
	[ 'with an id', 'open', $open, '{"ref":"refs/heads/main","n":1}', 'triggered', id => 'one' ],
	[ 'the id again', 'open', $open, '{"ref":"refs/heads/main","n":1}', 'duplicate', id => 'one' ],
	[ 'the first does not', 'open', $open, '{"ref":"refs/heads/x","n":2}', 'ignored' ],
	[ 'the second does not', 'open', $open, '{"ref":"refs/heads/main","n":2}', 'ignored' ],
	[ 'nothing there', 'open', $open, '{}', 'ignored' ],
	[ 'several values', 'open', $open, '{"ref":["a","b\n","c","d","e"]}', 'ignored' ],
	[ 'a form', 'open', $open, 'payload=%7B%22n%22%3A1%7D', 'ignored', type => 'application/x-www-form-urlencoded' ],
	[ 'a form without payload', 'open', $open, 'a=b', 'rejected', type => 'application/x-www-form-urlencoded' ],
	[ 'a ping', 'open', $open, '{}', 'pong', event => 'ping' ],
	[ 'no JSON', 'open', $open, '{', 'rejected' ],
	[ 'an empty body', 'open', $open, '', 'rejected' ],
	[ 'a hostile body', 'open', $open, '[' x 100_000, 'rejected' ],
	[ 'many values', 'open', $open, '[' . '1,' x 210_000 . '1]', 'rejected' ],
	[ 'a form of many values', 'open', $open, 'payload=[' . '1,' x 210_000 . '1]', 'rejected', type => 'application/x-www-form-urlencoded' ],
	[ 'a large body', 'open', $open, '"' . 'x' x 4_300_000 . '"', 'rejected' ],
	[ 'large headers', 'open', $open, '{}', 'rejected', headers => [ 'X-Large', 'x' x 17_000 ] ],
	[ 'another type', 'open', $open, '{}', 'rejected', type => 'text/plain' ],
	[ 'another charset', 'open', $open, '{}', 'rejected', type => 'application/json; charset=latin1' ],
	[ 'no type', 'open', $open, '{}', 'rejected', type => undef ],
	[ 'a long id', 'open', $open, '{}', 'rejected', id => 'x' x 256 ],
	[ 'a number that jsonb cannot hold', 'open', $open, '{"n":1e999999}', 'rejected' ],
	[ 'a NUL', 'open', $open, '{"n":"\\u0000"}', 'rejected' ],
	[ '$query', 'query', $query, '{}', 'triggered', query => '?env=prod' ],
	[ '$query that differs', 'query', $query, '{}', 'ignored', query => '?env=test' ],
	[ '$headers', 'event', $event, '{}', 'triggered', event => 'push' ],
	[ '$headers that differ', 'event', $event, '{}', 'ignored', event => 'star' ],
	[ 'the address is right', 'inside', $inside, '{}', 'triggered' ],
	[ 'the address is not', 'outside', $outside, '{}', 'rejected' ],
	[ 'a secret is wanted', 'token', $token, '{"token":"CANARY-guess"}', 'ignored' ],
	[ 'a secret is found', 'token', $token, '{"token":"main-CANARY-token"}', 'triggered' ])
{
	my ($what, $webhook, $path, $text, $outcome, %options) = @$case;
	my ($stored, $tried) = compare($what, $webhook, $path, $text, %options);

	is($stored->{outcome}, $outcome, "$what: $outcome");
	unlike(JSON::PP->new->encode($tried), qr/CANARY/, "$what: no secret is shown") if $webhook eq 'token';
}
is(value("SELECT reason FROM cp_webhook.deliveries WHERE webhook = 'token' AND outcome = 'ignored'"),
	'filter 1: $.token is "****", wanted "main-****"', 'beside a secret what was found is not shown');
is(value(q{SELECT reason FROM cp_webhook.deliveries WHERE payload -> 'ref' ->> 1 = E'b\n'}),
	'filter 1: $.ref is an object or array, wanted "refs/heads/main"', 'an array equals nothing');

# What is wrong with the pipeline.
update_pipeline($node, 'pipeline', OAuthToken => 'CANARY-token');
($row) = compare('a placeholder without a value', 'open', $open, '{"ref":"x"}');
is($row->{reason}, 'filter 1: action "Source" has no configuration "Branch"', 'it says which');
my $tried = call($node, 'test_webhook', { name => 'open', body => { ref => 'x', n => 1 } });
is(step($tried, 'target')->{verdict}, 'failed', 'the target fails');
is_deeply([ map { $_->{verdict} } grep { $_->{step} eq 'filter' } @{ $tried->{steps} } ], [ 'failed', 'passed' ], 'and the filter, but not the other');
update_pipeline($node, 'pipeline', Branch => 'main', OAuthToken => 'CANARY-token');

# A step that failed does not hide the others.
$tried = call($node, 'test_webhook', { name => 'signed', body => '{"ref":"refs/heads/x"}', headers => {} });
is_deeply([ map { "$_->{step} $_->{verdict}" } @{ $tried->{steps} } ],
	[ 'limits passed', 'authentication failed', 'mediaType failed', 'deduplication passed', 'parse passed', 'target passed', 'filter failed' ],
	'all steps are told');

# It stores nothing.
my $before = value('SELECT (SELECT count(*) FROM cp_webhook.deliveries), (SELECT count(*) FROM cp_webhook.executions), (SELECT count(*) FROM cp_webhook.delivery_keys)');
call($node, 'test_webhook', { name => 'open', body => '{"ref":"refs/heads/main","n":1}', headers => { 'content-type' => 'application/json', 'x-github-delivery' => 'new' } });
is(value('SELECT (SELECT count(*) FROM cp_webhook.deliveries), (SELECT count(*) FROM cp_webhook.executions), (SELECT count(*) FROM cp_webhook.delivery_keys)'),
	$before, 'nothing is stored');
is($node->safe_psql('postgres', q{BEGIN READ ONLY; SELECT cp_webhook.test_webhook('{"name":"open","body":{}}') ->> 'outcome'; COMMIT}),
	'ignored', 'it runs in a transaction that is read-only');

# An address behind a proxy is judged as the receivers judge it.
is(call($node, 'test_webhook', { name => 'outside', body => {}, sourceAddress => '192.0.2.7' })->{outcome}, 'triggered', 'another address');
is(call($node, 'test_webhook', { name => 'outside', body => {}, sourceAddress => '2001:db8::1' })->{outcome}, 'rejected', 'one of IPv6');
is(step(call($node, 'test_webhook', { name => 'outside', body => {} }), 'authentication')->{verdict}, 'skipped', 'without an address it is skipped');

# A filter that takes longer than a receiver gives it.
set_settings($node, filter_timeout => '1ms');
$tried = call($node, 'test_webhook', { definition => webhook_request('slow',
	filters => [ { jsonPath => '$.a[*] ? (@ == $.a[*] && @ < 0)' } ])->{webhook}, body => { a => [ 1 .. 2000 ] } });
like($tried->{warnings}[0], qr/^parsing and filtering took \d+ ms here, .*cp_webhook.filter_timeout, 1 ms$/, 'a slow filter is told of');
set_settings($node, filter_timeout => undef);

# ---------------------------------------------------------------------------
note 'back-tests';

my $past = put_webhook($node, 'past', secret => $secret, filters => [ { jsonPath => '$.n', matchEquals => '1' } ]);
foreach my $n (1, 1, 1, 2, 2, 3)
{
	post($node, $past, qq({"n":$n,"a":[) . join(',', 1 .. 300) . '],"large":"' . 'x' x 500_000 . '"}', secret => $secret);
}
post($node, $past, '{"n":1}', secret => $secret, id => 'past') for (1, 2);
post($node, $past, '{"n":2}', secret => 'wrong');
post($node, $past, '{}', secret => $secret, event => 'ping');
my $definition = webhook_request('past', secret => '****', filters => [ { jsonPath => '$.n', matchEquals => '2' } ])->{webhook};
my $tested = call($node, 'test_webhook', { definition => $definition, since => '1 hour' });
is($tested->{judged}, 8, 'what has a payload is judged');
is($tested->{newlyFires}{count}, 2, 'two fire that did not');
is($tested->{newlyFires}{examples}[0]{reason}, 'filter 1: $.n is 2, wanted "1"', 'why they did not');
is($tested->{noLongerFires}{count}, 4, 'four fire no longer');
is($tested->{noLongerFires}{examples}[0]{reason}, 'filter 1: $.n is 1, wanted "2"', 'why they do not');
is(value("SELECT outcome FROM cp_webhook.deliveries WHERE id = '$tested->{noLongerFires}{examples}[3]{deliveryId}'"), 'triggered', 'by id');
is_deeply($tested->{stays}, { fires => 0, doesNotFire => 2 }, 'the rest stays');
is($tested->{notJudged}{duplicates}, 1, 'the duplicate is apart');
is($tested->{notJudged}{rejected}, 1, 'so is the rejected one');
is_deeply(call($node, 'test_webhook', { name => 'past', since => '1 hour' })->{stays}, { fires => 4, doesNotFire => 4 },
	'the definition as it is changes nothing');
is(call($node, 'test_webhook', { name => 'past', since => value('SELECT clock_timestamp()') })->{judged}, 0, 'since now');
is(call($node, 'test_webhook', { name => 'past', since => '1900-01-01' })->{judged}, 8, 'since long ago');
$definition->{authentication} = 'IP';
$definition->{authenticationConfiguration} = { AllowedIPRange => '192.0.2.0/24' };
$tested = call($node, 'test_webhook', { definition => $definition, since => '1 hour' });
is($tested->{noLongerFires}{examples}[0]{reason}, 'the address is not in AllowedIPRange', 'an address is judged again');

# Many of them, and a statement that is cancelled.
value(q{INSERT INTO cp_webhook.deliveries (id, received_at, webhook, outcome, http_status, headers, payload, webhook_id)
	SELECT overlay(id::text PLACING lpad(to_hex(n), 12, '0') FROM 25)::uuid, received_at, webhook, outcome, http_status, headers, payload, webhook_id
	FROM cp_webhook.deliveries, generate_series(1, 2000) n
	WHERE id = (SELECT id FROM cp_webhook.deliveries WHERE webhook = 'past' AND payload ? 'large' ORDER BY id LIMIT 1)});
$definition = webhook_request('past', secret => '****', filters => [ { jsonPath => '$.n', matchEquals => '2' } ])->{webhook};
my $text = JSON::PP->new->encode({ definition => $definition, since => '1 hour' });
my $psql = $node->background_psql('postgres');
my $pid = $psql->query_safe('SELECT pg_backend_pid()');
$psql->query_safe(q{SELECT cp_webhook.test_webhook('{"name":"past","since":"1 microsecond"}')});
my $peak = peak_kb($pid);
$tested = json_of($psql->query_safe("SELECT cp_webhook.test_webhook(\$\$$text\$\$)"));
is($tested->{noLongerFires}{count}, 2004, 'two thousand of 500 kB, a gigabyte of payloads');
is(scalar @{ $tested->{noLongerFires}{examples} }, 10, 'ten examples');
cmp_ok(peak_kb($pid) - $peak, '<', 100_000, 'one at a time is in memory');
$psql->quit;

# Each number is compared with each other one.
$definition->{filters} = [ { jsonPath => '$.a[*] ? (@ == $.a[*] && @ < 0)' } ];
$text = JSON::PP->new->encode({ definition => $definition, since => '1 hour' });
my ($status, undef, $errors) = $node->psql('postgres', "SET statement_timeout = '500ms'; SELECT cp_webhook.test_webhook(\$\$$text\$\$)");
isnt($status, 0, 'a back-test is cancelled');
like($errors, qr/canceling statement due to statement timeout/, 'as a statement is');
is(call($node, 'test_webhook', { name => 'open', body => { ref => 'refs/heads/main', n => 1 } })->{outcome}, 'triggered', 'a session goes on');

done_testing();
