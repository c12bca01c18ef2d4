# Deliveries that cannot be recorded: a lock, a trigger, a read-only database.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Lifecycle;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = start_receivers('main', settings => { workers => 1, lock_timeout => '700ms' });
create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one');
my $admin = $node->background_psql('postgres', on_error_stop => 1);

sub stored
{
	my ($prefix) = @_;
	return $node->safe_psql('postgres', qq{
		SELECT string_agg(k.key, ' ' ORDER BY k.key COLLATE "C") FROM cp_webhook.delivery_keys k
		  JOIN cp_webhook.executions e ON e.id = k.execution
		 WHERE k.key LIKE '$prefix-%'});
}

# Deliveries that arrive while the first one waits for a lock: together they are
# the next batch.
sub post_together
{
	my ($prefix, $count, $body_of, $while_locked) = @_;
	my @clients = map { connect_to($node) } 0 .. $count;
	my $first = shift @clients;
	my $number = 0;

	$admin->query_safe('BEGIN');
	$admin->query_safe('LOCK TABLE cp_webhook.executions IN ACCESS EXCLUSIVE MODE');
	$first->send_text(request_text(POST => $path, body => '{"first": true}', id => "first-$prefix"));
	wait_for_lock();
	foreach my $client (@clients)
	{
		$number++;
		$client->send_text(request_text(POST => $path, body => $body_of->($number),
			id => sprintf '%s-%02d', $prefix, $number));
	}
	$while_locked->() if $while_locked;
	$admin->query_safe('COMMIT');
	return answers_of(30, $first, @clients);
}

sub wait_for_lock
{
	poll('a batch waits for the lock', sub {
		$node->safe_psql('postgres',
			q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'cp_webhook receiver' AND wait_event_type = 'Lock'});
	});
	return;
}

sub largest_batch
{
	return $node->safe_psql('postgres', 'SELECT max(largest_batch) FROM cp_webhook.stats()');
}

sub try_all
{
	my ($sql) = @_;
	$node->safe_psql('postgres', $sql);
	return;
}

sub count_of
{
	my ($psql) = @_;
	my @seen = $psql->query('SELECT 1') =~ /^Asynchronous notification "cp_webhook"/mg;

	return scalar @seen;
}

# ---- an admin's lock ----

my @clients = map { connect_to($node) } 1 .. 12;
my $start;
my $position = log_position($node);

