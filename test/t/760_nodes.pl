# More than one node, set up by the commands of the README: a hub, on which
# webhooks are put and executions are claimed, and two ingest nodes. What is put
# answers on each, what each records reaches the hub once, and one that was away
# catches up.
#
#   NODES_DELIVERIES  that are sent to both and counted on the hub (3000)
#   NODES_RATE        how many a second (1000)
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Lifecycle;
use Load;
use Maintenance;
use Nodes;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $deliveries = $ENV{NODES_DELIVERIES} || 3000;
my $rate = $ENV{NODES_RATE} || 1000;

my %node = (hub => start_node('hub', workers => 0));
$node{$_} = start_node($_, ingest_only => 'on', notify => 'off') foreach qw(a b);
my ($hub, $a, $b) = @node{qw(hub a b)};
my @ingest = ($a, $b);

# ---- set up, by the page's own commands ----

create_pipeline($hub, 'pipeline', Branch => 'main');
my $early = put_webhook($hub, 'early', secret => 's3cret');
is(sql($hub, q{SELECT secret LIKE '%s3cret%' FROM cp_webhook.webhook_definitions}), 'f', 'secrets are sealed');
is(try_get($_, '/healthz')->{status}, 503, $_->name . ' is not ready before it has the definitions') foreach @ingest;

set_up_nodes(%node);
my %command = read_commands();
poll($_->name . ' is ready', sub { try_get($_, '/healthz')->{status} == 200 }) foreach @ingest;

is(sql($hub, 'SELECT count(*) FROM cp_webhook.publish_definitions()'), '4', 'publish_definitions() again: the same');
is(sql($a, q{SELECT string_agg("table", ' ') FROM cp_webhook.publish_events()}), 'cp_webhook.deliveries cp_webhook.executions', 'publish_events() again: the same');
is(sql($hub, q{SELECT c.relname || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
	WHERE c.relnamespace = 'cp_webhook'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
	  AND c.relname IN ('webhook_definitions', 'pipeline_definitions', 'pipeline_versions', 'resource_tags')
	EXCEPT SELECT tablename || '.' || unnest(attnames) FROM pg_publication_tables WHERE pubname = 'cp_webhook_definitions'}), '', 'all of a definition is sent');
is(sql($a, q{SELECT c.relname || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
	WHERE c.relnamespace = 'cp_webhook'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped AND c.relname IN ('deliveries', 'executions')
	EXCEPT SELECT tablename || '.' || unnest(attnames) FROM pg_publication_tables WHERE pubname = 'cp_webhook_events' ORDER BY 1}),
	"executions.client_request_token\nexecutions.era\nexecutions.xid", 'and all of an event, but for what is each node\'s own');

# ---- definitions go out ----

