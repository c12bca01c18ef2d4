# Receivers that are terminated, cancelled, not wanted, or have no database.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Lifecycle;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = start_receivers('main', settings => { workers => 3 });
create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one');

# ---- what there is ----

my @pids = worker_pids($node);
is(scalar @pids, 3, 'there are as many receivers as the setting says');
is($node->safe_psql('postgres',
	q{SELECT DISTINCT backend_type, application_name, datname, state, wait_event_type, wait_event
	    FROM pg_stat_activity WHERE backend_type = 'cp_webhook receiver'}),
	'cp_webhook receiver|cp_webhook|postgres|idle|Extension|' .
	$node->safe_psql('postgres', q{SELECT DISTINCT wait_event FROM pg_stat_activity WHERE backend_type = 'cp_webhook receiver'}),
	'pg_stat_activity shows what they are');
is($node->safe_psql('postgres', 'SELECT count(DISTINCT pid) FROM cp_webhook.stats() WHERE pid IS NOT NULL'), '3',
	'stats() has a row for each');

# ---- terminated ----

my $idle = connect_to($node);
my $victim = worker_of($node, $idle);
my $position = log_position($node);
my $start = time;
my $started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');

$node->safe_psql('postgres', "SELECT pg_terminate_backend($victim)");
ok(eval { $idle->wait_for_end; 1 }, 'a terminated receiver closes its connections');
poll('another receiver has taken its place', sub {
	my @now = worker_pids($node);

	return @now == 3 && !grep { $_ == $victim } @now;
});
wait_until_listening($node);
my $seconds = time - $start;
note(sprintf 'it was back after %.2f s', $seconds);
cmp_ok($seconds, '<', 10, 'and is back soon');
my @each = connect_to_each($node);
is(join(' ', map { $_->request(POST => $path, body => '{}')->{status} } @each), '200 200 200', 'each of them serves');
is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $started, 'the server has not restarted');
unlike(log_since($node, $position), qr/crash|PANIC|terminating any other/, 'nor has it crashed');

# All at once, while they have work.
my $load = start_load($node, $path, clients => 3);
poll('deliveries come', sub { acked_of($load) > 50 });
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'cp_webhook receiver'");
my $acked = acked_of($load);
poll('deliveries are taken again', sub { acked_of($load) > $acked + 50 });
my @notes = finish_load($load);
cmp_ok(scalar @notes, '>', 100, 'terminated under load: they come back');
my %executions;
push @{ $executions{ $_->{id} }{ $_->{execution} } }, $_ foreach @notes;
is(scalar(grep { keys %$_ > 1 } values %executions), 0, 'each delivery has one execution');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM cp_webhook.delivery_keys k JOIN cp_webhook.executions e ON e.id = k.execution
	 WHERE k.key IN (} . join(', ', map { "'$_'" } keys %executions) . ')'),
	scalar(keys %executions), 'and each that was acked is stored');

poll('the statistics know of the rows, for autovacuum', sub {
	$node->safe_psql('postgres', q{SELECT n_tup_ins FROM pg_stat_all_tables WHERE relid = 'cp_webhook.executions'::regclass})
	  >= @notes / 2;
});

# ---- cancelled ----

@pids = worker_pids($node);
@each = connect_to_each($node);
$position = log_position($node);
$node->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'cp_webhook receiver'")
  foreach 1 .. 3;
is(join(' ', map { $_->request(POST => $path, body => '{}')->{status} } @each), '200 200 200',
	'a cancel does nothing to an idle receiver, nor to what it does next');
is(join(' ', worker_pids($node)), join(' ', @pids), 'they are the same');
unlike(log_since($node, $position), qr/ERROR|FATAL|could not/, 'and the log says nothing');

my $admin = $node->background_psql('postgres', on_error_stop => 1);
$admin->query_safe('BEGIN');
$admin->query_safe('LOCK TABLE cp_webhook.executions IN ACCESS EXCLUSIVE MODE');
my $waiting = connect_to($node);
my $worker = worker_of($node, $waiting);
$waiting->send_text(request_text(POST => $path, body => '{}', id => 'cancelled'));
poll('it waits for the lock', sub {
	$node->safe_psql('postgres', "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $worker") eq 't';
});
$start = time;
$node->safe_psql('postgres', "SELECT pg_cancel_backend($worker)");
my ($answer) = answers_of(10, $waiting);
is($answer->{status}, 503, 'a cancel of a batch is a 503 for its deliveries');
cmp_ok($answer->{time} - $start, '<', 1.5, 'at once');
$admin->query_safe('ROLLBACK');
$admin->quit;
is($waiting->request(POST => $path, body => '{}', id => 'cancelled')->{json}{status}, 'triggered',
	'nothing was recorded, and the same receiver goes on');
