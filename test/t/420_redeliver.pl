# redeliver(): recorded deliveries evaluated again, by today's definition.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Lifecycle;
use Maintenance;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_receivers('main');
my $main = [ { jsonPath => '$.ref', matchEquals => 'refs/heads/{Branch}' } ];
create_pipeline($node, 'pipeline', Branch => 'main');
our $path = put_webhook($node, 'push', secret => 'secret', filters => $main);
my $listener = listen_for_notifications($node);

sub value
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

# What the delivery of a sender's id is to us.
sub id_of
{
	my ($provider) = @_;
	return value("SELECT id FROM cp_webhook.deliveries WHERE provider_delivery_id = '$provider' AND redelivery_of IS NULL ORDER BY id LIMIT 1");
}

sub errors_of
{
	my ($sql) = @_;
	my (undef, undef, $errors) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql;");

	return $errors;
}

sub push_to
{
	my ($branch, $id, %options) = @_;
	my $answer = post($node, $path, qq({"ref":"refs/heads/$branch"}), secret => 'secret', id => $id, event => 'push', %options);

	return $answer->{json}{status} // $answer->{status};
}

# ---- one that was ignored, and passes now ----

is(push_to('next', 'one'), 'ignored', 'a push to another branch is ignored');
my $one = id_of('one');
my $again = value("SELECT cp_webhook.redeliver('$one')");
like($again, qr/^[0-9a-f]{8}-[0-9a-f]{4}-7/, 'redelivered it is a delivery of its own');
is(value("SELECT outcome, redelivery_of, reason, http_status FROM cp_webhook.deliveries WHERE id = '$again'"),
	"ignored|$one|filter 1: \$.ref is \"refs/heads/next\", wanted \"refs/heads/main\"|200", 'which is ignored again, and says of what it is one');
is(count_notifications($listener), 0, 'and notifies nobody');