sub status_of
{
	my ($node, $path, %options) = @_;
	return try_post($node, $path, $options{body} // '{}', secret => 's3cret', %options);
}

is(status_of($_, $early, id => 'early-' . $_->name)->{json}{status}, 'triggered', 'what was put before answers on ' . $_->name) foreach @ingest;
my $late = put_webhook($hub, 'late', secret => 's3cret', filters => [ { jsonPath => '$.ref', matchEquals => '{Branch}' } ]);
foreach my $node (@ingest)
{
	my $answer;

	poll('a new webhook answers on ' . $node->name, sub {
		$answer = status_of($node, $late, body => '{"ref":"main"}', id => 'late-' . $node->name);
		$answer->{status} != 404;
	});
	is($answer->{json}{status}, 'triggered', 'with its secret and its pipeline on ' . $node->name);
	is(sql($node, 'SELECT string_agg(token, $$ $$ ORDER BY token) FROM cp_webhook.webhook_definitions'),
		sql($hub, 'SELECT string_agg(token, $$ $$ ORDER BY token) FROM cp_webhook.webhook_definitions'), 'with the same tokens');
	is(status_of($node, $late, body => '{"ref":"other"}')->{json}{status}, 'ignored', 'its filter is the pipeline\'s');
}
update_pipeline($hub, 'pipeline', Branch => 'other');
poll('a new version of the pipeline is known on ' . $_->name, sub {
	my $node = $_;
	status_of($node, $late, body => '{"ref":"other"}')->{json}{status} eq 'triggered';
}) foreach @ingest;
is(status_of($_, $late, body => '{"ref":"main"}')->{json}{status}, 'ignored', 'and the one before is forgotten') foreach @ingest;
call($hub, 'put_webhook', webhook_request('late', secret => 'n3w'));
poll('a new secret is known on ' . $_->name, sub { try_post($_, $late, '{}', secret => 'n3w')->{status} == 200 }) foreach @ingest;
is(status_of($_, $late)->{status}, 401, 'and the old one is not taken') foreach @ingest;
call($hub, 'tag_resource', { resourceArn => sql($hub, q{SELECT arn FROM cp_webhook.webhooks WHERE name = 'late'}), tags => [ { key => 'team', value => 'web' } ] });
wait_for_definitions(%node);
is(sql($_, 'SELECT key, value FROM cp_webhook.resource_tags'), 'team|web', 'tags go out') foreach @ingest;

# ---- what an ingest node leaves to others ----

my ($arn, $id) = split /\|/, sql($a, 'SELECT arn, (SELECT id FROM cp_webhook.executions LIMIT 1) FROM cp_webhook.webhooks LIMIT 1');
my %refused = (
	put_webhook => webhook_request('own'),
	delete_webhook => { name => 'early' },
	register_webhook_with_third_party => { webhookName => 'early' },
	deregister_webhook_with_third_party => { webhookName => 'early' },
	create_pipeline => { pipeline => { %{ call($a, 'get_pipeline', { name => 'pipeline' })->{pipeline} }, name => 'own' } },
	update_pipeline => { pipeline => call($a, 'get_pipeline', { name => 'pipeline' })->{pipeline} },
	delete_pipeline => { name => 'pipeline' },
	tag_resource => { resourceArn => $arn, tags => [ { key => 'a', value => 'b' } ] },
	untag_resource => { resourceArn => $arn, tagKeys => ['team'] },
	stop_pipeline_execution => { pipelineName => 'pipeline', pipelineExecutionId => $id });
delete $refused{create_pipeline}{pipeline}{version};
like(try_call($a, $_, $refused{$_}), qr/ERROR:  CP021: ConflictException: $_ is not for an ingest node.*HINT:  Call it on the (definition node|hub)/s, "$_ is refused on an ingest node") foreach sort keys %refused;
my ($status, undef, $errors) = $a->psql('postgres', q{SELECT * FROM cp_webhook.claim_executions('worker')});
like($errors, qr/claim_executions is not for an ingest node/, 'so is claim_executions');
is(sql($a, q{SELECT cp_webhook.test_webhook('{"name": "early", "body": {}}') ->> 'outcome'}), 'triggered', 'test_webhook is not');

# ---- events come in ----

wait_for_events(%node);
is(sql($hub, 'SELECT count(*), count(DISTINCT id) FROM cp_webhook.executions'), sql($hub, 'SELECT count(*), count(*) FROM cp_webhook.trigger_events WHERE webhook IS NOT NULL'), 'each execution is on the hub with its delivery');
my $all = join ' + ', map { sql($_, 'SELECT count(*) FROM cp_webhook.deliveries') } @ingest;
is(sql($hub, 'SELECT count(*) FROM cp_webhook.deliveries'), eval $all, 'and the deliveries of all outcomes');
is(sql($hub, q{SELECT last_triggered = (SELECT max(received_at) FROM cp_webhook.deliveries WHERE outcome = 'triggered' AND webhook = 'early') FROM cp_webhook.webhooks WHERE name = 'early'}), 't', 'last_triggered is exact there');
sql($hub, q{SELECT cp_webhook.claim_executions('drain', NULL, 1000)});
sql($hub, q{DELETE FROM cp_webhook.executions WHERE status <> 'Superseded'});

my $listener = listen_for_notifications($hub);
my $sent = status_of($a, $early, id => 'told', event => 'push');
wait_for_events(%node);
my ($told) = take_notifications($listener, 1);
is_deeply({ map { $_ => $told->{$_} } qw(pipelineExecutionId pipelineName webhook event) },
	{ pipelineExecutionId => $sent->{json}{pipelineExecutionId}, pipelineName => 'pipeline', webhook => 'early', event => 'push' }, 'the hub notifies of it');
is(sql($hub, qq{SELECT id FROM cp_webhook.deliveries WHERE id = '$told->{deliveryId}' AND received_at = '$told->{receivedAt}'}), $told->{deliveryId}, 'with its delivery');
my ($claimed, $nonce) = split /\|/, sql($hub, q{SELECT id, nonce FROM cp_webhook.claim_executions('worker')});
is($claimed, $sent->{json}{pipelineExecutionId}, 'and it can be claimed there');
sql($hub, "SELECT cp_webhook.complete_execution('$claimed', '$nonce')");
is(call($hub, 'get_pipeline_execution', { pipelineName => 'pipeline', pipelineExecutionId => $claimed })->{pipelineExecution}{status}, 'Succeeded', 'and ended');

# ---- the same delivery at two nodes, or twice at one ----

my %answer = map { $_->name => status_of($_, $early, id => 'twice') } @ingest;
is($answer{$_}{json}{status}, 'triggered', "the same id triggers on $_") foreach qw(a b);
is(status_of($a, $early, id => 'twice')->{json}{status}, 'duplicate', 'but not twice on one');
wait_for_events(%node);
my @both = map { $answer{$_}{json}{pipelineExecutionId} } qw(a b);
is(sql($hub, q{SELECT status, count(*) FROM cp_webhook.trigger_events WHERE provider_delivery_id = 'twice' GROUP BY 1 ORDER BY 1}), "InProgress|1\nSuperseded|1", 'on the hub one of the two waits');
my ($first, $second, $reason) = split /\|/, sql($hub, q{SELECT k.execution, e.id, e.reason FROM cp_webhook.delivery_keys k, cp_webhook.trigger_events e
	WHERE k.key = 'twice' AND e.execution_id <> k.execution AND e.provider_delivery_id = 'twice'} =~ s/e\.id, e\.reason/e.execution_id, e.reason/r);
is(join(' ', sort $first, $second), join(' ', sort @both), 'and the other one is ended');
is($reason, "another node has taken the same delivery: execution $first", 'and says why');
($told) = take_notifications($listener, 1);
is($told->{pipelineExecutionId}, $first, 'the first one is notified');
is(count_notifications($listener), 0, 'and no other');
my ($taken) = split /\n/, sql($hub, q{SELECT id FROM cp_webhook.claim_executions('worker', NULL, 100)});
is($taken, $first, 'and claimed');
sql($hub, q{SELECT cp_webhook.complete_execution(id, nonce) FROM cp_webhook.executions WHERE nonce IS NOT NULL});
my $again = sql($b, q{SELECT cp_webhook.redeliver(id) FROM cp_webhook.deliveries WHERE provider_delivery_id = 'twice'});
my $started = call($a, 'start_pipeline_execution', { name => 'pipeline', clientRequestToken => 'token-1' })->{pipelineExecutionId};
my $other = call($b, 'start_pipeline_execution', { name => 'pipeline', clientRequestToken => 'token-1' })->{pipelineExecutionId};
wait_for_events(%node);
is(sql($hub, "SELECT status FROM cp_webhook.executions WHERE delivery = '$again'"), 'InProgress', 'a redelivery on a node is no duplicate');
is(sql($hub, "SELECT count(*) FROM cp_webhook.executions WHERE id IN ('$started', '$other')"), '2', 'executions that are started on nodes arrive too');

# ---- modes are the hub's ----

sql($hub, q{SELECT cp_webhook.stop_pipeline_execution(jsonb_build_object('pipelineName', pipeline, 'pipelineExecutionId', id)) FROM cp_webhook.executions WHERE status = 'InProgress'});
my $declaration = call($hub, 'get_pipeline', { name => 'pipeline' })->{pipeline};
delete $declaration->{version};
call($hub, 'create_pipeline', { pipeline => { %$declaration, name => lc $_, executionMode => $_ } }) foreach qw(QUEUED PARALLEL);
my %path = map { $_ => put_webhook($hub, $_, pipeline => $_, secret => 's3cret') } qw(queued parallel);
wait_for_definitions(%node);
my @order = map { status_of($ingest[ $_ % 2 ], $path{queued}, id => "q-$_")->{json}{pipelineExecutionId} } 1 .. 4;
wait_for_events(%node);
my @claims;
foreach my $execution (@order)
{
	my ($id, $nonce) = split /\|/, sql($hub, q{SELECT id, nonce FROM cp_webhook.claim_executions('worker', '{queued}', 10)});

	push @claims, $id;
	is(sql($hub, q{SELECT count(*) FROM cp_webhook.claim_executions('other', '{queued}', 10)}), '0', 'QUEUED: one at a time');
	sql($hub, "SELECT cp_webhook.complete_execution('$id', '$nonce')");
}
is_deeply(\@claims, \@order, 'in the order in which two nodes took them');

# ---- a node that was away ----

$b->stop;
my $third = put_webhook($hub, 'third', secret => 's3cret');
call($hub, 'delete_webhook', { name => 'late' });
poll('a deleted webhook is gone on a node', sub { status_of($a, $late, secret => 'n3w')->{status} == 404 });
$hub->stop;
is(status_of($a, $early, id => "away-$_")->{json}{status}, 'triggered', 'a node answers while the hub is away') foreach 1 .. 3;
$hub->start;
$b->start;
wait_until_listening($b);
poll('the node that was away catches up', sub { status_of($b, $third, id => 'back')->{status} == 200 });
is(status_of($b, $late, secret => 'n3w')->{status}, 404, 'and knows what was deleted');
wait_for_events(%node);
is(sql($hub, q{SELECT count(*), count(DISTINCT provider_delivery_id) FROM cp_webhook.trigger_events WHERE provider_delivery_id ~ '^(away-|back)'}), '4|4', 'the hub has what was taken meanwhile');

# ---- a delivery of a day for which the hub has no partition ----

my $old = q{cp_webhook.uuid_at(now() - interval '40 days')};
cmp_ok(sql($a, q{SELECT cp_webhook.make_partitions(now() - interval '40 days')}), '>=', 40, 'make_partitions() makes those that are missing');
is(sql($a, q{SELECT cp_webhook.make_partitions(now() - interval '40 days')}), '0', 'and no other');
like(($a->psql('postgres', q{SELECT cp_webhook.make_partitions(now() + interval '1 day')}))[2], qr/ValidationException/, 'none for tomorrow');
like(($a->psql('postgres', q{SELECT cp_webhook.make_partitions(now() - interval '4001 days')}))[2], qr/ValidationException/, 'nor for eleven years');
my $position = log_position($hub);
sql($a, qq{WITH d AS (INSERT INTO cp_webhook.deliveries (id, received_at, webhook, outcome, http_status, headers, webhook_id)
	  SELECT $old, now() - interval '40 days', 'early', 'triggered', 200, '{}', id FROM cp_webhook.webhook_definitions WHERE name = 'early' RETURNING id)
	INSERT INTO cp_webhook.executions (id, pipeline, version, trigger_type, delivery, created_at, updated_at)
	  SELECT id, 'pipeline', 1, 'Webhook', id, now() - interval '100 days', now() FROM d});
poll('the hub has no partition for it', sub { log_since($hub, $position) =~ /no partition of relation "deliveries" found for row/ });
status_of($a, $early, id => 'behind');
sql($hub, q{SELECT cp_webhook.make_partitions(now() - interval '40 days')});
wait_for_events(%node);
is(sql($hub, q{SELECT count(*) FROM cp_webhook.trigger_events WHERE provider_delivery_id = 'behind' OR execution_id = delivery}), '2', 'then it goes on');

# ---- an ingest node removes by age alone ----

set_settings($a, delivery_retention => '35d', execution_retention => '10d');
set_settings($hub, delivery_retention => '35d', execution_retention => '10d');
wake_maintenance($a, q{NOT EXISTS (SELECT FROM cp_webhook.deliveries WHERE received_at < now() - interval '35 days')});
wake_maintenance($a, q{NOT EXISTS (SELECT FROM cp_webhook.executions WHERE created_at < now() - interval '10 days')});
cmp_ok(sql($a, q{SELECT count(*) FROM cp_webhook.executions}), '>', 0, 'an ingest node removes what is old, ended or not');
wait_for_events(%node);
wake_maintenance($hub, 'partitions_dropped > 0 FROM cp_webhook.maintenance_stats()');
is(sql($hub, q{SELECT count(*) FROM cp_webhook.trigger_events WHERE execution_id = delivery}), '1', 'which the hub keeps until it has ended');

# ---- the same ones at both, in opposite orders ----

# Whoever applies them may have to wait for the other one, and that one for it.
$position = log_position($hub);
my @same = map {
	my $reversed = $_;
	start_sending(ports => [ port_of($ingest[$reversed]) ], paths => [ $path{parallel} ], secret => 's3cret', rate => 600, count => 600,
		id => sub { 'same-' . ($reversed ? 599 - $_[0] : $_[0]) });
} 0, 1;
is(finish_sending($_)->{acked}, 600, 'a node takes what the other one takes as well') foreach @same;
wait_for_events(%node);
note('deadlocks on the hub: ' . (() = log_since($hub, $position) =~ /deadlock detected/g));
is(sql($hub, q{SELECT status, count(*), count(DISTINCT provider_delivery_id) FROM cp_webhook.trigger_events WHERE provider_delivery_id LIKE 'same-%' GROUP BY 1 ORDER BY 1}),
	"InProgress|600|600\nSuperseded|600|600", 'one of each waits on the hub');
is(sql($hub, q{SELECT count(*) FROM cp_webhook.trigger_events l JOIN cp_webhook.trigger_events w USING (provider_delivery_id)
	WHERE l.status = 'Superseded' AND w.status = 'InProgress' AND l.provider_delivery_id LIKE 'same-%' AND l.reason LIKE '%' || w.execution_id}), '600', 'and the other one names it');

# ---- a full notification queue ----

SKIP:
{
	skip 'to fill the notification queue takes 8 GB before PostgreSQL 17', 2
	  if sql($hub, q{SELECT count(*) FROM pg_settings WHERE name = 'max_notify_queue_pages'}) == 0;
	$hub->append_conf('postgresql.conf', 'max_notify_queue_pages = 64');
	$hub->restart;
	# A listener in a transaction takes nothing from the queue.
	my $stuck = listen_for_notifications($hub);
	$stuck->query_safe('BEGIN');
	$stuck->query_safe('SELECT 1');
	poll('the queue is full', sub {
		$hub->psql('postgres', q{SELECT count(pg_notify('other', repeat('x', 7000) || i)) FROM generate_series(1, 10) i});
		sql($hub, 'SELECT pg_notification_queue_usage() > 0.95') eq 't';
	}, 0);
	my $answer = status_of($a, $early, id => 'queue');
	wait_for_events(%node);
	is(sql($hub, "SELECT count(*) FROM cp_webhook.executions WHERE id = '$answer->{json}{pipelineExecutionId}'"), '1', 'a full notification queue keeps nothing from arriving');
	is(sql($hub, 'SELECT pg_notification_queue_usage() > 0.95'), 't', 'and it was full');
	$stuck->query('COMMIT');
	$stuck->quit;
}

# ---- many, counted ----

sql($hub, q{DELETE FROM cp_webhook.executions});
my $load = start_sending(ports => [ map { port_of($_) } @ingest ], paths => [ $path{parallel} ], secret => 's3cret',
	rate => $rate, count => $deliveries);
poll('some have been acked', sub { acked_by($load) > $deliveries / 6 }, 0.1);
$hub->stop('immediate');
$hub->start;
poll('more have been acked', sub { acked_by($load) > $deliveries / 3 }, 0.1);
$a->stop('fast');
poll('even more have been acked', sub { acked_by($load) > $deliveries / 2 }, 0.1);
$a->start;
my $result = finish_sending($load);
my $start = time;
is($result->{acked}, $deliveries, "$deliveries deliveries are acked");
wait_for_events(%node);
note(sprintf 'the hub had them all %.2f s after the last ack; errors: %s', time - $start, join(', ', map { "$_ $result->{errors}{$_}" } sort keys %{ $result->{errors} }));
note('recorded by ' . join ', ', map { $_->name . ' ' . sql($_, q{SELECT count(*) FROM cp_webhook.deliveries WHERE webhook = 'parallel'}) } @ingest);
is(sql($hub, q{SELECT count(DISTINCT provider_delivery_id) FROM cp_webhook.trigger_events WHERE webhook = 'parallel'}), $deliveries, 'and counted on the hub');
is(sql($hub, q{SELECT count(*), count(DISTINCT e.provider_delivery_id) FROM cp_webhook.trigger_events e WHERE webhook = 'parallel' AND status = 'InProgress'}), "$deliveries|$deliveries", 'each waits once');
my %waiting = map { split /\|/ } split /\n/, sql($hub, q{SELECT provider_delivery_id, execution_id FROM cp_webhook.trigger_events WHERE webhook = 'parallel' AND status = 'InProgress'});
is(scalar(grep { $_->{tries} == 1 && ($waiting{ $_->{id} } // '') ne $_->{execution} } @{ $result->{notes} }), 0, 'with the execution that was acked');
sql($hub, q{CREATE TABLE done (id uuid)});
my $rounds = 0;
while (sql($hub, q{WITH c AS (SELECT id, nonce FROM cp_webhook.claim_executions('worker', '{parallel}', 1000)),
	d AS (INSERT INTO done SELECT id FROM c RETURNING id), e AS (SELECT cp_webhook.complete_execution(id, nonce) FROM c)
	SELECT (SELECT count(*) FROM d) + 0 * (SELECT count(*) FROM e)}) > 0)
{
	$rounds++;
}
is(sql($hub, 'SELECT count(*), count(DISTINCT id) FROM done'), "$deliveries|$deliveries", 'consumers get each once');
run_commands(\%node, $hub, $command{watch});

# ---- acked when the hub has it as well ----

sql($a, q{ALTER SYSTEM SET synchronous_standby_names = 'cp_webhook_from_a'});
$a->reload;
sql($hub, "ALTER SUBSCRIPTION cp_webhook_from_$_ SET (synchronous_commit = on)") foreach qw(a b);
poll('the hub is synchronous for a', sub { sql($a, q{SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'}) eq '1' });
foreach my $round (1 .. 5)
{
	my $answer = status_of($a, $early, id => "sure-$round");

	is(sql($hub, "SELECT count(*) FROM cp_webhook.executions WHERE id = '$answer->{json}{pipelineExecutionId}'"), '1', "delivery $round is on the hub when it is acked");
}

# ---- a hub that is another server than the definition node, and comes later ----

my $late_hub = start_node('late', workers => 0);
sql($late_hub, q{SELECT cp_webhook.make_partitions(now() - interval '40 days')});
my $from = sub { 'host=' . $_[0]->host . ' port=' . $_[0]->port . ' dbname=postgres user=cp_webhook_replication' };
sql($late_hub, "CREATE SUBSCRIPTION late_definitions CONNECTION '" . $from->($hub) . "' PUBLICATION cp_webhook_definitions");
sql($late_hub, "CREATE SUBSCRIPTION late_from_b CONNECTION '" . $from->($b) . "' PUBLICATION cp_webhook_events");
poll('it has copied what was there', sub { sql($late_hub, q{SELECT count(*) = 6 AND bool_and(srsubstate = 'r') FROM pg_subscription_rel}) eq 't' });
is(sql($late_hub, "SELECT count(*) FROM cp_webhook.$_"), sql($b, "SELECT count(*) FROM cp_webhook.$_"), "all $_ of a node") foreach qw(deliveries executions);
my $copied = status_of($b, $early, id => 'late hub')->{json}{pipelineExecutionId};
$b->wait_for_catchup('late_from_b', 'replay', $b->lsn('insert'));
is(sql($late_hub, "SELECT pipeline, webhook FROM cp_webhook.trigger_events WHERE execution_id = '$copied'"), 'pipeline|early', 'and what comes then');
is(sql($late_hub, q{SELECT count(*) FROM cp_webhook.claim_executions('worker', '{parallel}', 5)}), '5', 'which can be claimed by the modes that are put elsewhere');
sql($late_hub, "DROP SUBSCRIPTION $_") foreach qw(late_definitions late_from_b);
$late_hub->stop;

# ---- the hub fails over to a standby of its own ----

$hub->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('second');
$standby->init_from_backup($hub, 'base', has_streaming => 1);
$standby->start;
sql($hub, q{ALTER SYSTEM SET synchronous_standby_names = 'second'});
$hub->reload;
poll('the standby is synchronous', sub { sql($hub, q{SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'}) eq '1' });
sql($a, q{ALTER SYSTEM RESET synchronous_standby_names});
$a->reload;
is(sql($standby, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'logical replication apply%'}), '0', 'a standby takes nothing from the nodes');
$load = start_sending(ports => [ map { port_of($_) } @ingest ], paths => [ $path{parallel} ], secret => 's3cret', rate => 500, count => 1500, id => sub { "failover-$_[0]" });
poll('some have been acked', sub { acked_by($load) > 500 }, 0.05);
# All at once, as a machine goes: what outlives its postmaster for a moment takes
# a wait for the standby for done, and tells the node so.
my @processes = map { /^(\d+)/ } split /\n/, slurp_file($hub->data_dir . '/postmaster.pid') =~ s/\n.*//sr;
push @processes, split /\n/, sql($hub, q{SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()});
kill STOP => @processes;
$hub->kill9;
kill KILL => @processes;
$standby->promote;
$result = finish_sending($load);
is($result->{acked}, 1500, 'ingest nodes go on without it');
$node{hub} = $hub = $standby;
wait_for_events(%node);
is(sql($hub, q{SELECT count(*), count(DISTINCT provider_delivery_id) FROM cp_webhook.trigger_events WHERE provider_delivery_id LIKE 'failover-%' AND status = 'InProgress'}), '1500|1500',
	'the promoted one takes up where the other one was: all are there, once');
foreach my $name (qw(a b))
{
	sql($hub, "SELECT pg_create_logical_replication_slot('cp_webhook_$name', 'pgoutput')");
	sql($node{$name}, "ALTER SUBSCRIPTION cp_webhook_$name CONNECTION '" . $from->($hub) . q{'});
}
my $fourth = put_webhook($hub, 'fourth', secret => 's3cret');
foreach my $node (@ingest)
{
	poll('what is put there answers on ' . $node->name, sub { status_of($node, $fourth)->{status} == 200 });
}

# ---- a put that is live everywhere when it returns ----

# On the same server the subscriptions would wait as well, for nodes that may be
# waiting for them.
foreach my $name (qw(a b))
{
	sql($hub, "ALTER SUBSCRIPTION cp_webhook_from_$name SET (synchronous_commit = off)");
	sql($hub, "ALTER SUBSCRIPTION cp_webhook_from_$name DISABLE");
}
poll('they have ended', sub { sql($hub, 'SELECT count(pid) FROM pg_stat_subscription') eq '0' });
sql($hub, "ALTER SUBSCRIPTION cp_webhook_from_$_ ENABLE") foreach qw(a b);
run_commands(\%node, $hub, $command{synchronous});
poll('the nodes are synchronous', sub { sql($hub, q{SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'}) eq '2' });
foreach my $round (1 .. 5)
{
	my $request = webhook_request("sync-$round", secret => 's3cret');
	my $answer = json_of(sql($hub, "SET synchronous_commit = remote_apply; SELECT cp_webhook.put_webhook('" . JSON::PP->new->encode($request) . "')"));
	my ($path) = $answer->{webhook}{url} =~ m{(/trigger/.*)};

	is(join(' ', map { status_of($_, $path)->{status} } @ingest), '200 200', "put $round is live on both nodes when it returns");
}
$b->stop;
sql($hub, q{SELECT cp_webhook.start_pipeline_execution('{"name": "pipeline"}')});
pass('who has not asked for it waits for nobody');
$hub->stop;
$a->stop;

done_testing();