is(join(' ', worker_pids($node)), join(' ', @pids), 'they are the same');

# ---- none ----

$node->append_conf('postgresql.conf', 'cp_webhook.workers = 0');
$node->restart;
is(scalar worker_pids($node), 0, 'workers = 0: there is no receiver');
is(try_post($node, $path, '{}')->{error}, 'refused', 'and nothing listens');
like(put_webhook($node, 'two'), qr{^/trigger/}, 'the SQL functions work');

# ---- no database ----

$node->append_conf('postgresql.conf', "cp_webhook.workers = 2\ncp_webhook.database = 'later'");
$position = log_position($node);
$node->restart;
$start = time;
poll('the log tells that the database is missing', sub {
	log_since($node, $position) =~ /FATAL:  database "later" does not exist/;
});
like(log_since($node, $position), qr/FATAL:  database "later" does not exist\n[^\n]*CONTEXT:  connecting to the database that cp_webhook\.database names/,
	'and which setting names it');
sleep 8;
my $failures = () = log_since($node, $position) =~ /database "later" does not exist/g;
$seconds = time - $start;
note(sprintf '%d attempts in %.1f s', $failures, $seconds);
# Two receivers, and the workers for maintenance and the AWS wire.
cmp_ok($failures, '<=', 4 * (1 + $seconds / 4), 'a missing database: no attempt more often than every few seconds');
cmp_ok($failures, '>=', 2, 'each receiver tries');
is($node->safe_psql('postgres', 'SELECT 1'), '1', 'the server stays up');
$node->safe_psql('postgres', 'CREATE DATABASE later');
$node->safe_psql('later', 'CREATE EXTENSION cp_webhook');
wait_until_listening($node);
is(try_get($node, '/healthz')->{status}, 200, 'once it is made, it is served');

$node->safe_psql('postgres', 'DROP DATABASE later WITH (FORCE)');
poll('the receivers are gone', sub { try_get($node, '/healthz')->{status} == 0 });
$node->safe_psql('postgres', 'CREATE DATABASE later');
wait_until_listening($node);
is(try_get($node, '/healthz')->{status}, 503, 'dropped by force and made again, without the extension: 503');
$node->safe_psql('later', 'CREATE EXTENSION cp_webhook');
is(try_get($node, '/healthz')->{status}, 200, 'and with it 200');

# ---- a database that is renamed and copied ----

$node->safe_psql('postgres', 'ALTER DATABASE later ALLOW_CONNECTIONS false');
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'later'");
poll('nobody is connected', sub { $node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE datname = 'later'") eq '0' });
$node->safe_psql('postgres', $_)
  foreach 'CREATE DATABASE copy TEMPLATE later', 'ALTER DATABASE later RENAME TO sooner',
  'ALTER DATABASE sooner RENAME TO later', 'ALTER DATABASE later ALLOW_CONNECTIONS true';
pass('without its workers it can be copied and renamed');
wait_until_listening($node);
is(try_get($node, '/healthz')->{status}, 200, 'and they come back');

# ---- no place ----

$node->append_conf('postgresql.conf', "max_worker_processes = 3\nmax_logical_replication_workers = 0");
$position = log_position($node);
$node->restart;
wait_until_listening($node);
like(log_since($node, $position), qr/WARNING:  cp_webhook has 4 workers, but max_worker_processes is 3\n.*HINT:  Set max_worker_processes to 4 or more/s,
	'max_worker_processes too small: the log says whose workers do not start');
is(scalar worker_pids($node), 2, 'those that have a place do');
$node->append_conf('postgresql.conf', 'max_worker_processes = 4');
$position = log_position($node);
$node->restart;
wait_until_listening($node);
unlike(log_since($node, $position), qr/WARNING/, 'large enough: nothing is said');
$node->stop;

done_testing();
