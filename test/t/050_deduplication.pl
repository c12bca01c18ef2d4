# 050_deduplication: which deliveries count as a repeat of another, and how many
# rejected ones are recorded.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Test::More;

my $node = start_receivers('deduplication', settings => { workers => 1, rejections_per_minute => 1000 });

create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one', filters => [ { jsonPath => '$.go' } ]);
my $other = put_webhook($node, 'other');
my $signed = put_webhook($node, 'signed', secret => 's');

sub value
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}

sub status
{
	my ($answer) = @_;
	return $answer->{json}{status} // $answer->{json}{error};
}

sub keys_stored
{
	return value('SELECT count(*) FROM cp_webhook.delivery_keys');
}

# ---------------------------------------------------------------------------
note 'what is remembered';

my $go = '{"go":1}';
my $first = post($node, $path, $go, id => 'a');
is(status($first), 'triggered', 'the first one');
my $second = post($node, $path, $go, id => 'a');
is(status($second), 'duplicate', 'the same id again');
is($second->{json}{pipelineExecutionId}, $first->{json}{pipelineExecutionId}, 'with the execution of the first');
is(status(post($node, $path, '{"go":2}', id => 'a')), 'duplicate', 'whatever its body');
is(status(post($node, $path, '{"stay":1}', id => 'a')), 'duplicate', 'whatever the filters say');
is(status(post($node, $path, '{"stay":', id => 'a')), 'duplicate', 'whatever its body is');
is($node->safe_psql('postgres', "SELECT count(*) FROM cp_webhook.deliveries WHERE outcome = 'duplicate' AND (reason IS NOT NULL OR http_status <> 200 OR payload IS NOT NULL)"),
	0, 'and nothing is said of either');
is(status(post($node, $path, $go, id => 'b')), 'triggered', 'another id');
is(status(post($node, $path, $go, id => 'A')), 'triggered', 'upper case is another id');
is(status(post($node, $path, $go)), 'triggered', 'without an id') foreach 1 .. 2;
is(status(post($node, $path, $go, id => '')), 'triggered', 'an empty one is none') foreach 1 .. 2;
is(status(post($node, $other, $go, id => 'a')), 'triggered', 'the key is the webhook\'s own');
is(keys_stored(), 4, 'a key for each that triggered with an id');

# What did not trigger is not remembered.
is(status(post($node, $path, '{"stay":1}', id => 'c')), 'ignored', 'an ignored one') foreach 1 .. 2;
is(status(post($node, $path, $go, id => 'c')), 'triggered', 'is evaluated anew');
is(status(post($node, $path, '{', id => 'd')), 'bad_json', 'a rejected one') foreach 1 .. 2;
is(status(post($node, $path, $go, id => 'd')), 'triggered', 'is evaluated anew');
is(status(post($node, $path, $go, id => 'e', event => 'ping')), 'pong', 'a ping') foreach 1 .. 2;
is(status(post($node, $path, $go, id => 'e')), 'triggered', 'is not remembered');
is(status(post($node, $signed, $go, id => 'f', secret => 'wrong')), 'bad_signature', 'a badly signed one') foreach 1 .. 2;
is(status(post($node, $signed, $go, id => 'f', secret => 's')), 'triggered', 'is not remembered');
is(status(post($node, $signed, $go, id => 'f', secret => 'wrong')), 'bad_signature', 'a repeat is authenticated');
is(status(post($node, $signed, $go, id => 'f', secret => 's')), 'duplicate', 'a repeat');
is(status(post($node, $path, '{"stay"', id => 'a')), 'duplicate', 'the body of a repeat is not looked at');
is(keys_stored(), 8, 'a key for each that triggered with an id');

# ---------------------------------------------------------------------------
note 'which header';

