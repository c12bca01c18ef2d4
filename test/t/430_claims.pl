# Claims when consumers and servers die, without the library in shared memory,
# after a restore; what is notified, and on which channel.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_receivers('consumers', settings => { workers => 1 }, conf => "max_prepared_transactions = 2\nrestart_after_crash = on\n");

sub sql
{
	my ($statement, $server) = @_;
	return ($server // $node)->safe_psql('postgres', $statement);
}

sub create
{
	my ($name, $mode) = @_;
	sql(qq{SELECT cp_webhook.create_pipeline('{"pipeline": {"name": "$name", "executionMode": "$mode", "stages": [
		{"name": "Source", "actions": [{"name": "Source", "actionTypeId": {"category": "Source", "owner": "Custom", "provider": "x", "version": "1"}}]},
		{"name": "Build", "actions": [{"name": "Build", "actionTypeId": {"category": "Build", "owner": "Custom", "provider": "x", "version": "1"}}]}]}}')});
	return;
}

sub start
{
	my ($name, $count) = @_;
	sql(qq{SELECT cp_webhook.start_pipeline_execution('{"name": "$name"}') FROM generate_series(1, $count)});
	return;
}

# The numbers of what is claimed, and their attempts.
sub claimed
{
	my ($name, $most, $server) = @_;
	return sql(qq{
		SELECT string_agg((SELECT count(*) FROM cp_webhook.executions e WHERE e.pipeline = c.pipeline AND e.id <= c.id) || '#' || attempt, ' ')
		  FROM cp_webhook.claim_executions('test', '{$name}', $most, '1 hour') c}, $server);
}

create(parallel => 'PARALLEL');
create(queued => 'QUEUED');

# ---- a consumer that dies ----

start(queued => 2);
my $consumer = $node->background_psql('postgres');
$consumer->query_safe(q{BEGIN; SELECT cp_webhook.claim_executions('mortal', '{queued}')});
is(claimed(queued => 1), '', 'a claim in a transaction keeps the pipeline');
sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'});
poll('the transaction is gone', sub { claimed(queued => 1) eq '1#1' });
pass('its end gives the execution back at once, and was no attempt');
eval { $consumer->quit };

sql(q{SELECT cp_webhook.extend_lease(id, nonce, '1 second') FROM cp_webhook.executions WHERE lease_until IS NOT NULL});
my $taken;
poll('the lease of one that died runs out', sub { $taken = claimed(queued => 1) });
is($taken, '1#2', 'it comes back by itself, with another attempt');

# ---- a server that crashes: its memory is gone ----

start(parallel => 3);
is(claimed(parallel => 1), '1#1', 'a claim before the crash');
my ($pid) = worker_pids($node);
kill 'KILL', $pid;
poll('the server is back', sub {
	my $pids = eval { sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'cp_webhook receiver'}) } // '';
	return $pids ne '' && $pids ne $pid;
});
wait_until_listening($node);
is(claimed(parallel => 5), '2#1 3#1', 'after it, what waits is found');
is(claimed(queued => 5), '', 'and what runs is known');
sql(q{SELECT cp_webhook.complete_execution(id, nonce) FROM cp_webhook.executions WHERE lease_until IS NOT NULL});
is(claimed(queued => 5), '2#1', 'claims from before it can be ended');
sql(q{SELECT cp_webhook.complete_execution(id, nonce) FROM cp_webhook.executions WHERE lease_until IS NOT NULL});

# ---- a prepared transaction ----

my ($status, undef, $errors) = $node->psql('postgres', q{BEGIN; SELECT cp_webhook.claim_executions('w'); SELECT txid_current(); PREPARE TRANSACTION 'nothing'});
is($status, 0, 'a claim that found nothing can be prepared');
sql(q{COMMIT PREPARED 'nothing'});
start(parallel => 1);
($status, undef, $errors) = $node->psql('postgres', q{BEGIN; SELECT cp_webhook.claim_executions('w', '{parallel}'); PREPARE TRANSACTION 'claim'});
like($errors, qr/cannot PREPARE a transaction that has started, claimed or put off executions/, 'one that has claimed can not');
is(claimed(parallel => 1), '4#1', 'and gives back what it had');

# ---- many claimers at once, in both modes ----

