# Retention, on a server whose clock goes through eleven days: partitions are
# made and dropped while deliveries come, what is needed stays, and nobody waits.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Faults;
use Lifecycle;
use Maintenance;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

prepare_faults() or plan skip_all => 'there is no C compiler';

use constant DAY => 86400;

# Noise of the machine included; what is measured is in test/bench/retention.
use constant GENEROUS => 2;

my $days = -11;
step_clock($days * DAY);
my $node = start_receivers('main', settings => {
	delivery_retention => '3d', deduplication_window => '1d', execution_retention => '5d' });
create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one');
maintenance_pid($node);
my $slowest = 0;

sub value
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

# All executions have ended (but that one), and it is the next day. The first delivery of a day may be one that waited while the
# clock stepped.
sub next_day
{
	my ($unfinished) = @_;

	end_executions($node, $unfinished ? "id <> '$unfinished'" : 'true');
	step_clock(++$days * DAY);
	pass_time(61);
	try_until_acked($node, $path, '{}');
	return;
}

sub exists_partition
{
	my ($name) = @_;
	return "to_regclass('cp_webhook.$name') IS NOT NULL";
}

# What the code does, while deliveries come.
sub under_load
{
	my ($what, $code) = @_;
	my $load = start_posts($node, $path, pause => 0.002);

	$code->();
	my $posts = finish_posts($load);
	$slowest = $posts->{slowest} if $posts->{slowest} > $slowest;
	is($posts->{failed}, 0, "$what: none of $posts->{count} deliveries fails");
	cmp_ok($posts->{slowest}, '<', GENEROUS, sprintf '%s: and none waits, the slowest took %.0f ms', $what, 1000 * $posts->{slowest});
	return;
}

# ---- settings ----

is(join(' ', map { value("SHOW cp_webhook.$_") } qw(delivery_retention execution_retention deduplication_window)),
	'3d 5d 1d', 'ages are set in days');

# ---- a week and more ----

my %seen;
wake_maintenance($node, exists_partition(day_name($node, 3)));
$seen{$_} = 1 foreach partitions_of($node);
is(scalar(keys %seen), 4, 'the partitions of today and three days more');
is(try_post($node, $path, '{}', id => 'first')->{json}{status}, 'triggered', 'a delivery');
is(try_post($node, $path, '{}', id => 'first')->{json}{status}, 'duplicate', 'and again');
foreach my $day (1 .. 10)
{
	next_day();
	my $old = day_name($node, -4);
	my $was_there = grep { $_ eq $old } partitions_of($node);

	under_load("day $day", sub {
		wake_maintenance($node, exists_partition(day_name($node, 3)) . ' AND NOT (' . exists_partition($old) . ')');
	});
	$seen{$_} = 1 foreach partitions_of($node);
	ok($was_there || $day < 4, "day $day: the fifth day back was there, and is dropped");
}
is(scalar(keys %seen), 14, 'each day had its partition');
is_deeply([ partitions_of($node) ], [ map { day_name($node, $_) } -3 .. 3 ], 'those of three whole days, of today and of three to come are left');
is(told_of($node, 'partitions_made'), '14', 'so many were made');
is(told_of($node, 'partitions_dropped'), '7', 'and dropped');
is(value(q{SELECT min(received_at) >= now() - interval '4 days' FROM cp_webhook.deliveries}), 't', 'no older delivery is left');
wake_maintenance($node, q{(SELECT count(*) = 0 FROM cp_webhook.executions WHERE ended_at < now() - interval '5 days')});
is(value(q{SELECT count(*) > 0 FROM cp_webhook.executions WHERE ended_at > now() - interval '5 days'}), 't', 'executions are kept for their time');
cmp_ok(told_of($node, 'executions_removed'), '>', 0, 'and removed after it');
wake_maintenance($node, q{(SELECT count(*) = 0 FROM cp_webhook.delivery_keys WHERE key = 'first')});
is(try_post($node, $path, '{}', id => 'first')->{json}{status}, 'triggered', 'a delivery id of long ago is new again');
is(try_post($node, $path, '{}', id => 'first')->{json}{status}, 'duplicate', 'and remembered');
wake_maintenance($node);
is(try_post($node, $path, '{}', id => 'first')->{json}{status}, 'duplicate', 'as long as the window says');

# ---- one a minute ----

