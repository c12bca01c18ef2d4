# Every setting that a reload changes, in both directions.
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

my $node = start_receivers('main', settings => { workers => 1 });
create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one');
my @pids = worker_pids($node);

sub status_of
{
	my ($body, %options) = @_;
	return try_post($node, $path, $body, %options)->{status};
}

# ---- port and listen_addresses ----

my $old_port = port_of($node);
my $new_port = PostgreSQL::Test::Cluster::get_free_port();
my $kept = connect_to($node);
is($kept->request(POST => $path, body => '{}')->{status}, 200, 'a connection is kept');
my $half = connect_to($node);
my $text = request_text(POST => $path, body => '{"half":1}');
$half->send_text(substr $text, 0, -4);

# Connections that the kernel has accepted, and the receiver has not.
my $admin = $node->background_psql('postgres', on_error_stop => 1);
$admin->query_safe('BEGIN');
$admin->query_safe('LOCK TABLE cp_webhook.executions IN ACCESS EXCLUSIVE MODE');
my $first = connect_to($node);
$first->send_text(request_text(POST => $path, body => '{}'));
poll('a batch waits for the lock', sub {
	$node->safe_psql('postgres',
		q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'cp_webhook receiver' AND wait_event_type = 'Lock'});
});
my @queued = map { connect_to($node) } 1 .. 100;
$_->send_text(request_text(POST => $path, body => '{}')) foreach @queued;
$node->safe_psql('postgres', "ALTER SYSTEM SET cp_webhook.port = $new_port");
$node->reload;
$admin->query_safe('COMMIT');
is(scalar(grep { $_->{status} == 200 } answers_of(20, $first, @queued)), 101,
	'port: those that had connected to the old one are answered');
$_->close foreach $first, @queued;