put_webhook($node, 'push', secret => 'secret', filters => [ { jsonPath => '$.ref', matchEquals => 'refs/heads/next' } ]);
$again = value("SELECT cp_webhook.redeliver('$one')");
is(value("SELECT d.outcome, d.redelivery_of, d.webhook, d.event, d.provider_delivery_id, d.source_address, d.peer_address,
		d.received_at > o.received_at, d.headers = o.headers, d.payload = o.payload, d.webhook_id = o.webhook_id
	FROM cp_webhook.deliveries d JOIN cp_webhook.deliveries o ON o.id = d.redelivery_of WHERE d.id = '$again'"),
	"triggered|$one|push|push|one|127.0.0.1|127.0.0.1|t|t|t|t", 'by the definition of now it fires; it is the same but for its time');
my ($notification) = take_notifications($listener, 1);
my $execution = value("SELECT id FROM cp_webhook.executions WHERE delivery = '$again'");
is($notification->{pipelineExecutionId}, $execution, 'its execution is notified');
is($notification->{deliveryId}, $again, 'with the new delivery');
is($notification->{event}, 'push', 'and its event');
is(value("SELECT pipeline, action, trigger_type, trigger_detail, status FROM cp_webhook.executions WHERE id = '$execution'"),
	'pipeline|Source|Webhook|' . value(q{SELECT arn FROM cp_webhook.webhooks WHERE name = 'push'}) . '|InProgress', 'an execution like any other');
is(value("SELECT payload ->> 'ref' FROM cp_webhook.trigger_events WHERE execution_id = '$execution'"), 'refs/heads/next', 'with its payload');
is(value(q{SELECT count(*) FROM cp_webhook.delivery_keys}), '0', 'no delivery id is remembered for it');
poll('it is counted', sub { value(q{SELECT triggered, ignored FROM cp_webhook.webhooks WHERE name = 'push'}) eq '1|2' });
is(value(q{SELECT last_triggered = (SELECT received_at FROM cp_webhook.deliveries WHERE outcome = 'triggered') FROM cp_webhook.webhooks WHERE name = 'push'}),
	't', 'and is what triggered last');

# ---- one that triggered ----

is(push_to('next', 'two'), 'triggered', 'a delivery that triggers');
is(push_to('next', 'two'), 'duplicate', 'and its repeat');
my $two = id_of('two');
my $first = value("SELECT cp_webhook.redeliver('$two')");
isnt(value("SELECT id FROM cp_webhook.executions WHERE delivery = '$first'"),
	value("SELECT id FROM cp_webhook.executions WHERE delivery = '$two'"), 'redelivered it starts another execution');
my $second = value("SELECT cp_webhook.redeliver('$first')");
is(value("SELECT redelivery_of FROM cp_webhook.deliveries WHERE id = '$second'"), $first, 'and so does a redelivery');
is(push_to('next', 'two'), 'duplicate', 'the sender\'s repeat is a duplicate all the same');
take_notifications($listener, 3);
value("BEGIN; SELECT cp_webhook.redeliver('$two'); ROLLBACK");
is(value("SELECT count(*) FROM cp_webhook.deliveries WHERE redelivery_of = '$two'"), '1', 'rolled back there was none');
is(count_notifications($listener), 0, 'and no notification');

# ---- neither signature nor address are asked for ----

put_webhook($node, 'push', range => '192.0.2.0/24');
is(value("SELECT outcome FROM cp_webhook.deliveries WHERE id = cp_webhook.redeliver('$two')"), '', 'a statement does not see what it makes');
is(value("SELECT outcome FROM cp_webhook.deliveries WHERE redelivery_of = '$two' ORDER BY id DESC LIMIT 1"), 'triggered',
	'an address that would not be let in is not asked for');
put_webhook($node, 'open');

{
	local $path = put_webhook($node, 'open');
	is(post($node, $path, '{"n":1}', id => 'unsigned')->{json}{status}, 'triggered', 'a delivery without a signature');
}
put_webhook($node, 'open', secret => 'secret');
my $unsigned = value("SELECT cp_webhook.redeliver('" . id_of('unsigned') . "')");
is(value("SELECT outcome FROM cp_webhook.deliveries WHERE id = '$unsigned'"), 'triggered', 'is not asked for one, either');
put_webhook($node, 'open', filters => [ { jsonPath => '$.n / 0' } ]);
$unsigned = value("SELECT cp_webhook.redeliver('" . id_of('unsigned') . "')");
is(value("SELECT outcome, reason FROM cp_webhook.deliveries WHERE id = '$unsigned'"), 'ignored|filter 1: $.n / 0 selects nothing',
	'a filter that can\'t be evaluated is a reason, no error');
put_webhook($node, 'open', filters => [ { jsonPath => '$headers."x-github-event"', matchEquals => 'push' } ]);
$unsigned = value("SELECT cp_webhook.redeliver('" . id_of('unsigned') . "')");
is(value("SELECT outcome FROM cp_webhook.deliveries WHERE id = '$unsigned'"), 'ignored', 'filters read the recorded headers');
take_notifications($listener, 3);

# ---- what can't be redelivered ----

put_webhook($node, 'push', secret => 'secret', filters => $main);
is(push_to('main', 'three', secret => 'wrong'), '401', 'a wrong signature');
like(errors_of(q{SELECT cp_webhook.redeliver('} . id_of('three') . q{')}),
	qr/ERROR:  CP001: ValidationException: .*was rejected, and no payload.*HINT:  .*let the sender send it again/s, 'what was rejected has no payload');
is(push_to('next', 'two', secret => 'secret'), 'duplicate', 'a duplicate');
like(errors_of(q{SELECT cp_webhook.redeliver(id) FROM cp_webhook.deliveries WHERE outcome = 'duplicate' LIMIT 1}),
	qr/ERROR:  CP001: ValidationException: .*was duplicate, and no payload.*HINT:  Redeliver the delivery that it repeats/s, 'has none either');
like(errors_of(q{SELECT cp_webhook.redeliver('00000000-0000-7000-8000-000000000000')}),
	qr/ERROR:  CP012: ResourceNotFoundException: delivery not found: '00000000-0000-7000-8000-000000000000'.*HINT/s, 'an unknown delivery');
like(errors_of(q{SELECT cp_webhook.redeliver(NULL)}), qr/ERROR:  CP001: ValidationException: .*'delivery'.*must not be null/s, 'NULL');
my $gone = id_of('unsigned');
call($node, 'delete_webhook', { name => 'open' });
like(errors_of("SELECT cp_webhook.redeliver('$gone')"), qr/ERROR:  CP006: WebhookNotFoundException: webhook not found: 'open'.*HINT/s,
	'a delivery whose webhook is gone');

# ---- privileges ----

value(q{CREATE ROLE operator; GRANT USAGE ON SCHEMA cp_webhook TO operator});
my $as = 'SET ROLE operator';
like(errors_of("$as; SELECT cp_webhook.redeliver('$one')"), qr/permission denied for function redeliver/, 'a role without the right');
like(errors_of("$as; SELECT * FROM cp_webhook.redeliver('push', now() - interval '1 hour')"), qr/permission denied for function redeliver/, 'for many as for one');
value(q{GRANT EXECUTE ON FUNCTION cp_webhook.redeliver(uuid), cp_webhook.redeliver(text, timestamptz, timestamptz, text) TO operator});
like(value("$as; SELECT cp_webhook.redeliver('$one')"), qr/^[0-9a-f-]{36}$/, 'EXECUTE is all that it takes');
like(errors_of("$as; SELECT * FROM cp_webhook.deliveries"), qr/permission denied/, 'and gives no right to read');

# ---- many ----

put_webhook($node, 'many', filters => $main);
{
	local $path = put_webhook($node, 'many', filters => [ { jsonPath => '$.wrong' } ]);
	is(join(' ', map { push_to('main', "many-$_") } 1 .. 5), 'ignored ignored ignored ignored ignored', 'five that a wrong filter ignores');
	put_webhook($node, 'many', filters => $main);
	is(push_to('main', 'many-6'), 'triggered', 'one that triggers after it was mended');
	is(push_to('main', 'many-6'), 'duplicate', 'a duplicate');
	is(push_to('main', 'many-7', type => 'text/plain'), '415', 'a rejected one');
}
take_notifications($listener, count_notifications($listener));
my $since = "now() - interval '1 hour'";
my @rows = split /\n/, value("SELECT o.provider_delivery_id, r.new_outcome, r.reason, r.delivery FROM cp_webhook.redeliver('many', $since, outcome => 'ignored')
	WITH ORDINALITY r JOIN cp_webhook.deliveries o ON o.id = r.redelivery_of ORDER BY r.ordinality");
is(join(' ', map { join '|', (split /\|/)[0, 1, 2] } @rows), join(' ', map { "many-$_|triggered|" } 1 .. 5), 'those that were ignored fire now, the oldest first');
is(join(' ', sort map { $_->{deliveryId} } take_notifications($listener, 5)), join(' ', sort map { (split /\|/)[3] } @rows), 'each notifies');
is(value(q{SELECT count(*), count(DISTINCT delivery) FROM cp_webhook.executions e JOIN cp_webhook.deliveries d ON d.id = e.delivery
	WHERE d.webhook = 'many'}), '6|6', 'each has its execution');
is(value("SELECT count(*) FROM cp_webhook.redeliver('many', $since)"), '6', 'without an outcome: all that have a payload, but no redeliveries');
is(value("SELECT count(*) FROM cp_webhook.redeliver('many', '-infinity', 'infinity')"), '6', 'of all time');
is(value("SELECT count(*) FROM cp_webhook.redeliver('many', $since, $since)"), '0', 'of no time');
is(value("SELECT count(*) FROM cp_webhook.redeliver('many', now() - interval '2 hours', now() - interval '1 hour')"), '0', 'of another time');
my $third = id_of('many-3');
is(value("SELECT count(*) FROM cp_webhook.redeliver('many',
	(SELECT received_at FROM cp_webhook.deliveries WHERE id = '$third'),
	(SELECT received_at + interval '1 microsecond' FROM cp_webhook.deliveries WHERE id = '$third'))"), '1', 'since is inclusive');
is(value("SELECT count(*) FROM cp_webhook.redeliver('many',
	(SELECT received_at - interval '1 microsecond' FROM cp_webhook.deliveries WHERE id = '$third'),
	(SELECT received_at FROM cp_webhook.deliveries WHERE id = '$third'))"), '0', 'until is not');
foreach my $case (
	[ "'nobody', $since" => qr/CP006: WebhookNotFoundException: webhook not found: 'nobody'/ ],
	[ "NULL, $since" => qr/CP001: ValidationException: .*'webhook'/ ],
	[ "'many', NULL" => qr/CP001: ValidationException: .*'since'/ ],
	[ "'many', $since, NULL" => qr/CP001: ValidationException: .*'until'/ ],
	[ "'many', now(), $since" => qr/CP001: ValidationException: .*'since'.*must not be later than 'until'/ ],
	[ "'many', $since, outcome => 'rejected'" => qr/CP001: ValidationException: .*'outcome'.*enum value set: \[triggered, ignored, pong\]/ ],
	[ "'many', '-infinity', 'infinity', 'pong'" => qr/^$/ ])
{
	my ($arguments, $error) = @$case;
	like(errors_of("SELECT * FROM cp_webhook.redeliver($arguments)"), $error, "redeliver($arguments)");
}

# ---- very many: bounded, and to be cancelled ----

value(qq{INSERT INTO cp_webhook.deliveries (id, received_at, webhook, outcome, http_status, headers, payload, webhook_id)
	SELECT cp_webhook.uuid_at(t), t, w.name, 'ignored', 200, '{}', jsonb_build_object('ref', 'refs/heads/main', 'text', repeat('x', 3000)), w.id
	  FROM cp_webhook.webhook_definitions w,
	       (SELECT now() - interval '10 s' + n * interval '10 us' FROM generate_series(1, 20000) n) s (t)
	 WHERE w.name = 'many'});
my $psql = $node->background_psql('postgres', on_error_stop => 0);
my $backend = $psql->query_safe('SELECT pg_backend_pid()');
my ($before, $after) = split /\|/, $psql->query_safe(qq{
	WITH one AS MATERIALIZED (SELECT sum(total_bytes) AS bytes FROM pg_backend_memory_contexts),
	     work AS MATERIALIZED (SELECT count(*) AS rows FROM one, cp_webhook.redeliver('many', $since, outcome => 'ignored')),
	     two AS MATERIALIZED (SELECT sum(total_bytes) AS bytes FROM work, pg_backend_memory_contexts)
	SELECT (SELECT bytes FROM one), (SELECT bytes FROM two)});
note(sprintf '20,005 redeliveries: %.1f MB more in the middle of it', ($after - $before) / 1048576);
cmp_ok($after - $before, '<', 30 * 1048576, '20,000 redeliveries of 3 kB take memory for their notifications alone');
is(value(q{SELECT count(*) FROM cp_webhook.deliveries WHERE webhook = 'many' AND redelivery_of IS NOT NULL AND outcome = 'triggered' AND octet_length(payload ->> 'text') = 3000}),
	'20000', 'all are recorded');
my $posts = start_posts($node, put_webhook($node, 'beside'), pause => 0.01);
$psql->query_until(qr/started/, "\\echo started\nSELECT count(*) FROM cp_webhook.redeliver('many', $since, outcome => 'ignored');\n");
poll('it works', sub { value("SELECT state = 'active' FROM pg_stat_activity WHERE pid = $backend") eq 't' });
value("SELECT pg_cancel_backend($backend)");
poll('it has ended', sub { value("SELECT state <> 'active' FROM pg_stat_activity WHERE pid = $backend") eq 't' });
my $sent = finish_posts($posts);
is($sent->{failed}, 0, "meanwhile none of $sent->{count} deliveries fails");
note(sprintf 'the slowest took %.0f ms', 1000 * $sent->{slowest});
is(value(q{SELECT count(*) FROM cp_webhook.deliveries WHERE webhook = 'many' AND octet_length(payload ->> 'text') = 3000}),
	'40000', 'cancelled it has done nothing');
$psql->quit;
$listener->quit;
# ---- of another sender's scheme ----

$path = put_webhook($node, 'graph', authentication => 'MICROSOFT_GRAPH', configuration => { SecretToken => 'state' });
is(post($node, $path, '{"value":[{"clientState":"state","changeType":"created"}]}', headers => [ 'X-Request-Id', 'graph-1' ])->{json}{status},
	'triggered', 'a notification with its secret in the body');
my $graph = id_of('graph-1');
$again = value("SELECT cp_webhook.redeliver('$graph')");
is(value("SELECT outcome, event, signature, payload #>> '{value,0,clientState}' FROM cp_webhook.deliveries WHERE id = '$graph'"),
	'triggered|created|current|****', 'is kept without it');
is(value("SELECT outcome, event, signature, payload #>> '{value,0,clientState}' FROM cp_webhook.deliveries WHERE id = '$again'"),
	'triggered|created||****', 'redelivered nobody asks for it');

$node->stop;

done_testing();