end_executions($node);
set_settings($node, delivery_retention => '1d');
pass_time(61);
wake_maintenance($node, 'NOT (' . exists_partition(day_name($node, -3)) . ')');
foreach (1 .. 5)
{
	$node->reload;
	sleep 0.1;
}
is(value('SELECT ' . exists_partition(day_name($node, -2))), 't', 'a second partition is not dropped at once');
my $pid = maintenance_pid($node);
value("SELECT pg_terminate_backend($pid)");
poll('another maintenance worker runs', sub { maintenance_pid($node) != $pid });
$node->reload;
sleep 0.3;
is(value('SELECT ' . exists_partition(day_name($node, -2))), 't', 'not by another process either');
pass_time(61);
wake_maintenance($node, 'NOT (' . exists_partition(day_name($node, -2)) . ')');
pass('but after a minute');

# ---- a setting that is changed ----

next_day();
set_settings($node, delivery_retention => '0');
pass_time(61);
wake_maintenance($node, exists_partition(day_name($node, 3)));
sleep 0.3;
is(value('SELECT ' . exists_partition(day_name($node, -2))), 't', 'retention 0: nothing is dropped');

# ---- what an unfinished execution needs ----

my $position = log_position($node);
my $kept = value("SELECT e.id FROM cp_webhook.executions e JOIN cp_webhook.deliveries d ON d.id = e.delivery"
	  . ' WHERE d.tableoid = ' . "'cp_webhook." . day_name($node, -2) . "'::regclass ORDER BY e.id DESC LIMIT 1");
value(qq{UPDATE cp_webhook.executions SET status = 'InProgress', ended_at = NULL WHERE id = '$kept'});
set_settings($node, delivery_retention => '1d');
pass_time(61);
poll('it is told', sub { $node->reload; told_of($node, 'held_back') =~ /execution $kept has not ended/ });
like(log_since($node, $position), qr/partition "\Q@{[ day_name($node, -2) ]}\E" of deliveries is kept: execution $kept of pipeline "pipeline" has not ended/,
	'an unfinished execution keeps its partition, and the log names both');
$node->reload for 1 .. 3;
sleep 0.3;
is(value('SELECT ' . exists_partition(day_name($node, -2))), 't', 'which stays');
is(scalar(() = log_since($node, $position) =~ /has not ended/g), 1, 'and is told once');
end_executions($node, "id = '$kept'");
wake_maintenance($node, 'NOT (' . exists_partition(day_name($node, -2)) . ')');
is(told_of($node, 'held_back IS NULL'), 't', 'once it has ended the partition is dropped');

# ---- behind a long SELECT ----

next_day();
my $reader = $node->background_psql('postgres', on_error_stop => 1);
$reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
$reader->query_safe('SELECT count(*) FROM cp_webhook.deliveries');
under_load('a SELECT of deliveries that does not end', sub {
	poll('it is told', sub { $node->reload; told_of($node, 'held_back') =~ /has a lock on deliveries/ });
	$node->reload, sleep 0.2 for 1 .. 5;
});
is(value('SELECT ' . exists_partition(day_name($node, -2))), 't', 'the partition stays meanwhile');
$reader->query_safe('COMMIT');
wake_maintenance($node, 'NOT (' . exists_partition(day_name($node, -2)) . ')');
pass('and is dropped later');

next_day();
$reader->query_safe('BEGIN');
$reader->query_safe('SELECT count(*) FROM cp_webhook.' . day_name($node, -2));
$position = log_position($node);
under_load('a SELECT of the partition alone', sub {
	poll('the lock was waited for', sub {
		$node->reload;
		log_since($node, $position) =~ /failed while detaching an old partition: canceling statement due to lock timeout/;
	});
	$node->reload, sleep 0.2 for 1 .. 5;
});
is(value('SELECT ' . exists_partition(day_name($node, -2))), 't', 'the partition stays meanwhile');
$reader->query_safe('COMMIT');
wake_maintenance($node, 'NOT (' . exists_partition(day_name($node, -2)) . ')');
pass('and is dropped later');

# One that begins between DETACH and DROP.
next_day();
my $old = day_name($node, -2);
value("CREATE VIEW public.depends AS SELECT * FROM cp_webhook.$old");
under_load('a view on the partition', sub {
	wake_maintenance($node, "(SELECT NOT relispartition FROM pg_class WHERE oid = 'cp_webhook.$old'::regclass)");
});
poll('the error is told', sub { $node->reload; told_of($node, 'last_error') =~ /cannot drop table cp_webhook\.$old because other objects depend on it/ });
value('DROP VIEW public.depends');
wake_maintenance($node, 'NOT (' . exists_partition($old) . ')');
pass('a detached partition that could not be dropped is dropped later');

