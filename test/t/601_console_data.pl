# What the console shows and does: as the session's role, bounded, live.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use Console;
use CpWebhook;
use JSON::PP ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use Wire;

# The streams that the console opens at most.
my $MAX_STREAMS = 32;

my $node = start_api('data', settings => { workers => 1, console => 'on' });

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

sub verdict
{
	my ($answer) = @_;
	return join ' ', $answer->{status}, $answer->{json}{error} // ();
}

create_pipeline($node, 'app', Branch => 'main', Token => 'hidden in a pipeline');
my $path = put_webhook($node, 'push', pipeline => 'app', secret => 'hidden in a webhook',
	filters => [ { jsonPath => '$.ref', matchEquals => 'refs/heads/{Branch}' } ]);
my ($token) = $path =~ m{([^/]+)$};
my %ids;
sub send_push
{
	my ($body, %options) = @_;

	return post($node, $path, $body, secret => 'hidden in a webhook', headers => [ 'X-GitHub-Event' => 'push', Authorization => 'Bearer hidden in a header' ], %options);
}

sub newest
{
	return sql('SELECT id FROM cp_webhook.deliveries ORDER BY id DESC LIMIT 1');
}

send_push('{"ref":"refs/heads/main"}', id => 'one');
my $triggered = newest();
send_push('{"ref":"refs/heads/main"}', id => 'one');
my $duplicate = newest();
send_push('{"ref":"refs/heads/topic","text":"<b>needle</b>"}');
my $ignored = newest();
send_push('{"ref":"refs/heads/main"}', secret => 'wrong');
my $rejected = newest();

sql('CREATE ROLE op; GRANT cp_webhook_operator TO op; CREATE ROLE def; GRANT cp_webhook_admin TO def');
my $op = open_console($node, 'op');
my $def = open_console($node, 'def');

# ---- views ----

