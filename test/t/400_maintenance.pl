# The maintenance worker as a process: what shows it, what ends it, and how it
# follows the extension when that comes and goes.
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
use Versions;

my $node = start_receivers('main', extension => 0, conf => 'restart_after_crash = on');
my $position = log_position($node);
my $pid = maintenance_pid($node);

sub value
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

sub made
{
	my ($what) = @_;
	my @days = map { day_name($node, $_) } 0 .. 3;
	my %made;

	# A second one for a day has a number.
	ok(eval {
		poll("partitions are made $what", sub {
			return 0 if value(q{SELECT to_regclass('cp_webhook.deliveries') IS NOT NULL}) ne 't';
			%made = map { /^(\w+_\d{8})(?:_\d+)?$/ ? ($1 => 1) : () } partitions_of($node);
			return !grep { !$made{$_} } @days;
		});
	}, "$what there are the partitions of today and the three next days");
	is(scalar(keys %made), 4, 'and no others');
	return;
}

# ---- without the extension, and with it ----

is(value(q{SELECT backend_type, application_name, datname, usename, state, wait_event_type
	         FROM pg_stat_activity WHERE backend_type = 'cp_webhook maintenance'}),
	'cp_webhook maintenance|cp_webhook|postgres|' . value('SELECT current_user') . '|idle|Extension',
	'pg_stat_activity shows it before the extension exists');
value('CREATE EXTENSION cp_webhook');
made('CREATE EXTENSION:');
is(told_of($node, 'pid'), $pid, 'maintenance_stats() has it');
is(told_of($node, 'partitions_made'), '4', 'and what it did');
is(told_of($node, 'last_error IS NULL AND held_back IS NULL'), 't', 'without an error');
create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one');
is(try_post($node, $path, '{}')->{status}, 200, 'a delivery is recorded');
is(value('SELECT DISTINCT tableoid::regclass FROM cp_webhook.deliveries'), 'cp_webhook.' . day_name($node, 0), 'in the partition of today');

# Made and dropped again and again, while every job runs as often as it can.
foreach my $round (1 .. 10)
{
	$node->reload;
	value('DROP EXTENSION cp_webhook CASCADE');
	$node->reload;
	value('CREATE EXTENSION cp_webhook');
}
made('DROP and CREATE EXTENSION, ten times:');
my $admin = $node->background_psql('postgres', on_error_stop => 1);
$admin->query_safe('BEGIN');
$admin->query_safe('DROP EXTENSION cp_webhook CASCADE');
$node->reload;
poll('it has met the lock', sub {
	value(q{SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
	         WHERE a.backend_type = 'cp_webhook maintenance' AND NOT l.granted}) > 0
	  || log_since($node, $position) =~ /failed while .*lock timeout/;
});
$admin->query_safe('ROLLBACK');
$admin->quit;
made('a DROP EXTENSION that is rolled back:');

value(q{UPDATE pg_extension SET extversion = '0.9' WHERE extname = 'cp_webhook'});
value('DROP TABLE cp_webhook.' . day_name($node, 3));
$node->reload;
poll('it says that it waits', sub { log_since($node, $position) =~ /maintenance waits: the extension is version 0\.9, the library \Q@{[ current_version() ]}\E/ });
is(scalar(partitions_of($node)), 3, 'an extension of another version: it does nothing');
value("UPDATE pg_extension SET extversion = '@{[ current_version() ]}' WHERE extname = 'cp_webhook'");
made('of its own version again:');
is(maintenance_pid($node), $pid, 'it is the same process');

# ---- a partition that is not there ----

foreach my $statement ('DROP TABLE cp_webhook.%s', 'ALTER TABLE cp_webhook.deliveries DETACH PARTITION cp_webhook.%s')
{
	create_pipeline($node, 'pipeline') if value(q{SELECT count(*) FROM cp_webhook.pipeline_definitions}) == 0;
	$path = put_webhook($node, 'one');
	is(try_post($node, $path, '{}')->{status}, 200, 'with a partition a delivery is recorded');
	value(sprintf $statement, day_name($node, 0));
	is(try_post($node, $path, '{}')->{status}, 200, sprintf "without (%s) as well", $statement);
}
ok((grep { $_ eq day_name($node, 0) . '_2' } partitions_of($node)), 'beside the table that was detached');

# One that somebody else has made for part of the day.
my $tomorrow = day_name($node, 1);
value(qq{DROP TABLE cp_webhook.$tomorrow;
	CREATE TABLE cp_webhook.morning PARTITION OF cp_webhook.deliveries
	FOR VALUES FROM ('} . value(q{SELECT cp_webhook.uuid_at(date_trunc('day', now() + interval '1 day', 'UTC'))}) . q{')
	             TO ('} . value(q{SELECT cp_webhook.uuid_at(date_trunc('day', now() + interval '1 day', 'UTC') + interval '6 hours')}) . q{')});
value(qq{INSERT INTO cp_webhook.deliveries (id, received_at, webhook, outcome, http_status, headers, webhook_id)
	SELECT cp_webhook.uuid_at(t), t, 'x', 'ignored', 200, '{}', gen_random_uuid() FROM date_trunc('day', now() + interval '1 day', 'UTC') t});
is(value(q{SELECT count(*) FROM cp_webhook.morning}), '1', 'a partition of an own making is used');
value('DROP TABLE cp_webhook.morning');

# ---- ends ----

$position = log_position($node);
value('CREATE DATABASE other');
value('DROP DATABASE other');
pass('DROP DATABASE of another database does not wait for it');
value("SELECT pg_cancel_backend($pid)");
value("SELECT pg_terminate_backend($pid)");
poll('another one has taken its place', sub { maintenance_pid($node) != $pid });
$pid = maintenance_pid($node);
poll('it tells of itself', sub { told_of($node, 'pid') eq $pid });
made('terminated:');
value("SELECT pg_cancel_backend($pid)");
$node->reload;
made('cancelled:');
is(maintenance_pid($node), $pid, 'a cancel does not end it');
cmp_ok(seconds_of(sub { $node->stop('fast') }), '<', 10, 'a fast stop does not wait for it');
unlike(log_since($node, $position), qr/PANIC|terminated by signal|crash/, 'nothing has crashed');
$node->start;
wait_until_listening($node);
my $killed = maintenance_pid($node);
kill KILL => $killed;
poll('the server is back with another one', sub {
	my ($status, $now) = $node->psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'cp_webhook maintenance'});

	return $status == 0 && $now =~ /^\d+$/ && $now != $killed;
});
poll('it serves', sub { try_post($node, $path, '{}')->{status} == 200 });
maintenance_pid($node);
made('killed:');
$node->stop;

done_testing();