set_settings($node, port => $new_port);
is(try_get($node, '/healthz', port => $old_port)->{error}, 'refused', 'port: the old one refuses');
is(status_of('{}'), 200, 'the new one serves');
is($kept->request(POST => $path, body => '{}')->{status}, 200, 'a connection to the old one goes on');
$half->send_text(substr $text, -4);
is($half->read_answer->{status}, 200, 'and so does a request that was on its way');
like(call($node, 'list_webhooks', {})->{webhooks}[0]{url}, qr{^http://localhost:$new_port/trigger/}, 'the URL names it');
set_settings($node, port => $old_port);
is(status_of('{}'), 200, 'and back');

set_settings($node, listen_addresses => '127.0.0.2');
is(try_get($node, '/healthz')->{error}, 'refused', 'listen_addresses: the old one refuses');
is(try_get($node, '/healthz', host => '127.0.0.2')->{status}, 200, 'the new one serves');
set_settings($node, listen_addresses => 'localhost, 127.0.0.2');
is(try_get($node, '/healthz')->{status}, 200, 'two addresses: the first');
is(try_get($node, '/healthz', host => '127.0.0.2')->{status}, 200, 'and the second');
$node->safe_psql('postgres', "ALTER SYSTEM SET cp_webhook.listen_addresses = '*'");
my $position = log_position($node);
$node->reload;
poll('the asterisk is any address', sub { try_get($node, '/healthz', host => '127.0.0.3')->{status} == 200 });
unlike(log_since($node, $position), qr/could not listen/, 'the asterisk is any address, with nothing in the way');
$position = log_position($node);
set_settings($node, listen_addresses => 'localhost, 192.0.2.1');
poll('the log tells of an address that is not of this machine', sub {
	log_since($node, $position) =~ /could not listen on 192\.0\.2\.1:$old_port: Cannot assign requested address/;
});
is(try_get($node, '/healthz')->{status}, 200, 'and the other one serves');
$position = log_position($node);
set_settings($node, listen_addresses => 'localhost, no-such-host.invalid');
poll('a name that is none: the log says so', sub {
	log_since($node, $position) =~ /could not resolve listen address "no-such-host.invalid".*HINT:  /s;
});
is(try_get($node, '/healthz')->{status}, 200, 'and the other one serves');
$position = log_position($node);
$node->safe_psql('postgres', "ALTER SYSTEM SET cp_webhook.listen_addresses = ''");
$node->reload;
poll('an empty list: it listens nowhere', sub { try_get($node, '/healthz')->{status} == 0 });
poll('and the log says so', sub {
	log_since($node, $position) =~ /cp_webhook listens nowhere: cp_webhook\.listen_addresses is empty/;
});
set_settings($node, listen_addresses => 'localhost');
is(status_of('{}'), 200, 'an empty list, and then localhost');

# ---- sizes ----

my $body = '{"a":"' . 'x' x 3000 . '"}';
set_settings($node, max_body_size => '2kB');
is(status_of($body), 413, 'max_body_size: below the body it is 413');
is(status_of('', chunks => undef), 400, 'an empty body is none of its business');
set_settings($node, max_body_size => '4kB');
is(status_of($body), 200, 'above it 200');
set_settings($node, max_body_size => undef);

my $header = [ 'X-Large' => 'x' x 3000 ];
my $large = [ map { ("X-Large-$_" => 'x' x 20000) } 1 .. 8 ];
is(status_of('{}', headers => $header), 200, 'max_header_size: 3 kB by default 200');
is(status_of('{}', headers => $large), 431, '160 kB are 431');
$kept = connect_to($node);
is($kept->request(POST => $path, body => '{}')->{status}, 200, 'a connection of before');
set_settings($node, max_header_size => '2kB');
is(status_of('{}', headers => $header), 431, 'lowered: 3 kB are 431');
is($kept->request(POST => $path, body => '{}', headers => $header)->{status}, 431, 'on a connection of before as well');
set_settings($node, max_header_size => '256kB');
is(status_of('{}', headers => $large), 200, 'raised: 160 kB are 200');
my @half_sent = map { connect_to($node) } 1 .. 3;
$text = request_text(POST => $path, body => '{"half":1}');
$half_sent[0]->send_text(substr $text, 0, -4);
is(try_get($node, '/healthz')->{status}, 200, 'one request is on its way');
set_settings($node, max_header_size => '4kB');
$half_sent[1]->send_text(substr $text, 0, 30);
is(try_get($node, '/healthz')->{status}, 200, 'and another one');
set_settings($node, max_header_size => undef);
$half_sent[2]->send_text(substr $text, 0, -4);
is(try_get($node, '/healthz')->{status}, 200, 'and a third');
$half_sent[$_]->send_text(substr $text, $_ == 1 ? 30 : -4) foreach 0 .. 2;
is(join(' ', map { $_->{status} } answers_of(10, @half_sent)), '200 200 200', 'they end well, whatever the size was then');
is(join(' ', map { $_->request(POST => $path, body => '{}')->{status} } @half_sent), '200 200 200', 'and so does what follows on them');
$_->close foreach @half_sent;
is(status_of('{}', headers => $large), 431, 'by default 431 again');

my $values = '[' . join(',', (1) x 300) . ']';
set_settings($node, max_json_values => 100);
is(status_of($values), 413, 'max_json_values: below the values it is 413');
set_settings($node, max_json_values => 1000);
is(status_of($values), 200, 'above them 200');
set_settings($node, max_json_values => undef);

my $two_megabytes = '{"a":"' . 'x' x (2 * 1024 * 1024) . '"}';
set_settings($node, max_buffered => '1MB');
my $answer = try_post($node, $path, $two_megabytes);
is($answer->{status}, 503, 'max_buffered: below the body it is 503');
ok($answer->{headers}{'retry-after'}, 'with Retry-After');
set_settings($node, max_buffered => '16MB');
is(status_of($two_megabytes), 200, 'above it 200');
set_settings($node, max_buffered => undef);

# ---- times ----

sub seconds_until_closed
{
	my ($connection) = @_;
	my $start = time;
	my ($closed) = answers_of(20, $connection);

	return $closed->{status} == 0 && $closed->{error} eq 'closed' || $closed->{status} == 408
	  ? $closed->{time} - $start : 1000;
}

foreach my $timeout (300, 1200)
{
	set_settings($node, request_timeout => "${timeout}ms");
	my $connection = connect_to($node);
	$connection->send_text(substr request_text(POST => $path, body => '{}'), 0, -1);
	my $seconds = seconds_until_closed($connection);
	note(sprintf 'request_timeout %d ms: closed after %.2f s', $timeout, $seconds);
	cmp_ok($seconds, '>', $timeout / 1000 - 0.1, "request_timeout = ${timeout}ms: not before");
	cmp_ok($seconds, '<', $timeout / 1000 + 0.8, 'and not long after');
}
set_settings($node, request_timeout => undef);

foreach my $timeout (300, 1200)
{
	set_settings($node, keepalive_timeout => "${timeout}ms");
	my $connection = connect_to($node);
	is($connection->request(POST => $path, body => '{}')->{status}, 200, 'a connection is kept');
	my $seconds = seconds_until_closed($connection);
	note(sprintf 'keepalive_timeout %d ms: closed after %.2f s', $timeout, $seconds);
	cmp_ok($seconds, '>', $timeout / 1000 - 0.1, "keepalive_timeout = ${timeout}ms: not before");
	cmp_ok($seconds, '<', $timeout / 1000 + 0.8, 'and not long after');
}
set_settings($node, keepalive_timeout => undef);

foreach my $timeout (200, 1200)
{
	set_settings($node, lock_timeout => "${timeout}ms");
	$admin->query_safe('BEGIN');
	$admin->query_safe('LOCK TABLE cp_webhook.executions IN ACCESS EXCLUSIVE MODE');
	my $start = time;
	is(status_of('{}'), 503, 'a locked table is 503');
	my $seconds = time - $start;
	$admin->query_safe('ROLLBACK');
	cmp_ok($seconds, '>', $timeout / 1000 - 0.05, "lock_timeout = ${timeout}ms: not before");
	cmp_ok($seconds, '<', $timeout / 1000 + 0.8, 'and not long after');
}
set_settings($node, lock_timeout => undef);

$node->safe_psql('postgres', q{
	CREATE TABLE workers_role (name text);
	CREATE FUNCTION observe() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
	  INSERT INTO public.workers_role VALUES (current_user);
	  PERFORM pg_catalog.pg_sleep(0.6);
	  RETURN NULL;
	END $$;
	CREATE TRIGGER observe AFTER INSERT ON cp_webhook.executions FOR EACH STATEMENT EXECUTE FUNCTION observe()});
set_settings($node, batch_timeout => '200ms');
is(status_of('{}'), 503, 'batch_timeout: a batch that takes longer is 503');
set_settings($node, batch_timeout => undef);
is(status_of('{}'), 200, 'with a longer one 200');

# ---- role ----

my $owner = $node->safe_psql('postgres', q{SELECT current_user});
is($node->safe_psql('postgres', 'SELECT name FROM workers_role'), $owner, 'role: by default the owner of the tables');
$node->safe_psql('postgres', q{
	CREATE ROLE recorder;
	GRANT USAGE ON SCHEMA cp_webhook TO recorder;
	GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA cp_webhook TO recorder;
	GRANT INSERT ON workers_role TO recorder;
	TRUNCATE workers_role});
set_settings($node, role => 'recorder');
is(status_of('{}'), 200, 'another role that has the rights serves');
is($node->safe_psql('postgres', 'SELECT name FROM workers_role'), 'recorder', 'and is what triggers see');
set_settings($node, role => undef);
is(status_of('{}'), 200, 'and back');
$node->safe_psql('postgres', 'DROP TRIGGER observe ON cp_webhook.executions');

# ---- filter_timeout ----

my $slow = put_webhook($node, 'slow', filters => [ { jsonPath => '$.a[*] ? (@ == $.b[*])' } ]);
my $arrays = '{"a":[' . join(',', 1 .. 1500) . '],"b":[' . join(',', 2000 .. 3500) . ']}';
set_settings($node, filter_timeout => '10ms');
$answer = try_post($node, $slow, $arrays);
is($answer->{status}, 503, 'filter_timeout: a filter that takes longer is 503');
like($answer->{json}{message}, qr/filter too slow/i, 'and the answer says so');
set_settings($node, filter_timeout => '30s', batch_timeout => '30s');
is(try_post($node, $slow, $arrays)->{json}{status}, 'ignored', 'with a longer one it is evaluated');
set_settings($node, filter_timeout => undef, batch_timeout => undef);

# ---- numbers ----

sub counters
{
	return map { split /\|/ } $node->safe_psql('postgres', 'SELECT sum(batches), sum(batched) FROM cp_webhook.stats()');
}

foreach my $size (3, 512)
{
	set_settings($node, max_batch => $size);
	my @clients = map { connect_to($node) } 0 .. 12;
	$admin->query_safe('BEGIN');
	$admin->query_safe('LOCK TABLE cp_webhook.executions IN ACCESS EXCLUSIVE MODE');
	my $waiting = shift @clients;
	$waiting->send_text(request_text(POST => $path, body => '{}'));
	poll('a batch waits for the lock', sub {
		$node->safe_psql('postgres',
			q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'cp_webhook receiver' AND wait_event_type = 'Lock'});
	});
	$_->send_text(request_text(POST => $path, body => '{}')) foreach @clients;
	my ($batches, $batched) = counters();
	$admin->query_safe('COMMIT');
	is(scalar(grep { $_->{status} == 200 } answers_of(20, $waiting, @clients)), 13, "max_batch = $size: all are recorded");
	my ($batches_after, $batched_after) = counters();
	is($batched_after - $batched, 13, 'in batches');
	# One of them waited, the other twelve came together.
	cmp_ok($batches_after - $batches, $size == 3 ? '>=' : '<=', $size == 3 ? 5 : 4,
		($batches_after - $batches) . ' of them');
}
set_settings($node, max_batch => undef);

$_->close foreach $kept, $half;
my @held = map { connect_to($node) } 1 .. 3;
$_->request(POST => $path, body => '{}') foreach @held;
# A look at the workers' sockets counts as no connection: the setting comes by SQL.
$node->safe_psql('postgres', 'ALTER SYSTEM SET cp_webhook.max_connections = 3');
$node->reload;
my $more;
poll('no more than three connections are taken', sub {
	$more = connect_to($node);
	$more->send_text(request_text(GET => '/healthz'));
	return !$more->is_readable(0.5);
});
is($held[0]->request(POST => $path, body => '{}')->{status}, 200, 'max_connections: those that are there go on');
$held[0]->close;
is((answers_of(10, $more))[0]{status}, 200, 'when one ends the next is served');
my $yet_more = connect_to($node);
$yet_more->send_text(request_text(GET => '/healthz'));
ok(!$yet_more->is_readable(0.5), 'the one after it waits');
$node->safe_psql('postgres', 'ALTER SYSTEM SET cp_webhook.max_connections = 4');
$node->reload;
is((answers_of(10, $yet_more))[0]{status}, 200, 'raised: it is served');
$_->close foreach @held, $more, $yet_more;
set_settings($node, max_connections => undef);

my $signed = put_webhook($node, 'signed', secret => 'right');
sub rejected
{
	my ($times) = @_;
	is(try_post($node, $signed, '{}', secret => 'wrong')->{status}, 401, 'a wrong signature is 401') foreach 1 .. $times;
	return $node->safe_psql('postgres', "SELECT count(*) FROM cp_webhook.deliveries WHERE outcome = 'rejected' AND webhook = 'signed'");
}
set_settings($node, rejections_per_minute => 2);
is(rejected(4), '2', 'rejections_per_minute = 2: two are recorded');
set_settings($node, rejections_per_minute => 3);
is(rejected(3), '3', 'raised to 3: one more');
set_settings($node, rejections_per_minute => 0);
is(rejected(1), '3', '0: none');
set_settings($node, rejections_per_minute => undef);

my $count = $node->safe_psql('postgres', 'SELECT count(*) FROM cp_webhook.webhooks');
set_settings($node, max_webhooks => $count);
like(try_call($node, 'put_webhook', webhook_request('more')), qr/LimitExceededException/, 'max_webhooks: one more is refused');
is(try_call($node, 'put_webhook', webhook_request('one')), '', 'an update is none');
set_settings($node, max_webhooks => $count + 1);
is(try_call($node, 'put_webhook', webhook_request('more')), '', 'raised: it is put');
set_settings($node, max_webhooks => undef);

# ---- names ----

set_settings($node, public_url => 'https://hooks.example.com/aws/', partition => 'aws-cn',
	region => 'cn-north-1', account_id => '123456789012');
my ($one) = grep { $_->{definition}{name} eq 'one' } @{ call($node, 'list_webhooks', {})->{webhooks} };
is($one->{url}, "https://hooks.example.com/aws$path", 'public_url: URLs begin with it');
is($one->{arn}, 'arn:aws-cn:codepipeline:cn-north-1:123456789012:webhook:one', 'partition, region, account_id: ARNs have them');
is(status_of('{}', id => 'named'), 200, 'the URL still answers');
is($node->safe_psql('postgres', q{SELECT e.trigger_detail FROM cp_webhook.executions e
	JOIN cp_webhook.delivery_keys k ON k.execution = e.id WHERE k.key = 'named'}),
	$one->{arn}, 'and a receiver records the new ARN');
set_settings($node, public_url => undef, partition => undef, region => undef, account_id => undef);
is(status_of('{}', id => 'renamed'), 200, 'reset');
is($node->safe_psql('postgres', q{SELECT e.trigger_detail FROM cp_webhook.executions e
	JOIN cp_webhook.delivery_keys k ON k.execution = e.id WHERE k.key = 'renamed'}),
	'arn:aws:codepipeline:us-east-1:000000000000:webhook:one', 'the ARN is the usual one');

$admin->quit;

# ---- bad values ----

sub refusal
{
	my ($setting) = @_;
	my ($status, undef, $errors) = $node->psql('postgres', "ALTER SYSTEM SET cp_webhook.$setting");
	return $errors;
}
like(refusal('port = 0'), qr/ERROR:  0 is outside the valid range for parameter "cp_webhook.port" \(1 .. 65535\)/, 'port = 0 is refused');
like(refusal('max_body_size = \'1GB\''), qr/outside the valid range/, 'max_body_size = 1GB too');
like(refusal('lock_timeout = \'2 lightyears\''), qr/invalid value.*HINT:  Valid units/s, 'a unit that is none');
like(refusal('public_url = \'ftp://x\''), qr/invalid value for parameter "cp_webhook.public_url".*DETAIL:  .*http or https/s, 'public_url of another kind');
like(refusal('account_id = \'12\''), qr/invalid value.*DETAIL:  .*12 digits/s, 'account_id that is too short');
like(refusal('listen_addresses = \'a,,b\''), qr/invalid value.*DETAIL:  List syntax/s, 'a list that is none');
like(refusal('region = \'eu:1\''), qr/invalid value.*DETAIL:  .*lower-case letters/s, 'region with a colon');
# What tag_resource does not take as an ARN must not be made.
like(refusal("partition = '$_'"), qr/invalid value.*DETAIL:  .*must be aws/s, "partition = '$_'") foreach '', 'foo', 'awsx', 'aws-', 'aws--cn', 'aws-CN', 'aws:';
is(refusal("partition = '$_'"), '', "partition = '$_' is one") foreach 'aws-us-gov', 'aws-2', 'aws';
$node->safe_psql('postgres', 'ALTER SYSTEM RESET cp_webhook.partition');
like(refusal('no_such_setting = 1'), qr/cp_webhook.no_such_setting/, 'a setting that is none');

$position = log_position($node);
$node->append_conf('postgresql.conf', "cp_webhook.max_body_size = 'large'\ncp_webhook.workers = 7");
$node->reload;
poll('the log tells of the bad value', sub {
	log_since($node, $position) =~ /invalid value for parameter "cp_webhook.max_body_size": "large"/;
});
is(status_of('{}'), 200, 'a bad value in the file: the receiver goes on');
$node->adjust_conf('postgresql.conf', 'cp_webhook.max_body_size', "'1MB'");
$node->reload;
poll('the log tells of the setting that needs a restart', sub {
	log_since($node, $position) =~ /parameter "cp_webhook.workers" cannot be changed without restarting the server/;
});
is($node->safe_psql('postgres', q{SELECT string_agg(name, ' ') FROM pg_settings WHERE pending_restart}),
	'cp_webhook.workers', 'pg_settings shows it');
is(join(' ', worker_pids($node)), join(' ', @pids), 'the receiver is the same after all that');
$node->stop;

done_testing();