sub get
{
	my ($name, $query, $session) = @_;
	return console_get($node, $session // $op, $name, query => $query);
}

sub rows
{
	my ($name, $query) = @_;
	my $answer = get($name, $query);

	return $answer->{json}{rows} // die "$name?$query: $answer->{status} $answer->{body}\n";
}

is_deeply([ map { $_->{name} } @{ rows('webhooks') } ], ['push'], 'webhooks');
my $webhook = get('webhook', 'name=push')->{json};
is_deeply($webhook->{filters}, [ { jsonPath => '$.ref', matchEquals => 'refs/heads/{Branch}' } ], 'a webhook with its filters');
like($webhook->{url}, qr{/trigger/\*\*\*\*$}, 'its URL without the token');
is(verdict(get('webhook', 'name=none')), '404 not_found', 'one that is not there');
like(get('translation', 'path=%24.ref')->{json}{translated}, qr/"ref"/, 'a filter\'s translation');
is(verdict(get('translation', 'path=%24%24')), '400 InvalidWebhookFilterPatternException', 'of what has none');
poll('the last hour by outcome', sub {
	my ($minutes) = values %{ get('activity')->{json} };
	my @sums = (0) x 5;
	foreach my $counts (values %{ $minutes || {} }) { $sums[$_] += $counts->[$_] foreach 0 .. 4 }
	return "@sums" eq '1 1 1 1 0';
});
sql("UPDATE cp_webhook.webhook_minutes SET minute = minute - interval '1 hour'");
is_deeply(get('activity')->{json}, {}, 'what is older is not shown');
send_push('{"ref":"refs/heads/other"}');
poll('and its row is used again', sub {
	sql('SELECT sum(ignored) FROM cp_webhook.webhook_activity') eq '1';
});
sql('DELETE FROM cp_webhook.deliveries WHERE id = ' . "'" . newest() . "'");

foreach my $name (qw(deliveries webhook_deliveries))
{
	my $of = $name eq 'deliveries' ? '' : 'webhook=push&';

	is_deeply([ map { $_->{id} } @{ rows($name, $of) } ], [ $rejected, $ignored, $duplicate, $triggered ], "$name: the newest first");
	is_deeply([ map { $_->{id} } @{ rows($name, "${of}outcome=ignored") } ], [$ignored], "$name: by outcome");
	is_deeply([ map { $_->{id} } @{ rows($name, "${of}text=NEEDLE") } ], [$ignored], "$name: by text, in the payload");
	is_deeply([ map { $_->{id} } @{ rows($name, "${of}text=%25") } ], [], "$name: text is no pattern");
	is_deeply([ map { $_->{id} } @{ rows($name, "${of}event=none") } ], [], "$name: by event");
	is(scalar @{ rows($name, "${of}event=push") }, 4, "$name: by an event that is there");
	is_deeply([ map { $_->{id} } @{ rows($name, "${of}before=$ignored") } ], [ $duplicate, $triggered ], "$name: a page");
	is_deeply([ map { $_->{id} } @{ rows($name, "${of}from=$ignored") } ], [ $rejected, $ignored ], "$name: since a time");
	is(get($name, "${of}since=$triggered")->{json}{newer}, 3, "$name: how many are newer");
	is(get($name, "${of}since=$triggered&outcome=ignored")->{json}{newer}, 1, "$name: of those");
	is(verdict(get($name, "${of}before=x")), '400 bad_request', "$name: no id");
}
is_deeply(rows('deliveries', 'webhook=none'), [], 'deliveries of another webhook');

my $delivery = get('delivery', "id=$ignored")->{json};
is($delivery->{reason}, 'filter 1: $.ref is "refs/heads/topic", wanted "refs/heads/main"', 'a delivery');
like($delivery->{payload}, qr/<b>needle/, 'with its payload as text');
is($delivery->{headers}{authorization}, '****', 'and its headers without secrets');
is(get('delivery', "id=$duplicate")->{json}{payload}, undef, 'a duplicate has none');
my ($filter) = grep { $_->{step} eq 'filter' } @{ get('explanation', "id=$ignored")->{json}{steps} };
is_deeply([ $filter->{found}, $filter->{wanted} ], [ ['refs/heads/topic'], 'refs/heads/main' ], 'found and wanted');
is(get('delivery_execution', "id=$triggered&until=ffffffff-ffff-ffff-ffff-ffffffffffff")->{json}{execution}{delivery}, $triggered, 'its execution');
is(get('delivery_execution', "id=$ignored&until=ffffffff-ffff-ffff-ffff-ffffffffffff")->{json}{execution}, undef, 'of one that started none');
my $whole = get('payload', "id=$ignored");
like($whole->{headers}{'content-disposition'}, qr/^attachment/, 'the whole payload is a download');
is($whole->{json}{text}, '<b>needle</b>', 'of what came');

# A large payload is cut, a huge one left out; the download has it all.
send_push('{"ref":"x","a":"' . 'ab' x 110_000 . '"}');
my $large = get('delivery', 'id=' . newest())->{json};
ok($large->{is_cut}, 'a large payload is cut');
is(length $large->{payload}, 200_000, 'to what a page shows');
send_push('{"ref":"x","a":[' . join(',', map { '"' . $_ ** 3 . '"' } 1 .. 60_000) . ']}');
my $huge = get('delivery', 'id=' . newest())->{json};
ok($huge->{is_cut} && !defined $huge->{payload}, 'a huge one is not in the page');
is(scalar @{ get('payload', 'id=' . newest())->{json}{a} }, 60_000, 'but is there to download');

my $execution = sql('SELECT id FROM cp_webhook.executions');
is_deeply([ map { $_->{id} } @{ rows('executions') } ], [$execution], 'executions');
is_deeply([ map { $_->{id} } @{ rows('executions', 'state=done') } ], [], 'of those that are done');
is_deeply([ map { $_->{id} } @{ rows('open_executions', 'state=waiting') } ], [$execution], 'waiting');
is_deeply(rows('open_executions', 'state=leased'), [], 'leased');
is_deeply(rows('open_executions', 'state=waiting&pipeline=none'), [], 'of a pipeline');
sql("SELECT cp_webhook.fail_execution(id, nonce, 'no', '1 hour') FROM cp_webhook.claim_executions('me')");
is_deeply([ map { $_->{id} } @{ rows('open_executions', 'state=waiting') } ], [$execution], 'to be retried');
sql('UPDATE cp_webhook.executions SET retry_at = NULL');
sql("SELECT FROM cp_webhook.claim_executions('me')");
is_deeply([ map { $_->{lease_holder} } @{ rows('open_executions', 'state=leased') } ], ['me'], 'a leased one');
ok(!exists get('execution', "id=$execution")->{json}{nonce}, 'its nonce is the worker\'s alone');
is(get('receivers')->{json}[0]{worker}, 0, 'receivers');
ok(get('maintenance')->{json}{pid}, 'maintenance');
ok(get('api')->{json}{pid}, 'the api worker');
is(get('definition', 'name=push', $def)->{json}{authenticationConfiguration}{SecretToken}, '****', 'a definition, its secret masked');

# ---- changes ----

sub act
{
	my ($name, $request, $session) = @_;
	return console_post($node, $session // $op, $name, $request);
}

my $answer = act('stop', { id => $execution, pipeline => 'app', abandon => JSON::PP::true(), reason => 'enough' });
is($answer->{json}{pipelineExecutionId}, $execution, 'an execution is stopped');
is(get('execution', "id=$execution")->{json}{status}, 'Stopped', 'at once');
is(verdict(act('stop', { id => $execution, pipeline => 'app' })), '400 PipelineExecutionNotStoppableException', 'once');
my $again = act('redeliver', { id => $ignored })->{json}{delivery};
is(sql("SELECT redelivery_of FROM cp_webhook.deliveries WHERE id = '$again'"), $ignored, 'a delivery is redelivered');
$again = act('retry', { id => $execution })->{json}{delivery};
is(sql("SELECT redelivery_of, outcome FROM cp_webhook.deliveries WHERE id = '$again'"), "$triggered|triggered", 'an execution is retried by its delivery');
my $started = $node->safe_psql('postgres', q{SELECT cp_webhook.start_pipeline_execution('{"name": "app"}') ->> 'pipelineExecutionId'});
is(verdict(act('retry', { id => $started })), '404 not_found', 'one that has not ended is not');
act('stop', { id => $started, pipeline => 'app' });
isnt(act('retry', { id => $started })->{json}{pipelineExecutionId}, $started, 'one that was started by hand is started again');
is(act('test', { name => 'push', body => { ref => 'refs/heads/main' } })->{json}{outcome}, 'triggered', 'a dry run');

# A dry run may select more than there is memory for, of a small body.
my $greedy = put_webhook($node, 'greedy', pipeline => 'app', filters => [ { jsonPath => '$..a..a..a', matchEquals => 'x' } ]);
my $api = sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'cp_webhook api'});
my $dry_run = act('test', { name => 'greedy', body => '{"a":' x 1500 . '1' . '}' x 1500 });
my ($kilobytes) = PostgreSQL::Test::Utils::slurp_file("/proc/$api/status") =~ /^VmHWM:\s+(\d+) kB/m;
cmp_ok($kilobytes / 1024, '<', 700, sprintf('a greedy dry run: memory is bounded (%.0f MB)', $kilobytes / 1024));
note(explain $dry_run->{json});
is(sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'cp_webhook api'}), $api, 'and the worker the same');
sql(q{SELECT cp_webhook.delete_webhook('{"name": "greedy"}')});
is(act('test', { name => 'push', since => '1 hour' })->{json}{stays}{fires}, 2, 'a back-test');
is(verdict(act('test', { name => 'none', body => {} })), '400 WebhookNotFoundException', 'of no webhook');