$admin->query_safe('BEGIN');
$admin->query_safe('LOCK TABLE cp_webhook.executions IN ACCESS EXCLUSIVE MODE');
$start = time;
$clients[0]->send_text(request_text(POST => $path, body => '{}', id => 'lock-00'));
wait_for_lock();
$clients[$_]->send_text(request_text(POST => $path, body => '{}', id => sprintf 'lock-%02d', $_)) foreach 1 .. 11;
my $health = try_get($node, '/healthz');
my @answers = answers_of(30, @clients);
is(join(' ', map { $_->{status} } @answers), join(' ', (503) x 12), 'a locked table: 503 for all that wait');
is(scalar(grep { ($_->{json}{error} // '') eq 'unavailable' && $_->{headers}{'retry-after'} } @answers), 12,
	'in JSON, with Retry-After');
my ($last) = sort { $b <=> $a } map { $_->{time} - $start } @answers;
note(sprintf 'the last 503 after %.2f s', $last);
cmp_ok($last, '>', 0.6, 'they waited as long as lock_timeout');
cmp_ok($last, '<', 2 * 0.7 + 1.5, 'and not much longer: a batch is refused as a whole');
is($health->{status}, 200, '/healthz answers meanwhile');
like(log_since($node, $position), qr/could not record a batch of \d+ deliveries, they are refused: canceling statement due to lock timeout/,
	'and the log says why');
$admin->query_safe('COMMIT');
is(stored('lock'), '', 'nothing is recorded');
$clients[$_]->send_text(request_text(POST => $path, body => '{}', id => sprintf 'lock-%02d', $_)) foreach 0 .. 11;
is(join(' ', map { $_->{json}{status} // $_->{status} } answers_of(30, @clients)), join(' ', ('triggered') x 12),
	'after the lock the same ids trigger, on the same connections');

# Other tables of ours. The counters are no business of a delivery's.
foreach my $table ('deliveries', 'delivery_keys')
{
	$admin->query_safe('BEGIN');
	$admin->query_safe("LOCK TABLE cp_webhook.$table IN ACCESS EXCLUSIVE MODE");
	is(try_post($node, $path, '{}', id => "lock-$table")->{status}, 503, "$table locked: 503");
	$admin->query_safe('COMMIT');
	is(try_post($node, $path, '{}', id => "lock-$table")->{json}{status}, 'triggered', 'and afterwards it triggers');
}
$admin->query_safe('BEGIN');
$admin->query_safe('LOCK TABLE cp_webhook.webhook_counters IN ACCESS EXCLUSIVE MODE');
my ($slowest, $failed) = (0, 0);
my $end = time + 3;
while (time < $end)
{
	my $begin = time;

	$failed++ if try_post($node, $path, '{}')->{status} != 200;
	$slowest = time - $begin if time - $begin > $slowest;
}
$admin->query_safe('COMMIT');
note(sprintf 'the slowest took %.2f s', $slowest);
is($failed, 0, 'webhook_counters locked: deliveries are recorded');
cmp_ok($slowest, '<', 0.5, 'without waiting for the lock');
my $triggered = $node->safe_psql('postgres', q{SELECT count(*) FROM cp_webhook.executions});
poll('no count is lost', sub {
	$node->safe_psql('postgres', q{SELECT triggered FROM cp_webhook.webhooks WHERE name = 'one'}) == $triggered;
});

$admin->query_safe('BEGIN');
$admin->query_safe('LOCK TABLE cp_webhook.webhook_definitions IN ACCESS EXCLUSIVE MODE');
$start = time;
is(try_post($node, '/trigger/' . 'B' x 43, '{}')->{status}, 503, 'webhook_definitions locked: an unknown URL is 503');
cmp_ok(time - $start, '<', 3, 'in time');
$admin->query_safe('COMMIT');
is(try_post($node, '/trigger/' . 'B' x 43, '{}')->{status}, 404, 'and afterwards 404');

# ---- one batch of several ----

@answers = post_together('batch', 20, sub { '{}' });
is(scalar(grep { $_->{status} == 200 } @answers), 21, 'a short lock fails none');
cmp_ok(largest_batch(), '>=', 15, 'what had piled up was one batch');

# ---- a trigger that raises ----

try_all(q{
	CREATE FUNCTION complain() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
	  IF EXISTS (SELECT FROM cp_webhook.delivery_keys WHERE execution = NEW.id AND key ~ '^raise-(07|13)$') THEN
	    RAISE EXCEPTION 'not this one';
	  END IF;
	  RETURN NEW;
	END $$;
	CREATE TRIGGER complain BEFORE INSERT ON cp_webhook.executions FOR EACH ROW EXECUTE FUNCTION complain()});
$position = log_position($node);
@answers = post_together('raise', 20, sub { '{}' });
is(join(' ', map { $_->{status} } @answers), join(' ', map { $_ == 7 || $_ == 13 ? 503 : 200 } 0 .. 20),
	'a trigger that raises for two of a batch fails these two');
is(stored('raise'), join(' ', map { sprintf 'raise-%02d', $_ } grep { $_ != 7 && $_ != 13 } 1 .. 20),
	'their neighbours are stored');
is($node->safe_psql('postgres', q{SELECT count(*) FROM cp_webhook.deliveries WHERE provider_delivery_id LIKE 'raise-%'}), '18',
	'with one row each');
like(log_since($node, $position), qr/could not record a batch of \d+ deliveries, they are tried apart: not this one/,
	'and the log tells the error');
my @pids = worker_pids($node);

# Whatever state it raises: those of PostgreSQL's classes for data, of the other
# languages, and of its own. A check's is that of a missing partition as well.
foreach my $state ('21000', '22012', '23505', '23514', '2F000', '38000', '39000', '42883', '54000', 'P0002', 'XX000', '45000', 'SHOP1')
{
	try_all(qq{CREATE OR REPLACE FUNCTION complain() RETURNS trigger LANGUAGE plpgsql AS \$\$
		BEGIN
		  IF EXISTS (SELECT FROM cp_webhook.delivery_keys WHERE execution = NEW.id AND key ~ '^state$state-(03|08)\$') THEN
		    RAISE EXCEPTION USING MESSAGE = 'not this one', ERRCODE = '$state';
		  END IF;
		  RETURN NEW;
		END \$\$});
	@answers = post_together("state$state", 8, sub { '{}' });
	is(join(' ', map { $_->{status} } @answers), '200 200 200 503 200 200 200 200 503', "it raises $state for two: their neighbours are recorded");
}

# What no member is to blame for refuses all at once.
foreach my $state ('25006', '40001', '42501', '53200', '55P03', '57014', '58030')
{
	try_all(qq{CREATE OR REPLACE FUNCTION complain() RETURNS trigger LANGUAGE plpgsql AS \$\$
		BEGIN
		  IF EXISTS (SELECT FROM cp_webhook.delivery_keys WHERE execution = NEW.id AND key = 'state$state-03') THEN
		    RAISE EXCEPTION USING MESSAGE = 'not now', ERRCODE = '$state';
		  END IF;
		  RETURN NEW;
		END \$\$});
	@answers = post_together("state$state", 6, sub { '{}' });
	is(join(' ', map { $_->{status} } @answers), '200 503 503 503 503 503 503', "it raises $state: the batch is refused");
}

# One that fails for all: no batch is tried for ever.
try_all(q{CREATE OR REPLACE FUNCTION complain() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
	  RAISE EXCEPTION USING MESSAGE = 'never', ERRCODE = 'check_violation';
	END $$});
$start = time;
@answers = post_together('never', 60, sub { '{}' });
is(scalar(grep { $_->{status} == 503 } @answers), 61, 'a trigger that always raises: 503 for all');
cmp_ok(time - $start, '<', 6, 'soon');

# One that sleeps past batch_timeout.
set_settings($node, batch_timeout => '500ms');
try_all(q{CREATE OR REPLACE FUNCTION complain() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
	  PERFORM pg_sleep(20);
	  RETURN NEW;
	END $$});
$position = log_position($node);
$start = time;
my $answer = try_post($node, $path, '{}', id => 'sleep-1');
is($answer->{status}, 503, 'a trigger that sleeps past batch_timeout: 503');
cmp_ok(time - $start, '<', 3, 'in time');
like(log_since($node, $position), qr/could not record a batch of 1 deliveries, they are refused: canceling statement due to/,
	'and the log says so');

# One that raises what a hostile row could: too long an index entry, a NUL ...
try_all(q{CREATE OR REPLACE FUNCTION complain() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
	  NEW.trigger_detail := pg_catalog.convert_from('\x00', 'UTF8');
	  RETURN NEW;
	END $$});
is(try_post($node, $path, '{}')->{status}, 503, 'a trigger that meets a data exception: 503');
try_all('DROP TRIGGER complain ON cp_webhook.executions; DROP FUNCTION complain()');
is(try_post($node, $path, '{}', id => 'sleep-1')->{json}{status}, 'triggered', 'without the trigger the delivery triggers');
is(join(' ', worker_pids($node)), join(' ', @pids), 'the receiver is still the same');

# A deferred trigger raises at COMMIT.
try_all(q{
	CREATE FUNCTION complain() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
	  IF EXISTS (SELECT FROM cp_webhook.delivery_keys WHERE execution = NEW.id AND key = 'late-05') THEN
	    RAISE EXCEPTION 'not at commit';
	  END IF;
	  RETURN NULL;
	END $$;
	CREATE CONSTRAINT TRIGGER complain AFTER INSERT ON cp_webhook.executions
	  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION complain()});
@answers = post_together('late', 10, sub { '{}' });
is(join(' ', map { $_->{status} } @answers), join(' ', map { $_ == 5 ? 503 : 200 } 0 .. 10),
	'a deferred trigger that raises at commit fails that one');
foreach my $state ('23514', '54000')
{
	try_all(qq{CREATE OR REPLACE FUNCTION complain() RETURNS trigger LANGUAGE plpgsql AS \$\$
		BEGIN
		  IF EXISTS (SELECT FROM cp_webhook.delivery_keys WHERE execution = NEW.id AND key = 'late$state-05') THEN
		    RAISE EXCEPTION USING MESSAGE = 'not at commit', ERRCODE = '$state';
		  END IF;
		  RETURN NULL;
		END \$\$});
	@answers = post_together("late$state", 10, sub { '{}' });
	is(join(' ', map { $_->{status} } @answers), join(' ', map { $_ == 5 ? 503 : 200 } 0 .. 10), "also with $state");
}
try_all('DROP TRIGGER complain ON cp_webhook.executions; DROP FUNCTION complain()');

# ---- the notification queue is full ----

# To fill it takes 8 GB on some versions: a deferred trigger raises its error in
# its place, in every second attempt.
try_all(q{
	CREATE SEQUENCE attempts;
	CREATE FUNCTION complain() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
	BEGIN
	  IF nextval('public.attempts') % 2 = 1 THEN
	    RAISE EXCEPTION USING MESSAGE = 'too many notifications in the NOTIFY queue', ERRCODE = 'program_limit_exceeded';
	  END IF;
	  RETURN NULL;
	END $$;
	CREATE CONSTRAINT TRIGGER complain AFTER INSERT ON cp_webhook.executions
	  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION complain()});
my $listener = listen_for_notifications($node);
$position = log_position($node);
is(try_post($node, $path, '{}', id => 'full-1')->{status}, 200, 'a full notification queue fails no delivery');
like(log_since($node, $position), qr/they are recorded without NOTIFY: too many notifications/, 'and the log says what is missing');
try_all('DROP TRIGGER complain ON cp_webhook.executions; DROP FUNCTION complain()');
is(stored('full'), 'full-1', 'it is recorded');
my $number = 1;
poll('NOTIFY is on again', sub {
	try_post($node, $path, '{}', id => 'full-' . ++$number);
	count_of($listener) > 0;
});
cmp_ok($number, '>', 2, 'NOTIFY stays off for a while');
$listener->quit;

# ---- no rights, no partition ----

try_all(q{CREATE ROLE weak; GRANT USAGE ON SCHEMA cp_webhook TO weak;
	GRANT SELECT ON ALL TABLES IN SCHEMA cp_webhook TO weak});
set_settings($node, role => 'weak');
$answer = try_post($node, $path, '{}');
is($answer->{status}, 503, 'a role without rights: 503');
unlike($answer->{body}, qr/permission|weak/, 'which tells nothing of it');
set_settings($node, role => 'missing');
is(try_post($node, $path, '{}')->{status}, 503, 'a role that is not there: 503');
is(try_get($node, '/healthz')->{status}, 503, 'and not healthy');
set_settings($node, role => undef);
is(try_post($node, $path, '{}')->{status}, 200, 'without it: 200');

my $today = $node->safe_psql('postgres',
	q{SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'cp_webhook.deliveries'::regclass ORDER BY 1::text DESC LIMIT 1});
try_all("DROP TABLE $today");
is(try_post($node, $path, '{}')->{status}, 200, "today's partition was dropped: it is made again");
is($node->safe_psql('postgres', "SELECT count(*) FROM $today"), '1', 'with the delivery in it');

# ---- read-only ----

try_all('ALTER DATABASE postgres SET default_transaction_read_only = on');
$node->restart;
wait_until_listening($node);
is(try_post($node, $path, '{}')->{status}, 503, 'default_transaction_read_only of the database: 503');
is(try_get($node, '/healthz')->{status}, 503, 'and not healthy');
$node->psql('postgres', 'SET default_transaction_read_only = off; ALTER DATABASE postgres RESET default_transaction_read_only');
$node->restart;
wait_until_listening($node);
is(try_post($node, $path, '{}')->{status}, 200, 'after it: 200');
$node->safe_psql('postgres', 'ALTER SYSTEM SET default_transaction_read_only = on');
$node->reload;
poll('the receiver has reloaded', sub { try_get($node, '/healthz')->{status} == 503 });
is(try_post($node, $path, '{}')->{status}, 503, 'default_transaction_read_only of the server: 503');
$node->psql('postgres', 'SET default_transaction_read_only = off',
	extra_params => [ '-c', 'SET default_transaction_read_only = off', '-c', 'ALTER SYSTEM RESET default_transaction_read_only' ]);
$node->reload;
poll('the receiver has reloaded', sub { try_get($node, '/healthz')->{status} == 200 });
is(try_post($node, $path, '{}')->{status}, 200, 'after it: 200');

eval { $admin->quit };
$node->stop;

done_testing();