# ---- archives ----

end_executions($node);
$old = day_name($node, 0);
my $count = value("SELECT count(*) FROM cp_webhook.$old");
value("ALTER TABLE cp_webhook.deliveries DETACH PARTITION cp_webhook.$old CONCURRENTLY");
under_load('a day that was detached while it is today', sub { wake_maintenance($node, exists_partition("${old}_2")) });
next_day() for 1 .. 2;
wake_maintenance($node, "NOT (" . exists_partition("${old}_2") . ')');
is(value("SELECT count(*) FROM cp_webhook.$old"), $count, 'a partition that was detached by hand is not touched');
$reader->quit;
value(qq{ALTER TABLE cp_webhook.deliveries ATTACH PARTITION cp_webhook.$old FOR VALUES FROM ('}
	  . value(qq{SELECT cp_webhook.uuid_at(date_trunc('day', min(received_at), 'UTC')) FROM cp_webhook.$old}) . q{') TO ('}
	  . value(qq{SELECT cp_webhook.uuid_at(date_trunc('day', min(received_at), 'UTC') + interval '1 day') FROM cp_webhook.$old}) . q{')});
pass_time(61);
wake_maintenance($node, 'NOT (' . exists_partition($old) . ')');
pass('attached again it is');

# A partition of another name is somebody's own.
end_executions($node);
$old = day_name($node, 0);
next_day();
value("ALTER TABLE cp_webhook.$old RENAME TO kept_by_hand");
next_day();
pass_time(61);
wake_maintenance($node, exists_partition(day_name($node, 3)));
$node->reload;
sleep 0.3;
is(value(q{SELECT count(*) FROM pg_inherits WHERE inhrelid = 'cp_webhook.kept_by_hand'::regclass}), '1',
	'a partition of another name stays where it is');
value('DROP TABLE cp_webhook.kept_by_hand');

# ---- as another role ----

$position = log_position($node);
value(q{CREATE ROLE recorder; GRANT USAGE ON SCHEMA cp_webhook TO recorder;
	GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA cp_webhook TO recorder;});
set_settings($node, role => 'recorder');
next_day();
wake_maintenance($node, exists_partition(day_name($node, 3)) . ' AND NOT (' . exists_partition(day_name($node, -2)) . ')');
pass('role: partitions are made and dropped as the owner');
poll('a role without the right to delete', sub { log_since($node, $position) =~ /failed while removing old delivery keys: permission denied for table delivery_keys/ });
is(try_post($node, $path, '{}', id => 'by-role')->{json}{status}, 'triggered', 'is told of, and deliveries go on');
value('GRANT DELETE ON cp_webhook.delivery_keys, cp_webhook.executions, cp_webhook.webhook_counters, cp_webhook.webhook_minutes TO recorder');
next_day() for 1 .. 2;
wake_maintenance($node, q{(SELECT count(*) = 0 FROM cp_webhook.delivery_keys WHERE key = 'by-role')});
pass('with the right keys are removed');
set_settings($node, role => undef);

# ---- counters ----

my $triggered = value(q{SELECT triggered FROM cp_webhook.webhooks WHERE name = 'one'});
value(q{INSERT INTO cp_webhook.webhook_counters (webhook_id, worker, triggered, last_triggered, last_delivery, last_reason_at, last_reason)
	SELECT id, w, 100, timestamptz '3000-01-01' - w * interval '1 day', timestamptz '3000-02-01' - w * interval '1 day', timestamptz '3000-03-01' + w * interval '1 day', 'reason ' || w
	FROM cp_webhook.webhook_definitions, unnest('{7,8}'::int[]) w
	UNION ALL SELECT gen_random_uuid(), 0, 1, NULL, NULL, NULL, NULL});
wake_maintenance($node, q{(SELECT count(*) = 0 FROM cp_webhook.webhook_counters c
	WHERE worker > 1 OR NOT EXISTS (SELECT FROM cp_webhook.webhook_definitions w WHERE w.id = c.webhook_id))});
poll('the counters of receivers that are no more are kept', sub {
	value(q{SELECT triggered FROM cp_webhook.webhooks WHERE name = 'one'}) >= $triggered + 200;
});
pass('counters of webhooks that are gone are removed, those of receivers are kept');
is(value(q{SELECT last_triggered = timestamptz '3000-01-01' - interval '7 days' AND last_delivery = timestamptz '3000-02-01' - interval '7 days' FROM cp_webhook.webhooks WHERE name = 'one'}), 't',
	'the last of their times as well');
is(value(q{SELECT last_reason FROM cp_webhook.webhooks WHERE name = 'one'}), 'reason 8', 'and the last reason');
value(q{INSERT INTO cp_webhook.webhook_counters (webhook_id, worker, triggered, last_reason_at, last_reason)
	SELECT id, 9, 1, '2000-01-01', 'an old reason' FROM cp_webhook.webhook_definitions});
wake_maintenance($node, q{(SELECT count(*) = 0 FROM cp_webhook.webhook_counters WHERE worker > 1)});
is(value(q{SELECT last_reason FROM cp_webhook.webhooks WHERE name = 'one'}), 'reason 8', 'which an older one does not replace');

# ---- executions that are locked, or have not ended ----

try_post($node, $path, '{}') for 1 .. 2;
my ($locked, $unfinished) = split /\n/, value(q{SELECT id FROM cp_webhook.executions ORDER BY id DESC LIMIT 2});
my $consumer = $node->background_psql('postgres', on_error_stop => 1);
end_executions($node);
value(qq{UPDATE cp_webhook.executions SET status = 'InProgress', ended_at = NULL WHERE id = '$unfinished'});
$consumer->query_safe('BEGIN');
$consumer->query_safe("SELECT FROM cp_webhook.executions WHERE id = '$locked' FOR UPDATE");
set_settings($node, execution_retention => '1d');
next_day($unfinished) for 1 .. 2;
my @conditions = map { "(SELECT count(*) = 1 FROM cp_webhook.executions WHERE id = '$_')" } $locked, $unfinished;
wake_maintenance($node, q{(SELECT count(*) = 2 FROM cp_webhook.executions WHERE id < cp_webhook.uuid_at(now() - interval '2 days'))});
is(value("SELECT $conditions[0] AND $conditions[1]"), 't', 'an execution that is locked or has not ended stays, others are removed');
$consumer->query_safe('COMMIT');
$consumer->quit;
wake_maintenance($node, "NOT $conditions[0]");
is(value("SELECT $conditions[1]"), 't', 'the locked one is removed later');
end_executions($node);

# ---- a clock that leaps ----

set_settings($node, delivery_retention => '5d', execution_retention => undef);
next_day();
my @before = partitions_of($node);
my $keys = value('SELECT count(*) FROM cp_webhook.delivery_keys');
my $today = $days;
is(try_post($node, $path, '{}', id => 'before-leap')->{json}{status}, 'triggered', 'a delivery before the leap');
$position = log_position($node);
$days += 400;
next_day();
poll('it is told', sub { $node->reload; log_since($node, $position) =~ /nothing old is removed for now/ });
foreach (1 .. 3)
{
	pass_time(61);
	wake_maintenance($node, exists_partition(day_name($node, 3)));
	sleep 0.2;
}
my %now = map { $_ => 1 } partitions_of($node);
is(join(' ', grep { !$now{$_} } @before), '', 'a clock that leaps a year ahead drops no partition');
is(try_post($node, $path, '{}', id => 'before-leap')->{json}{status}, 'duplicate', 'and forgets no delivery id');
$node->restart;
wait_until_listening($node);
maintenance_pid($node);
wake_maintenance($node);
sleep 0.5;
%now = map { $_ => 1 } partitions_of($node);
is(join(' ', grep { !$now{$_} } @before), '', 'nor after a restart');
is(scalar(() = log_since($node, $position) =~ /has not ended/g), 0, 'not for want of being done');
$days += 2;
next_day();
wake_maintenance($node, 'NOT (' . exists_partition($before[0]) . ')');
pass('a clock that stays so for two days is believed');

# And back: what was recorded ahead stays for its time.
step_clock($today * DAY);
$node->restart;
wait_until_listening($node);
is(try_post($node, $path, '{}', id => 'back')->{json}{status}, 'triggered', 'the clock goes back: deliveries go on');
unlike(log_since($node, $position), qr/PANIC|terminated by signal/, 'and nothing has crashed');
note(sprintf 'the slowest delivery of all took %.0f ms', 1000 * $slowest);
$node->stop;

done_testing();