# ---- privileges ----

is_deeply(get('me', '', $def)->{json}{may}, { redeliver => JSON::PP::false(), stop => JSON::PP::false(), start => JSON::PP::false(),
	test => JSON::PP::true(), define => JSON::PP::true() }, 'what a role may');
is(verdict(get($_, "id=$ignored", $def)), '403 access_denied', "who defines does not see $_") foreach qw(deliveries delivery executions execution receivers payload live);
is(verdict(get('webhooks', '', $def)), '200', 'but webhooks');
is(verdict(act('redeliver', { id => $ignored }, $def)), '403 access_denied', 'nor does it redeliver');
is(verdict(act('retry', { id => $execution }, $def)), '403 access_denied', 'or retry');
is(verdict(act('stop', { id => $execution, pipeline => 'app' }, $def)), '403 access_denied', 'or stop');
sql('REVOKE cp_webhook_operator FROM op');
is(verdict(get('deliveries')), '403 access_denied', 'a right that is taken away is gone at once');
sql('GRANT cp_webhook_operator TO op');
sql(q{ALTER TABLE cp_webhook.deliveries ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON cp_webhook.deliveries TO op USING (outcome = 'ignored')});
is_deeply([ grep { $_ ne 'ignored' } map { $_->{outcome} } @{ rows('deliveries') } ], [], 'row security holds');
cmp_ok(scalar @{ rows('deliveries') }, '>', 0, 'and lets through what it says');
sql('DROP POLICY few ON cp_webhook.deliveries; ALTER TABLE cp_webhook.deliveries DISABLE ROW LEVEL SECURITY');