sql('CREATE TABLE done (n bigserial, id uuid, pipeline text)');
start(parallel => 400);
start(queued => 200);
sql(q{CREATE PROCEDURE consume() LANGUAGE plpgsql AS $$
	DECLARE c record; idle int := 0;
	BEGIN
	  WHILE EXISTS (SELECT FROM cp_webhook.executions WHERE status = 'InProgress' AND lease_until IS NULL) OR idle < 3 LOOP
	    SELECT * INTO c FROM cp_webhook.claim_executions('load');
	    idle := CASE WHEN FOUND THEN 0 ELSE idle + 1 END;
	    COMMIT;
	    IF c.id IS NOT NULL THEN
	      IF random() < 0.05 THEN
	        PERFORM cp_webhook.fail_execution(c.id, c.nonce, 'unlucky', '0');
	      ELSE
	        INSERT INTO done (id, pipeline) VALUES (c.id, c.pipeline);
	        PERFORM cp_webhook.complete_execution(c.id, c.nonce);
	      END IF;
	      IF random() < 0.05 THEN ROLLBACK; PERFORM cp_webhook.fail_execution(c.id, c.nonce, 'rolled back', '0'); END IF;
	      COMMIT;
	    END IF;
	  END LOOP;
	END $$});
sql(q{ALTER SYSTEM SET cp_webhook.max_attempts = 1000});
$node->reload;
poll('the setting is there', sub { sql('SHOW cp_webhook.max_attempts') eq '1000' });
my @running = map {
	IPC::Run::start([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c', 'CALL consume()' ], '<', '/dev/null')
} 1 .. 6;
is(scalar(grep { !$_->finish } @running), 0, 'six consumers end without an error');
is(sql(q{SELECT count(*) FROM cp_webhook.executions WHERE status = 'InProgress' AND lease_until IS NULL}), '0', 'nothing is left');
is(sql(q{SELECT pipeline, count(*), count(DISTINCT id) FROM done GROUP BY 1 ORDER BY 1}), "parallel|400|400\nqueued|200|200", 'each was done once');
is(sql(q{SELECT count(*) FROM (SELECT id, lead(id) OVER (ORDER BY n) AS next FROM done WHERE pipeline = 'queued') d WHERE next < id}), '0', 'the QUEUED ones in order');

# ---- a claim overlooks nothing ----

# Late commits, rollbacks, retries, leases that run out. What is overlooked is
# found by the look at everything, a minute later: here seconds are enough.
create(stress => 'PARALLEL');
sql(q{
	CREATE PROCEDURE produce(transactions int) LANGUAGE plpgsql AS $$
	BEGIN
	  FOR i IN 1 .. transactions LOOP
	    PERFORM cp_webhook.start_pipeline_execution('{"name": "stress"}') FROM generate_series(1, 1 + (random() * 2)::int);
	    PERFORM pg_sleep(random() * 0.01);
	    PERFORM cp_webhook.start_pipeline_execution('{"name": "stress"}') FROM generate_series(1, (random() * 2)::int);
	    IF random() < 0.1 THEN ROLLBACK; ELSE COMMIT; END IF;
	  END LOOP;
	END $$;
	CREATE PROCEDURE consume_stress() LANGUAGE plpgsql AS $$
	DECLARE c record;
	BEGIN
	  WHILE EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'CALL produce%' AND state = 'active')
	     OR EXISTS (SELECT FROM cp_webhook.executions WHERE pipeline = 'stress' AND status = 'InProgress') LOOP
	    SELECT * INTO c FROM cp_webhook.claim_executions('w', '{stress}', 1, '50 ms');
	    IF c.id IS NOT NULL THEN
	      IF random() < 0.1 THEN ROLLBACK; CONTINUE; END IF;
	      IF random() < 0.1 THEN PERFORM pg_sleep(random() * 0.02); END IF;
	      IF random() < 0.3 THEN COMMIT; END IF;
	      BEGIN
	        IF random() < 0.2 THEN PERFORM cp_webhook.fail_execution(c.id, c.nonce, 'x', random() * interval '20 ms');
	        ELSIF random() > 0.05 THEN PERFORM cp_webhook.complete_execution(c.id, c.nonce); END IF;
	      EXCEPTION WHEN SQLSTATE 'CP030' THEN NULL;
	      END;
	    END IF;
	    COMMIT;
	  END LOOP;
	END $$;});
@running = map {
	IPC::Run::start([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c', $_ ], '<', '/dev/null')
} ('CALL produce(300)') x 2, ('CALL consume_stress()') x 4;
is(scalar(grep { !$_->finish } @running), 0, 'producers and consumers end without an error');
is(sql(q{SELECT max(ended_at) - max(created_at) < '30 s' FROM cp_webhook.executions WHERE pipeline = 'stress'}), 't', 'nothing was overlooked');
is(sql(q{SELECT string_agg(DISTINCT status, ' ') FROM cp_webhook.executions WHERE pipeline = 'stress'}), 'Succeeded', 'everything was done');
cmp_ok(sql(q{SELECT max(attempts) FROM cp_webhook.executions WHERE pipeline = 'stress'}), '>', 1, 'some after several attempts');

# ---- the channels ----

my $path = put_webhook($node, 'hook', pipeline => 'parallel');
sub heard
{
	my ($psql) = @_;
	return join "\n", $psql->query('SELECT 1') =~ /^Asynchronous notification "(.*)" with payload ".*" received/mg;
}
sub heard_payloads
{
	my ($psql) = @_;
	return join "\n", $psql->query('SELECT 1') =~ /^Asynchronous notification "(.* with payload .*)" received/mg;
}
my $listener = $node->background_psql('postgres');
$listener->query_safe('LISTEN cp_webhook; LISTEN cp_webhook_parallel; LISTEN cp_webhook_queued');
post($node, $path, '{}');
is(heard($listener), 'cp_webhook', 'by default the one channel');
set_settings($node, notify_pipeline_channels => 'on');
post($node, $path, '{}');
is(heard($listener), "cp_webhook\ncp_webhook_parallel", 'or the pipeline\'s as well');
start(queued => 1);
is(heard($listener), "cp_webhook\ncp_webhook_queued", 'also from SQL');
set_settings($node, notify => 'batch');
start(parallel => 3);
is(heard_payloads($listener), qq{cp_webhook" with payload "{}\ncp_webhook_parallel" with payload "{}}, 'batch: once a transaction');
post($node, $path, '{}');
is(heard_payloads($listener), qq{cp_webhook" with payload "{}\ncp_webhook_parallel" with payload "{}}, 'of a receiver as well');
set_settings($node, notify => 'off');
post($node, $path, '{}');
start(parallel => 1);
is(heard($listener), '', 'off: nothing');
$listener->quit;
is(sql(q{SELECT count(webhook), count(event), count(payload) FROM cp_webhook.claim_executions('w', '{parallel}', 100)}), '4|0|4', 'a claim has what came with the delivery');

# ---- dump and restore, with claims open ----

sql(q{DELETE FROM cp_webhook.executions});
start(parallel => 3);
start(queued => 2);
is(claimed(parallel => 1), '1#1', 'a claim is open');
is(claimed(queued => 1), '1#1', 'and one of a QUEUED pipeline');
sql(q{SELECT cp_webhook.fail_execution(id, nonce, 'later', '1 hour') FROM cp_webhook.claim_executions('w', '{parallel}')});
my $archive = PostgreSQL::Test::Utils::tempdir() . '/dump';
$node->command_ok([ 'pg_dump', '--no-sync', '-Fc', '-f', $archive, $node->connstr('postgres') ], 'pg_dump');
my $restored = start_receivers('restored', extension => 0, settings => { workers => 1 });
$node->command_ok([ 'pg_restore', '-1', '--exit-on-error', '-d', $restored->connstr('postgres'), $archive ], 'pg_restore');
is(claimed(parallel => 9, $restored), '3#1', 'restored: what waited waits, but not what is claimed or put off');
is(claimed(queued => 9, $restored), '', 'the open claim keeps its pipeline');
sql(q{SELECT cp_webhook.complete_execution(id, nonce) FROM cp_webhook.executions WHERE pipeline = 'queued' AND nonce IS NOT NULL}, $restored);
is(claimed(queued => 9, $restored), '2#1', 'and ends as it would have');
$restored->stop;

# ---- without the library in shared memory ----

$node->stop;
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->start;
is(claimed(queued => 9), '', 'not preloaded: what runs is known');
is(claimed(parallel => 9), '3#1', 'what waits is found');
start(parallel => 2);
is(claimed(parallel => 1), '4#1', 'and what comes');
sql(q{UPDATE cp_webhook.executions SET lease_until = clock_timestamp() WHERE pipeline = 'queued' AND lease_until IS NOT NULL});
is(claimed(queued => 9), '1#2', 'leases run out');
is(sql(q{SELECT count(*) FROM cp_webhook.executions_after('')}), '7', 'positions are there');
$node->stop;

done_testing();
