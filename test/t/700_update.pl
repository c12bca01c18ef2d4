# ALTER EXTENSION cp_webhook UPDATE: from the oldest version it comes to the
# very same catalog as a new installation, with all that was in the tables, and
# the receivers go on by themselves. Until then, and where a script is newer
# than the library, everything says clearly that it waits for that.
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

my $current = current_version();
my $oldest = oldest_version();
my $scripts = stage_scripts();
my $token = 'A' x 43;
my $path = "/trigger/$token";
my $body = '{"ref":"refs/heads/main"}';
my $old_execution = '01900000-0000-7000-8000-000000000001';

# A version to come, and the way back: stats() returns more than this library
# gives, and a column that it reads has another name.
my $new_stats = slurp_file("$ENV{TESTDIR}/sql/cp_webhook--$current.sql") =~ /^(CREATE FUNCTION cp_webhook\.stats\(.*?;)\n/ms ? $1 : die 'no stats()';
my $total = slurp_file("$ENV{TESTDIR}/sql/cp_webhook--$current.sql") =~ /^(CREATE VIEW cp_webhook\.stats_total .*?;)\n/ms ? $1 : die 'no stats_total';
my $drop = "DROP VIEW cp_webhook.stats_total;\nDROP FUNCTION cp_webhook.stats();\n";

add_script($scripts, "$current--99.0",
	$drop . $new_stats =~ s/OUT commit_times bigint\[\]/OUT commit_times bigint[], OUT more text, OUT most jsonb/r
	  . "\nALTER TABLE cp_webhook.webhook_definitions RENAME COLUMN secret TO secrets;\n");
add_script($scripts, "99.0--$current",
	"DROP FUNCTION cp_webhook.stats();\n$new_stats\n$total\nALTER TABLE cp_webhook.webhook_definitions RENAME COLUMN secrets TO secret;\n");
add_script($scripts, "$current--99.1",
	"CREATE FUNCTION cp_webhook.next() RETURNS int LANGUAGE c AS 'MODULE_PATHNAME', 'cp_webhook_of_the_next_version';\n");

my $node = start_receivers('main', conf => scripts_conf($scripts), extension => 0);

sub value
{
	my ($sql, $database) = @_;
	return $node->safe_psql($database // 'postgres', $sql);
}

sub error_of
{
	my ($sql) = @_;
	my (undef, undef, $errors) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql;");
	return $errors;
}

# ---- the same catalog ----

value('CREATE DATABASE fresh');
value('CREATE DATABASE updated');
value('CREATE EXTENSION cp_webhook', 'fresh');
value("CREATE EXTENSION cp_webhook VERSION '$oldest'", 'updated');
is(value("SELECT extversion FROM pg_extension WHERE extname = 'cp_webhook'", 'updated'), $oldest, "there is version $oldest");
is(value("SELECT count(*) FROM pg_extension_update_paths('cp_webhook') WHERE source = '$oldest' AND target = '$current' AND path IS NOT NULL", 'updated'),
	'1', "and a way from there to $current");
value('ALTER EXTENSION cp_webhook UPDATE', 'updated');
is(value("SELECT extversion FROM pg_extension WHERE extname = 'cp_webhook'", 'updated'), $current, "ALTER EXTENSION UPDATE comes to $current");

my @fresh = split /\n/, catalog_of($node, 'fresh');
my @updated = split /\n/, catalog_of($node, 'updated');
cmp_ok(scalar @fresh, '>', 500, scalar(@fresh) . ' lines of catalog');
foreach my $kind (qw(extension member dumped schema relation column constraint index trigger view function comment initial))
{
	cmp_ok(scalar(grep { /^\($kind,/ } @fresh), '>', 0, "of them of a $kind");
}
{
	my %fresh = map { $_ => 1 } @fresh;
	my %updated = map { $_ => 1 } @updated;

	is(join("\n", grep { !$updated{$_} } @fresh), '', 'the update leaves out nothing that a new installation has');
	is(join("\n", grep { !$fresh{$_} } @updated), '', 'and leaves nothing behind');
}

# ---- before the update: an old script, a new library ----

value("CREATE EXTENSION cp_webhook VERSION '$oldest'");
my $filters = '[{"jsonPath": "$.ref", "matchEquals": "refs/heads/{Branch}"}]';
value(qq{
	INSERT INTO cp_webhook.pipeline_definitions (name, version, execution_mode) VALUES ('shop', 1, 'PARALLEL');
	INSERT INTO cp_webhook.pipeline_versions (name, version, declaration) VALUES ('shop', 1,
	  '{"name": "shop", "version": 1, "stages": [
	    {"name": "Source", "actions": [{"name": "Source", "configuration": {"Branch": "main"},
	      "actionTypeId": {"category": "Source", "owner": "ThirdParty", "provider": "GitHub", "version": "1"}}]},
	    {"name": "Build", "actions": [{"name": "Build",
	      "actionTypeId": {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"}}]}]}');
	INSERT INTO cp_webhook.webhook_definitions (id, name, token, pipeline, action, authentication, secret, configuration, filters)
	  VALUES ('01900000-0000-7000-8000-0000000000aa', 'push', '$token', 'shop', 'Source', 'GITHUB_HMAC', 's3cret',
	    '{"SecretToken": "****"}', '$filters');
	INSERT INTO cp_webhook.resource_tags VALUES ('webhook', 'push', 'team', 'red');
	INSERT INTO cp_webhook.webhook_counters (webhook_id, worker, triggered, last_triggered)
	  VALUES ('01900000-0000-7000-8000-0000000000aa', 0, 3, '2024-06-20');
	CREATE TABLE cp_webhook.deliveries_20240620 (LIKE cp_webhook.deliveries INCLUDING STORAGE INCLUDING COMPRESSION);
	CREATE UNIQUE INDEX deliveries_20240620_id ON cp_webhook.deliveries_20240620 (id);
	CREATE INDEX deliveries_20240620_webhook ON cp_webhook.deliveries_20240620 (webhook_id, id);
	ALTER TABLE cp_webhook.deliveries ATTACH PARTITION cp_webhook.deliveries_20240620
	  FOR VALUES FROM ('01900000-0000-0000-0000-000000000000') TO ('01905265-0000-0000-0000-000000000000');
	INSERT INTO cp_webhook.deliveries (id, received_at, webhook, provider_delivery_id, event, outcome, http_status, headers, payload, webhook_id)
	  SELECT ('01900000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, '2024-06-10', 'push', 'old-' || n, 'push', 'triggered', 200, '{}',
	         '$body', '01900000-0000-7000-8000-0000000000aa' FROM generate_series(1, 100) n;
	INSERT INTO cp_webhook.executions (id, pipeline, version, action, trigger_type, delivery, created_at, updated_at, webhook_id)
	  SELECT id, 'shop', 1, 'Source', 'Webhook', id, received_at, received_at, webhook_id FROM cp_webhook.deliveries;
	INSERT INTO cp_webhook.delivery_keys SELECT webhook_id, provider_delivery_id, id FROM cp_webhook.deliveries;
});

my $position = log_position($node);
my $pids = join ' ', worker_pids($node);
my $answer = post($node, $path, $body, secret => 's3cret');
is($answer->{status}, 503, 'before the update a delivery is answered with 503');
ok($answer->{headers}{'retry-after'}, 'and is to be sent again');
post($node, $path, $body, secret => 's3cret') foreach 1 .. 20;
is(try_get($node, '/healthz')->{status}, 503, 'it is not healthy');
my $logged = log_since($node, $position);
my $lines = () = $logged =~ /LOG:  cp_webhook answers 503: the library is of version \Q$current\E, the extension of \Q$oldest\E\n.*HINT:  Run ALTER EXTENSION cp_webhook UPDATE in this database\./g;
ok($lines >= 1 && $lines <= scalar(split / /, $pids), 'the log says why, once a receiver, and what to do');
unlike($logged, qr/(receiver|maintenance|api) (ERROR|WARNING|PANIC)|does not exist/, 'and nothing else');
foreach my $statement (
	'SELECT cp_webhook.put_webhook(\'{}\'::jsonb)', q{SELECT cp_webhook.list_webhooks('{}')},
	q{SELECT cp_webhook.start_pipeline_execution('{"name": "shop"}')}, 'SELECT * FROM cp_webhook.stats()')
{
	like(error_of($statement),
		qr/ERROR:  55000: cp_webhook in this database is of version \Q$oldest\E, its library of \Q$current\E\nHINT:  Run ALTER EXTENSION cp_webhook UPDATE/,
		"$statement says the same")
	  unless $statement =~ /put_webhook/;
}
like(error_of(q{SELECT cp_webhook.put_webhook('{"webhook": {"name": "push"}}')}), qr/ERROR/, 'and put_webhook does not work');
is(value('SELECT count(*) FROM cp_webhook.deliveries'), '100', 'nothing was recorded');

# ---- the update, while deliveries come ----

my @before = map { connect_to($node) } 1 .. 10;
$_->send_text(substr request_text(POST => $path, body => $body, secret => 's3cret'), 0, -5) foreach @before;
my $admin = $node->background_psql('postgres', on_error_stop => 1);
$admin->query_safe('BEGIN');
$admin->query_safe('ALTER EXTENSION cp_webhook UPDATE');
my @during = map { connect_to($node) } 1 .. 10;
$_->send_text(request_text(POST => $path, body => $body, secret => 's3cret')) foreach @during;
$admin->query_safe('COMMIT');
$admin->quit;
my @statuses = map { $_->{status} } answers_of(30, @during);
is(scalar(grep { $_ == 200 || $_ == 503 } @statuses), 10, 'what comes during the update is answered');
my $taken = grep { $_ == 200 } @statuses;
$_->send_text(substr request_text(POST => $path, body => $body, secret => 's3cret'), -5) foreach @before;
@statuses = map { $_->{status} } answers_of(30, @before);
is(scalar(grep { $_ == 200 || $_ == 503 } @statuses), 10, 'so is what began before it');
$taken += grep { $_ == 200 } @statuses;

my @connections = connect_to_each($node);
$_->send_text(request_text(GET => '/healthz')) foreach @connections;
is(join(' ', map { $_->{status} } answers_of(20, @connections)), join(' ', (200) x @connections), 'after it each receiver is healthy at once');
is(value("SELECT count(*) FROM cp_webhook.deliveries WHERE outcome = 'triggered'"), 100 + $taken, 'each that was taken is recorded');

# ---- all that was there ----

{
	my %populated = map { $_ => 1 } split /\n/, catalog_of($node, 'postgres');

	is(join("\n", grep { !$populated{$_} } @fresh), '', 'with rows in the tables it is the same catalog, too');
}
$answer = post($node, $path, $body, secret => 's3cret', id => 'new');
is($answer->{json}{status}, 'triggered', 'the URL and the secret of before');
is(post($node, $path, '{"ref":"x"}', secret => 's3cret')->{json}{status}, 'ignored', 'its filter');
is(post($node, $path, $body, secret => 'other')->{status}, 401, 'no other secret');
$answer = post($node, $path, $body, secret => 's3cret', id => 'old-1');
is($answer->{json}{status}, 'duplicate', 'what had triggered before the update is known');
is($answer->{json}{pipelineExecutionId}, $old_execution, 'with its execution');
is(call($node, 'list_webhooks', {})->{webhooks}[0]{definition}{name}, 'push', 'list_webhooks');
is_deeply(call($node, 'list_webhooks', {})->{webhooks}[0]{tags}, [ { key => 'team', value => 'red' } ], 'with its tags');
is(call($node, 'get_pipeline', { name => 'shop' })->{pipeline}{name}, 'shop', 'get_pipeline');
poll('the counters are written', sub {
	value(q{SELECT triggered > 3 AND rejected > 0 AND last_triggered > now() - interval '1 hour' AND last_reason IS NOT NULL FROM cp_webhook.webhooks}) eq 't';
});
pass('the counters of before go on');
is(value(q{SELECT count(*) FROM (SELECT execution_id FROM cp_webhook.executions_after(NULL, NULL, 1000) LIMIT 100) x
	WHERE execution_id < '01900000-0000-7000-8000-000000000101'}), '100', 'the executions of before come first for who reads them in order');
my ($id, $nonce) = split /\|/, value(q{SELECT id, nonce FROM cp_webhook.claim_executions('w')});
is($id, $old_execution, 'the oldest one is claimed first');
value(qq{SELECT cp_webhook.complete_execution('$id', '$nonce')});
is(value("SELECT status FROM cp_webhook.executions WHERE id = '$id'"), 'Succeeded', 'and ends');
my $again = value(q{SELECT cp_webhook.redeliver('01900000-0000-7000-8000-000000000002')});
is(value("SELECT outcome FROM cp_webhook.deliveries WHERE id = '$again'"), 'triggered', 'a delivery of before can be redelivered');
like(put_webhook($node, 'push', pipeline => 'shop', secret => 'another'), qr{\Q$path\E}, 'put_webhook keeps the URL');
is(post($node, $path, $body, secret => 'another')->{json}{status}, 'triggered', 'and is live at once');
is(join(' ', worker_pids($node)), $pids, 'no receiver has ended of all that');

# ---- a new script, an old library ----

$position = log_position($node);
like(error_of(q{ALTER EXTENSION cp_webhook UPDATE TO '99.1'}), qr/ERROR:.*could not find function "cp_webhook_of_the_next_version"/,
	'a script that needs functions of a library that is not there is refused');
is(post($node, $path, $body, secret => 'another')->{status}, 200, 'and changes nothing');
value(q{ALTER EXTENSION cp_webhook UPDATE TO '99.0'});
is(post($node, $path, $body, secret => 'another')->{status}, 503, 'a script that is newer than the library: 503');
is(try_get($node, '/healthz')->{status}, 503, 'it is not healthy');
like(log_since($node, $position),
	qr/LOG:  cp_webhook answers 503: the library is of version \Q$current\E, the extension of 99\.0\n.*HINT:  Install the library of version 99\.0, if it is not, and restart the server\./,
	'the log says why');
foreach my $statement ('SELECT * FROM cp_webhook.stats()', q{SELECT cp_webhook.list_webhooks('{}')}, q{SELECT cp_webhook.claim_executions('w')},
	'SELECT * FROM cp_webhook.maintenance_stats()', 'SELECT cp_webhook.list_access_keys()', 'SELECT cp_webhook.rotate_secret_key()',
	q{SELECT cp_webhook.redeliver('01900000-0000-7000-8000-000000000002')}, q{SELECT cp_webhook.executions_after(NULL)})
{
	like(error_of($statement),
		qr/ERROR:  55000: cp_webhook in this database is of version 99\.0, its library of \Q$current\E\nHINT:  Install the library of version 99\.0/,
		"$statement says the same");
}
unlike(log_since($node, $position), qr/receiver (ERROR|WARNING)|column .* does not exist/, 'no receiver has read what it does not know');
value(qq{ALTER EXTENSION cp_webhook UPDATE TO '$current'});
is(post($node, $path, $body, secret => 'another')->{status}, 200, 'with its own script again it serves');
cmp_ok(value('SELECT count(*) FROM cp_webhook.stats()'), '>', 0, 'and stats() tells');
is(join(' ', worker_pids($node)), $pids, 'no receiver has ended of all that either');
unlike(log_since($node, 0), qr/terminated by signal|PANIC|TRAP/, 'and nothing died');
$node->stop;

done_testing();