# By GET nothing is written, whatever a trigger or a function would do.
sql(q{CREATE FUNCTION public.sneak() RETURNS boolean LANGUAGE plpgsql AS 'BEGIN UPDATE cp_webhook.webhook_definitions SET action = action; RETURN true; END';
	ALTER TABLE cp_webhook.deliveries ENABLE ROW LEVEL SECURITY; CREATE POLICY sneak ON cp_webhook.deliveries TO op USING (public.sneak()); GRANT USAGE ON SCHEMA public TO op});
isnt(get('deliveries')->{status}, 200, 'a GET that writes fails');
sql('DROP POLICY sneak ON cp_webhook.deliveries; ALTER TABLE cp_webhook.deliveries DISABLE ROW LEVEL SECURITY');

# ---- secrets ----

my @secrets = ('hidden in a webhook', 'hidden in a pipeline', 'hidden in a header', $token);
my $super = open_console($node, sql('SELECT current_user'));
foreach my $name (qw(me webhooks webhook activity definition deliveries webhook_deliveries delivery explanation executions execution receivers maintenance api))
{
	my $body = get($name, "name=push&webhook=push&id=" . ($name eq 'execution' ? $execution : $ignored), $super)->{body};

	is_deeply([ grep { index($body, $_) >= 0 } @secrets ], [], "$name has no secret");
}

# ---- live ----

# A stream's connection; its next event, or undef at its end.
sub open_stream
{
	my ($session) = @_;
	my $connection = connect_to($node, port => api_port_of($node));

	$connection->send_text(request_text('GET', '/console/api/live', headers => [ Cookie => $session ]));
	return $connection;
}

sub next_event
{
	my ($connection) = @_;
	my $end = time + $CpWebhook::timeout;

	# Heartbeats come all the time.
	while (time < $end)
	{
		return "$1 $2" if $connection->{buffer} =~ s/^.*?event: (\w+)\ndata: ([^\n]*)\n\n//s;
		return undef unless $connection->_fill;
	}
	die "timed out waiting for an event\n";
}

my $stream = open_stream($op);
like(next_event($stream), qr/^deliveries \{"newest": "[-0-9a-f]{36}"\}$/, 'a stream says first what is newest');
send_push('{"ref":"refs/heads/topic"}');
my $newest = newest();
my $event;
poll('a delivery that is ignored is told', sub { $event = next_event($stream); $event =~ /$newest/ });
$again = sql("SELECT cp_webhook.redeliver('$ignored')");
poll('so is a redelivery of a session', sub { $event = next_event($stream); $event =~ /$again/ });

