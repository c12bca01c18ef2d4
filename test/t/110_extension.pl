# The receivers run whether the extension is there or not, and follow it when it
# comes, goes, and is not the one that they know.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Lifecycle;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Versions;

my $some_path = '/trigger/' . 'A' x 43;
my $node = start_receivers('main', extension => 0);

# The statuses of each receiver's answer. On new connections: an answer to a
# body that was not read ends the old one.
sub statuses
{
	my ($method, $path) = @_;
	my @connections = connect_to_each($node);
	my $text = request_text($method, $path, $method eq 'POST' ? (body => '{}') : ());

	$_->send_text($text) foreach @connections;
	return join ' ', map { $_->{status} } answers_of(20, @connections);
}

sub psql_errors
{
	my ($server, $sql, $database) = @_;
	my ($status, $out, $errors) = $server->psql($database || 'postgres', $sql);

	return ($status, $errors);
}

# ---- before it exists ----

my $answer = try_post($node, $some_path, '{}');
is($answer->{status}, 503, 'a POST before the extension exists is 503');
is($answer->{json}{error}, 'unavailable', 'in JSON');
like($answer->{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'with Retry-After');
$answer = try_get($node, '/healthz');
is($answer->{status}, 503, '/healthz is 503');
is($answer->{json}{error}, 'unavailable', 'in JSON too');
is(statuses('POST', $some_path), '503 503', 'by each receiver');
is(try_get($node, '/elsewhere')->{status}, 404, 'what is no URL of a webhook is 404 all the same');
my $told = () = log_since($node, 0) =~ /cp_webhook answers 503: the extension is not in database "postgres"\n[^\n]*HINT:  Run CREATE EXTENSION/g;
is($told, 2, 'the log says why, once a receiver');

# ---- created ----

$node->safe_psql('postgres', 'CREATE EXTENSION cp_webhook');
is(statuses('GET', '/healthz'), '200 200', 'CREATE EXTENSION: each receiver serves at once');
is(statuses('POST', $some_path), '404 404', 'an unknown URL is 404 now');
create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one');
is(statuses('POST', $path), '200 200', 'and a known one takes deliveries');
is($node->safe_psql('postgres', 'SELECT count(*) FROM cp_webhook.executions'), '2', 'which start executions');

# ---- dropped, and made again ----

$node->safe_psql('postgres', 'DROP EXTENSION cp_webhook CASCADE');
is(statuses('POST', $path), '503 503', 'DROP EXTENSION: each receiver answers 503 at once');
is(statuses('GET', '/healthz'), '503 503', 'and is not healthy');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_class WHERE relname LIKE 'deliveries%'"),
	'0', 'its partitions are gone with it');

$node->safe_psql('postgres', 'CREATE EXTENSION cp_webhook');
is(statuses('GET', '/healthz'), '200 200', 'created again: it serves');
is(statuses('POST', $path), '404 404', 'the old URL is not known');
create_pipeline($node, 'pipeline');
isnt(put_webhook($node, 'one'), $path, 'the same name has another URL');
$path = put_webhook($node, 'one');
is(statuses('POST', $path), '200 200', 'which takes deliveries');
is($node->safe_psql('postgres', 'SELECT count(*) FROM cp_webhook.deliveries'), '2', 'into a partition of today');

# ---- dropped while requests are on their way ----

my @half = map { connect_to($node) } 1 .. 10;
my $request = request_text(POST => $path, body => '{"ref":"refs/heads/main"}');
$_->send_text(substr $request, 0, -5) foreach @half;
my $admin = $node->background_psql('postgres', on_error_stop => 1);
my @whole = map { connect_to($node) } 1 .. 10;

$admin->query_safe('BEGIN');
$admin->query_safe('DROP EXTENSION cp_webhook CASCADE');
$_->send_text($request) foreach @whole;
poll('a receiver waits for the lock', sub {
	$node->safe_psql('postgres',
		q{SELECT count(*) FROM pg_stat_activity
		   WHERE backend_type = 'cp_webhook receiver' AND wait_event_type = 'Lock'});
});
$admin->query_safe('COMMIT');
is(join(' ', map { $_->{status} } answers_of(20, @whole)), join(' ', (503) x 10),
	'DROP EXTENSION while deliveries wait for it: 503');
$_->send_text(substr $request, -5) foreach @half;
is(join(' ', map { $_->{status} } answers_of(20, @half)), join(' ', (503) x 10),
	'and for those whose body had not come');