my @names = ('X-GitHub-Delivery', 'X-Gitea-Delivery', 'X-Gogs-Delivery', 'webhook-id', 'Idempotency-Key', 'X-Request-Id');
foreach my $n (0 .. $#names)
{
	my @headers = map { ($names[$_], "id $n $_") } reverse $n .. $#names;

	is(status(post($node, $other, '{}', headers => \@headers)), 'triggered', "$names[$n] is the first present");
	is(value('SELECT provider_delivery_id FROM cp_webhook.deliveries ORDER BY id DESC LIMIT 1'), "id $n $n", "$names[$n] counts");
	is(status(post($node, $other, '{}', headers => [ $names[$n], "id $n $n" ])), 'duplicate', "$names[$n] alone");
}
is(status(post($node, $other, '{}', headers => [ 'X-GitHub-Delivery', '', 'X-Request-Id', 'behind an empty one' ])),
	'triggered', 'an empty header counts as absent');
is(status(post($node, $other, '{}', headers => [ 'X-Request-Id', 'behind an empty one' ])), 'duplicate', 'so the next one counted');

# ---------------------------------------------------------------------------
note 'long and odd ids';

my $long = 'x' x 255;
is(status(post($node, $other, '{}', id => $long)), 'triggered', 'an id of 255 bytes');
is(status(post($node, $other, '{}', id => $long)), 'duplicate', 'is known again');
is(status(post($node, $other, '{}', id => substr($long, 1) . 'y')), 'triggered', 'all of its bytes count');
my $answer = post($node, $other, '{}', id => "x$long");
is($answer->{status}, 400, 'one of 256 bytes: 400');
is(status($answer), 'bad_request', 'bad_request');
is(value("SELECT outcome || ' ' || (provider_delivery_id IS NULL) || ' ' || reason FROM cp_webhook.deliveries ORDER BY id DESC LIMIT 1"),
	'rejected true the delivery id is longer than 255 bytes', 'it is recorded without the id');
is(status(post($node, $other, '{}', event => $long)), 'triggered', 'an event of 255 bytes');
is(post($node, $other, '{}', event => "x$long")->{status}, 400, 'one of 256 bytes: 400');
is(status(post($node, $other, '{}', id => "\xc3\xa9\xf0\x9f\x8e\x89")), 'triggered', 'an id in UTF-8');
is(status(post($node, $other, '{}', id => "\xc3\xa9\xf0\x9f\x8e\x89")), 'duplicate', 'is known again');
is(status(post($node, $other, '{}', id => "caf\xe9")), 'triggered', 'an id that is not UTF-8');
is(status(post($node, $other, '{}', id => "caf\xe9")), 'duplicate', 'is known again');

# 255 bytes that are not UTF-8 become three times as many, in keys and in a
# notification.
my $listener = listen_for_notifications($node);
is(status(post($node, $other, '{}', id => "\xff" x 255, event => "\xff" x 255)), 'triggered', '255 bytes that are no text');
is(status(post($node, $other, '{}', id => "\xff" x 255, event => "\xff" x 255)), 'duplicate', 'are known again');
my ($notification) = take_notifications($listener, 1);
is($notification->{event}, "\x{fffd}" x 255, 'their notification');
is(status(post($node, $other, '{}', event => qq("\\'))), 'triggered', 'quotes in an event');
($notification) = take_notifications($listener, 1);
is($notification->{event}, qq("\\'), 'their notification');
$listener->quit;
is(status(post($node, $other, '{}', id => q{'; DROP TABLE x; --})), 'triggered', 'an id is a value');

# ---------------------------------------------------------------------------
note 'delete and put again forgets';

is(status(post($node, $path, $go, id => 'a')), 'duplicate', 'before');
put_webhook($node, 'one');
is(status(post($node, $path, $go, id => 'a')), 'duplicate', 'a put over it keeps the keys');
call($node, 'delete_webhook', { name => 'one' });
$path = put_webhook($node, 'one');
is(status(post($node, $path, $go, id => 'a')), 'triggered', 'delete and put again does not');
is(status(post($node, $path, $go, id => 'a')), 'duplicate', 'it has its own');

# ---------------------------------------------------------------------------
note 'rejections_per_minute';

sub rejected
{
	my ($webhook) = @_;
	return value("SELECT count(*) FROM cp_webhook.deliveries WHERE webhook = '$webhook' AND outcome = 'rejected'");
}

put_webhook($node, 'never', secret => 's');
my $noisy = put_webhook($node, 'noisy', secret => 's');
my $quiet = put_webhook($node, 'quiet', secret => 's');
set_settings($node, rejections_per_minute => 5);
is(post($node, $noisy, '{}')->{status}, 401, "rejection $_") foreach 1 .. 5;
is(rejected('noisy'), 5, 'as many as rejections_per_minute are recorded');
is(post($node, $noisy, '{}')->{status}, 401, 'one more is answered all the same');
is(post($node, $noisy, '{', secret => 's')->{status}, 400, 'whatever its reason');
is(rejected('noisy'), 5, 'and not recorded');
is(status(post($node, $noisy, '{}', secret => 's')), 'triggered', 'a good one is taken');
is(value("SELECT count(*) FROM cp_webhook.deliveries WHERE webhook = 'noisy' AND outcome = 'triggered'"), 1, 'and recorded');
is(post($node, $quiet, '{}')->{status}, 401, 'another webhook');
is(rejected('quiet'), 1, 'has a minute of its own');
ok($node->poll_query_until('postgres', "SELECT rejected = 7 AND triggered = 1 FROM cp_webhook.webhooks WHERE name = 'noisy'"),
	'all are counted');
like(value("SELECT last_reason FROM cp_webhook.webhooks WHERE name = 'noisy'"), qr/json/,
	'the last reason is one that was not recorded any more');
is(value("SELECT last_delivery > last_reason_at AND last_delivery = last_triggered FROM cp_webhook.webhooks WHERE name = 'noisy'"), 't',
	'the last delivery is the one that triggered');
is(value("SELECT last_delivery IS NULL AND last_reason IS NULL FROM cp_webhook.webhooks WHERE name = 'never'"), 't',
	'a webhook without deliveries has none of them');
set_settings($node, rejections_per_minute => 0);
is(post($node, $quiet, '{}')->{status}, 401, 'none are recorded at 0');
is(rejected('quiet'), 1, 'none');

done_testing();
