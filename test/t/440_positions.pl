# Positions: a reader that is killed and started again misses nothing and gets
# nothing twice; across a restore, a promotion, and on a hub.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_receivers('primary', init => [ allows_streaming => 'logical' ], settings => { workers => 1 });

sub sql
{
	my ($statement, $server) = @_;
	return ($server // $node)->safe_psql('postgres', $statement);
}

sub start
{
	my ($count, $server) = @_;
	sql(qq{SELECT cp_webhook.start_pipeline_execution('{"name": "pipeline"}') FROM generate_series(1, $count)}, $server);
	return;
}

# What a reader does: what is after its position, and the position, in one
# transaction. Returns how many it has read in all, and how many different ones.
sub follow
{
	my ($server) = @_;
	poll('everything can be read', sub { sql('SELECT unread FROM cp_webhook.position_delay()', $server) eq '0' });
	sql('CALL follow(false)', $server);
	return sql('SELECT count(*), count(DISTINCT id) FROM seen', $server);
}

create_pipeline($node, 'pipeline');
sql(q{
	CREATE TABLE reader AS SELECT ''::text AS position;
	CREATE TABLE seen (n bigserial, id uuid);
	CREATE PROCEDURE follow(forever boolean) LANGUAGE plpgsql AS $$
	DECLARE next text;
	BEGIN
	  LOOP
	    WITH new AS (SELECT a.position, a.execution_id FROM reader r, cp_webhook.executions_after(r.position, NULL, 20) a),
	         kept AS (INSERT INTO seen (id) SELECT execution_id FROM new)
	    SELECT max(new.position COLLATE "C") FILTER (WHERE new.position = last.position) INTO next
	      FROM new, (SELECT position FROM new OFFSET (SELECT count(*) - 1 FROM new)) last;
	    UPDATE reader SET position = next WHERE next IS NOT NULL;
	    COMMIT;
	    EXIT WHEN next IS NULL AND NOT forever;
	  END LOOP;
	END $$;
	CREATE PROCEDURE produce(transactions int) LANGUAGE plpgsql AS $$
	BEGIN
	  FOR i IN 1 .. transactions LOOP
	    PERFORM cp_webhook.start_pipeline_execution('{"name": "pipeline"}') FROM generate_series(1, 1 + (random() * 4)::int);
	    PERFORM pg_sleep(random() * 0.01);
	    PERFORM cp_webhook.start_pipeline_execution('{"name": "pipeline"}');
	    IF random() < 0.1 THEN ROLLBACK; ELSE COMMIT; END IF;
	  END LOOP;
	END $$;});

# ---- a reader under load, killed and started again ----

sub begin
{
	my ($statement) = @_;
	return IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-c', $statement ], '<', '/dev/null', '>', '/dev/null', '2>', '/dev/null');
}
sub producing
{
	return sql(q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL produce%' AND state = 'active'});
}
my @producers = map { begin('CALL produce(500)') } 1 .. 4;
my ($reader, $kills) = (begin('CALL follow(true)'), 0);
poll('they produce', sub { producing() == 4 });
while (producing() > 0)
{
	my $before = sql('SELECT count(*) FROM seen');

	poll('the reader reads', sub { sql('SELECT count(*) FROM seen') > $before || producing() == 0 });
	sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CALL follow%'});
	$reader->finish;
	$kills++;
	$reader = begin('CALL follow(true)');
}
is(scalar(grep { !$_->finish } @producers), 0, 'four sessions have started executions');
poll('the reader runs', sub { sql(q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL follow%'}) eq '1' });
sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CALL follow%'});
$reader->finish;
poll('the reader is gone', sub { sql(q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL follow%'}) eq '0' });
note("$kills kills");
cmp_ok($kills, '>', 1, 'the reader was killed');
my $count = sql('SELECT count(*) FROM cp_webhook.executions');
is(follow(), "$count|$count", 'it has read everything, and nothing twice');

# ---- a transaction that stays open delays what comes, and is shown ----

my $open = $node->background_psql('postgres');
$open->query_safe('BEGIN; SELECT pg_current_xact_id()');
start(2);
sql('CALL follow(false)');
is(sql('SELECT count(*) FROM seen'), $count, 'nothing beyond the oldest transaction is read');
is(sql(q{SELECT unread, delay > '0', pid = (SELECT a.pid FROM pg_stat_activity a WHERE state = 'idle in transaction'), since < now() FROM cp_webhook.position_delay()}),
	'2|t|t|t', 'position_delay() shows whose end is waited for');
is(sql(q{SELECT count(*) FROM cp_webhook.claim_executions('w', '{pipeline}')}), '1', 'claims do not wait');
$open->query_safe('COMMIT');
$open->quit;
$count += 2;
is(follow(), "$count|$count", 'then it is');

# ---- a standby reads too, and goes on after its promotion ----

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'cp_webhook.port = ' . PostgreSQL::Test::Cluster::get_free_port());
$standby->start;
start(3);
$count += 3;
$node->wait_for_catchup($standby);
is(sql(q{SELECT count(*) FROM reader r, cp_webhook.executions_after(r.position) a}, $standby), '3', 'a standby shows what is after a position');
is(sql('SELECT cp_webhook.current_era()', $standby), sql('SELECT cp_webhook.current_era()'), 'in the era of its primary');
# What the primary alone has, and a position beyond what the standby gets.
my $archive = PostgreSQL::Test::Utils::tempdir() . '/dump';
$node->command_ok([ 'pg_dump', '--no-sync', '-Fc', '-f', $archive, $node->connstr('postgres') ], 'pg_dump, for later');
is(follow(), "$count|$count", 'the primary has read it all');
my $position = sql('SELECT position FROM reader');
$standby->promote;
poll('it is promoted', sub { sql('SELECT pg_is_in_recovery()', $standby) eq 'f' });
isnt(sql('SELECT cp_webhook.current_era()', $standby), sql('SELECT cp_webhook.current_era()'), 'its promotion begins an era');
poll('everything can be read', sub { sql('SELECT unread FROM cp_webhook.position_delay()', $standby) eq '0' });
is(sql(qq{SELECT count(*) FROM cp_webhook.executions_after('$position')}, $standby), '0', 'a position of before: nothing twice');
start(4, $standby);
poll('everything can be read', sub { sql('SELECT unread FROM cp_webhook.position_delay()', $standby) eq '0' });
is(sql(qq{SELECT count(*) FROM cp_webhook.executions_after('$position')}, $standby), '4', 'and nothing missed');
is(sql(q{SELECT count(*) FROM cp_webhook.claim_executions('w', '{pipeline}')}, $standby), '0', 'the claim of before is known there');
sql(q{SELECT cp_webhook.complete_execution(id, nonce) FROM cp_webhook.executions WHERE nonce IS NOT NULL}, $standby);
is(sql(q{SELECT count(*) FROM cp_webhook.claim_executions('w', '{pipeline}')}, $standby), '1', 'and it claims');
$standby->stop;

# ---- restored ----

# Its transaction ids are far below those of before.
my $restored = start_receivers('restored', extension => 0, settings => { workers => 1 });
$node->command_ok([ 'pg_restore', '-1', '--exit-on-error', '-d', $restored->connstr('postgres'), $archive ], 'pg_restore');
cmp_ok(sql('SELECT pg_current_xact_id()::text', $restored), '<', sql('SELECT pg_current_xact_id()::text'), 'the restored server has lesser transaction ids');
is(sql(qq{SELECT count(*) FROM cp_webhook.executions_after('$position')}, $restored), '0', 'a position of the other server: nothing twice');
start(5, $restored);
poll('everything can be read', sub { sql('SELECT unread FROM cp_webhook.position_delay()', $restored) eq '0' });
is(sql(qq{SELECT count(*) FROM cp_webhook.executions_after('$position')}, $restored), '5', 'and nothing missed');
is(follow($restored), ($count + 5) . '|' . ($count + 5), 'the reader that was restored goes on where it was');
$restored->stop;

# ---- a hub: executions of other servers, in an order of its own ----

my $hub = start_receivers('hub', settings => { workers => 1 });
create_pipeline($hub, 'pipeline');
start(1, $hub);
sql(q{CREATE PUBLICATION hub FOR TABLE cp_webhook.executions (id, pipeline, version, action, trigger_type, trigger_detail, delivery,
	status, attempts, lease_holder, lease_until, result, reason, created_at, started_at, ended_at, updated_at, webhook_id,
	client_request_token, request, nonce, retry_at) WITH (publish = 'insert')});
my $connection = $node->connstr('postgres') =~ s/'/''/gr;
sql(sprintf(q{CREATE SUBSCRIPTION hub CONNECTION '%s' PUBLICATION hub WITH (copy_data = false)}, $connection), $hub);
my $before = sql(q{SELECT max(position COLLATE "C") FROM cp_webhook.executions_after('')}, $hub);
start(3);
$node->wait_for_catchup('hub');
poll('everything can be read', sub { sql('SELECT unread FROM cp_webhook.position_delay()', $hub) eq '0' });
is(sql(qq{SELECT count(*) FROM cp_webhook.executions_after('$before')}, $hub), '3', 'a hub stamps what it receives');
is(sql(q{SELECT count(DISTINCT era) FROM cp_webhook.executions}, $hub), '1', 'with its own era');
is(sql(q{SELECT count(*) FROM cp_webhook.claim_executions('w', '{pipeline}', 10)}, $hub), '1', 'and can claim it: the newest, of a SUPERSEDED pipeline');
is(sql(q{SELECT status, count(*) FROM cp_webhook.executions GROUP BY 1 ORDER BY 1}, $hub), "InProgress|1\nSuperseded|3", 'which ends the older ones');
sql('DROP SUBSCRIPTION hub', $hub);
$hub->stop;
$node->stop;

done_testing();