$node->safe_psql('postgres', 'CREATE EXTENSION cp_webhook');
create_pipeline($node, 'pipeline');
$path = put_webhook($node, 'one');
@whole = map { connect_to($node) } 1 .. 10;
$admin->query_safe('BEGIN');
$admin->query_safe('DROP EXTENSION cp_webhook CASCADE');
$request = request_text(POST => $path, body => '{}');
$_->send_text($request) foreach @whole;
poll('a receiver waits for the lock', sub {
	$node->safe_psql('postgres',
		q{SELECT count(*) FROM pg_stat_activity
		   WHERE backend_type = 'cp_webhook receiver' AND wait_event_type = 'Lock'});
});
$admin->query_safe('ROLLBACK');
is(join(' ', map { $_->{status} } answers_of(20, @whole)), join(' ', (200) x 10),
	'a DROP EXTENSION that is rolled back fails none');
$admin->quit;

# ---- dropped under load ----

# The batches lock the tables in another order than who drops them: both wait
# for the extension first.
my $drop_position = log_position($node);
my @drops;
foreach my $round (1 .. 4)
{
	my $load = start_load($node, $path, clients => 4);

	poll('deliveries come', sub { acked_of($load) > 20 });
	push @drops, (psql_errors($node, 'DROP EXTENSION cp_webhook CASCADE'))[0];
	finish_load($load);
	$node->safe_psql('postgres', 'CREATE EXTENSION IF NOT EXISTS cp_webhook');
	eval { create_pipeline($node, 'pipeline') };
	$path = put_webhook($node, 'one');
}
is(join(' ', @drops), '0 0 0 0', 'DROP EXTENSION under load succeeds');
unlike(log_since($node, $drop_position), qr/deadlock detected/, 'and nobody waits for each other');
like(log_since($node, $drop_position), qr/cp_webhook answers 503: the extension is not in database "postgres"/,
	'the log tells that it is gone');
is(statuses('POST', $path), '200 200', 'after the last CREATE EXTENSION it serves');

# ---- of another version ----

# As a script that updates it would: it ends with the second statement.
sub set_version
{
	$node->safe_psql('postgres', "UPDATE pg_extension SET extversion = '$_[0]' WHERE extname = 'cp_webhook';
		REVOKE ALL ON cp_webhook.webhook_definitions FROM PUBLIC");
	return;
}

my $pids = join ' ', worker_pids($node);
set_version('0.9');
is(statuses('POST', $path), '503 503', 'an extension of another version: 503');
is(statuses('POST', $some_path), '503 503', 'for an unknown URL too');
is(statuses('GET', '/healthz'), '503 503', 'and it is not healthy');
set_version(current_version());
is(statuses('POST', $path), '200 200', 'of its own version again: it serves');
is(statuses('GET', '/healthz'), '200 200', 'and is healthy');
is(join(' ', worker_pids($node)), $pids, 'no receiver has died of all that');

# ---- where it does not belong ----

$node->safe_psql('postgres', qq{
	CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
	CREATE DATABASE ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
	CREATE DATABASE other;});
foreach my $case ([ latin => 'LATIN1' ], [ ascii => 'SQL_ASCII' ])
{
	my ($database, $encoding) = @$case;
	my ($status, $errors) = psql_errors($node, 'CREATE EXTENSION cp_webhook', $database);

	isnt($status, 0, "CREATE EXTENSION fails in a database of encoding $encoding");
	like($errors, qr/ERROR:  cp_webhook needs a database with encoding UTF8.*encoding $encoding.*HINT/s,
		'and says why');
}
my ($status, $errors) = psql_errors($node, 'CREATE EXTENSION cp_webhook', 'other');
is($status, 0, 'CREATE EXTENSION works in another database than that of the setting');
like($errors, qr/WARNING:  the receivers work in database "postgres".*HINT/s, 'and says that nothing serves it');
$node->stop;

# ---- not preloaded ----

my $plain = PostgreSQL::Test::Cluster->new('plain');
$plain->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$plain->start;
($status, $errors) = psql_errors($plain, 'CREATE EXTENSION cp_webhook');
is($status, 0, 'CREATE EXTENSION works where the library is not preloaded');
like($errors, qr/WARNING:  cp_webhook is not preloaded: no receiver listens.*HINT.*shared_preload_libraries/s,
	'and says that nothing listens');
create_pipeline($plain, 'pipeline');
like(put_webhook($plain, 'one'), qr{^/trigger/}, 'put_webhook works there');
is(call($plain, 'list_webhooks', {})->{webhooks}[0]{definition}{name}, 'one', 'list_webhooks too');
is($plain->safe_psql('postgres', 'SELECT count(*) FROM cp_webhook.webhooks'), '1', 'and the view');
is($plain->safe_psql('postgres', 'SELECT count(*) FROM cp_webhook.stats()'), '0', 'and stats(), which has nothing to tell');
$plain->stop;

done_testing();