# However many come, a few events tell of them.
my $begin = time;
send_push('{"ref":"refs/heads/topic"}') foreach 1 .. 200;
$newest = newest();
my $events = 0;
poll('the last of many', sub { $events++; next_event($stream) =~ /$newest/ });
cmp_ok($events, '<=', 4 * (time - $begin) + 4, "200 deliveries are $events events");

my @streams = map { open_stream($op) } 2 .. $MAX_STREAMS;
is(scalar(grep { next_event($_) =~ /^deliveries/ } @streams), $MAX_STREAMS - 1, "$MAX_STREAMS streams at once");
is(verdict(get('live')), '503 too_many_streams', 'and no more');
is(get('deliveries')->{status}, 200, 'while all else goes on');
$streams[0]->close;
poll('one that left makes room', sub {
	my $next = open_stream($op);
	my $first = $next->{buffer} eq '' && $next->_fill ? $next->{buffer} : '';

	return $first =~ m{^HTTP/1.1 200} ? ($streams[0] = $next) : 0;
});
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('postgres', 'DROP DATABASE other');
ok(1, 'streams are in nobody\'s way');

# Their deadline is not that of a request.
$node->safe_psql('postgres', "ALTER SYSTEM SET cp_webhook.request_timeout = '300ms'");
$node->reload;
poll('a short request_timeout', sub { $node->safe_psql('postgres', 'SHOW cp_webhook.request_timeout') eq '300ms' });
my $late;
$streams[1]->close;
poll('another stream', sub { $late = open_stream($op); $late->_fill && $late->{buffer} =~ m{^HTTP/1.1 200} });
my $end = time + 1.5;
poll('more than that passes', sub { time > $end });
send_push('{"ref":"refs/heads/topic"}');
$newest = newest();
poll('a stream outlives it', sub { (next_event($late) // die "it ended\n") =~ /$newest/ });

my $leaving = open_console($node, 'def');
sql('GRANT SELECT ON cp_webhook.deliveries TO def');
$streams[2]->close;
poll('a stream of another session', sub { my $next = open_stream($leaving); my $ok = $next->_fill && $next->{buffer} =~ m{^HTTP/1.1 200}; $late = $next if $ok; $ok });
console_post($node, $leaving, 'sign_out', {});
poll('it ends with its session', sub { my $next = next_event($late) // 'gone'; $next =~ /^end|gone/ });
is(verdict(console_get($node, $leaving, 'live')), '401 no_session', 'and there is no other');

# However many deliveries a webhook has, its list reads the ends of an index.
my $partition = sql('SELECT tableoid::regclass FROM cp_webhook.deliveries LIMIT 1');
sql(<<SQL);
INSERT INTO $partition (id, received_at, webhook, event, outcome, http_status, headers, webhook_id)
SELECT (left('$newest', 24) || lpad(to_hex(n), 12, '0'))::uuid, now(), webhook, event, outcome, 200, '{}', webhook_id
FROM cp_webhook.deliveries CROSS JOIN generate_series(1, 60000) n WHERE id = '$ignored';
VACUUM ANALYZE $partition;
SQL
$newest = newest();
sub blocks_read
{
	return sql("SELECT sum(idx_blks_hit + idx_blks_read) FROM pg_statio_user_indexes WHERE relid = '$partition'::regclass");
}
foreach my $question ("since=$newest", "since=$newest&event=none", 'outcome=pong')
{
	my $before = blocks_read();

	is(console_get($node, $op, "webhook_deliveries?webhook=push&$question")->{status}, 200, "$question, of 60,000");
	poll('it was counted', sub { blocks_read() > $before });
	cmp_ok(blocks_read() - $before, '<', 300, 'few blocks were read');
}

$node->safe_psql('postgres', 'ALTER SYSTEM SET cp_webhook.console = off');
$node->reload;
poll('off ends all streams', sub { my $next = next_event($streams[3]) // 'gone'; $next =~ /^end|gone/ });

$node->stop;
done_testing();
