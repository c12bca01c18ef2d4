# The api worker as a process: on and off by reload, and in nobody's way.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use IPC::Run ();
use Lifecycle;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Wire;

my $node = start_api('api', start => 0, init => [ allows_streaming => 1 ], settings => { workers => 1, api_port => 0 });
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION cp_webhook');
my $port = api_port_of($node);

sub api_pid
{
	my ($of) = @_;
	return ($of // $node)->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'cp_webhook api'");
}

sub listening
{
	return $node->safe_psql('postgres', 'SELECT listening FROM cp_webhook.api_stats()');
}

sub set_port
{
	my ($value) = @_;

	$node->safe_psql('postgres', "ALTER SYSTEM SET cp_webhook.api_port = $value");
	$node->reload;
	poll("the api worker listens on $value", sub { listening() =~ ($value ? qr/:$value\b/ : qr/^$/) });
	return;
}

# ---- on and off ----

poll('the worker is there', sub { api_pid() ne '' });
is(listening(), '', 'by default it listens nowhere');
is(try_get($node, '/healthz', port => $port)->{error}, 'refused', 'so nobody answers');
my $pid = api_pid();
set_port($port);
is(get_api($node, '/healthz')->{status}, 200, 'a reload turns it on');
my $kept = connect_to($node, port => $port);
is($kept->request(GET => '/healthz')->{status}, 200, 'a connection');
my $other = PostgreSQL::Test::Cluster::get_free_port();
set_port($other);
is(try_get($node, '/healthz', port => $other)->{status}, 200, 'another port');
is(try_get($node, '/healthz', port => $port)->{error}, 'refused', 'in place of the first');
is($kept->request(GET => '/healthz')->{status}, 200, 'an open connection goes on');
set_port(0);
is(try_get($node, '/healthz', port => $other)->{error}, 'refused', 'port 0 turns it off');
set_port($port);
is(api_pid(), $pid, 'all that in one process');

# The receivers' port is not shared with them.
my $position = log_position($node);
$node->safe_psql('postgres', 'ALTER SYSTEM SET cp_webhook.api_port = ' . port_of($node));
$node->reload;
poll('the receivers\' port is in use', sub {
	log_since($node, $position) =~ /could not listen on .*Address already in use.*\n.*HINT:.*change cp_webhook\.api_port/;
});
my %statuses;
$statuses{ try_get($node, '/readyz', port => port_of($node))->{status} }++ foreach 1 .. 30;
is_deeply(\%statuses, { 404 => 30 }, 'the receivers have all of their requests');
set_port($port);

# ---- the extension ----

my $key = create_key($node, $node->safe_psql('postgres', 'SELECT current_user'));
create_pipeline($node, 'pipeline');
is(wire($node, $key, 'ListPipelines', {})->{status}, 200, 'a call');
$node->safe_psql('postgres', 'DROP EXTENSION cp_webhook');
my $answer = wire($node, $key, 'ListPipelines', {});
is("$answer->{status} $answer->{json}{__type}", '503 ServiceUnavailableException', 'without the extension');
is(get_api($node, '/readyz')->{status}, 503, 'it is not ready');
is(get_api($node, '/metrics')->{status}, 200, 'the metrics are there all the same');
$node->safe_psql('postgres', 'CREATE EXTENSION cp_webhook');
is(wire($node, $key, 'ListPipelines', {})->{json}{__type}, 'UnrecognizedClientException', 'a new one knows no old key');
$key = create_key($node, $node->safe_psql('postgres', 'SELECT current_user'));
create_pipeline($node, 'pipeline');
is(wire($node, $key, 'ListPipelines', {})->{status}, 200, 'and takes a new one');

# ---- barriers, ends ----

my $half = connect_to($node, port => $port);
$half->send_text(substr wire_text($key, 'ListPipelines', {}), 0, 300);
$node->safe_psql('postgres', 'CREATE DATABASE other');
my $seconds = seconds_of(sub { $node->safe_psql('postgres', 'DROP DATABASE other') });
cmp_ok($seconds, '<', 10, 'DROP DATABASE waits for no client');

$pid = api_pid();
$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
is(wire($node, $key, 'ListPipelines', {})->{status}, 200, 'a cancel of an idle worker cancels nothing');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
poll('it is back', sub { my $now = api_pid(); $now ne '' && $now ne $pid && listening() =~ /:$port\b/ });
is(wire($node, $key, 'ListPipelines', {})->{status}, 200, 'a worker that was terminated comes back');

# What was answered is there after a crash.
my @started = map { wire($node, $key, 'StartPipelineExecution', { name => 'pipeline' })->{json}{pipelineExecutionId} } 1 .. 5;
$node->stop('immediate');
$node->start;
wait_until_api_listens($node);
is($node->safe_psql('postgres', "SELECT count(*) FROM cp_webhook.executions WHERE id IN ("
	  . join(',', map { "'$_'" } @started) . ')'), 5, 'what was answered is kept');

# Written calls share a wait for the disk, but not one for a standby.
$node->safe_psql('postgres', "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
$node->safe_psql('postgres', "ALTER SYSTEM SET cp_webhook.batch_timeout = '500ms'");
$node->reload;
poll('a standby that is away is waited for', sub {
	wire($node, $key, 'StartPipelineExecution', { name => 'pipeline' })->{status} == 503;
});
is(wire($node, $key, 'ListPipelines', {})->{status}, 200, 'a call that reads waits for no standby');
$node->safe_psql('postgres', "SET synchronous_commit = local; ALTER SYSTEM RESET synchronous_standby_names");
$node->safe_psql('postgres', "ALTER SYSTEM RESET cp_webhook.batch_timeout");
$node->reload;
poll('it is not any more', sub { wire($node, $key, 'StartPipelineExecution', { name => 'pipeline' })->{status} == 200 });

# ---- dump and restore ----

my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump';
my $keys = 'SELECT * FROM cp_webhook.access_keys ORDER BY id';
$node->safe_psql('postgres', 'CREATE ROLE "a role"; SELECT cp_webhook.create_access_key($$a role$$)');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->run_log([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ]);
ok($node->run_log([ 'pg_restore', '-1', '-d', $node->connstr('restored'), $dump ]), 'a dump with keys is restored');
is($node->safe_psql('restored', $keys), $node->safe_psql('postgres', $keys), 'with the same keys');
$node->safe_psql('postgres', 'DROP DATABASE restored');

# ---- a standby ----

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
my $standby_port = PostgreSQL::Test::Cluster::get_free_port();
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf',
	'cp_webhook.port = ' . PostgreSQL::Test::Cluster::get_free_port() . "\n");
$standby->append_conf('postgresql.auto.conf', "cp_webhook.api_port = $standby_port");
$standby->start;
is(api_pid($standby), '', 'a standby has no api worker');
$standby->promote;
poll('it listens once promoted', sub { try_get($standby, '/readyz', port => $standby_port)->{status} == 200 });
is(wire($standby, $key, 'ListPipelines', {}, port => $standby_port)->{status}, 200, 'with the keys of the primary');
$standby->stop;

# ---- TLS ----

my $directory = PostgreSQL::Test::Utils::tempdir();
my $errors;
IPC::Run::run([ qw(openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=localhost
	  -addext subjectAltName=DNS:localhost -days 30), '-keyout', "$directory/key", '-out', "$directory/crt" ],
	'<', \undef, '2>', \$errors) or die $errors;
chmod 0600, "$directory/key";
$node->append_conf('postgresql.conf', "cp_webhook.ssl_cert_file = '$directory/crt'\ncp_webhook.ssl_key_file = '$directory/key'");
$node->reload;
my $out = '';
poll('the port speaks TLS', sub {
	IPC::Run::run([ qw(curl -sS --noproxy * --max-time 10 --cacert), "$directory/crt", "https://localhost:$port/metrics" ],
		'>', \$out, '2>', \$errors);
});
like($out, qr/^cp_webhook_certificate_remaining_days\{worker="api"\} (29|30)$/m, 'TLS as the receivers\'');

# ---- shutdown ----

my @held = map { connect_to($node, port => $port) } 1 .. 5;
$held[0]->send_text('POST / HT');
$seconds = seconds_of(sub { $node->stop('fast') });
cmp_ok($seconds, '<', 10, 'a shutdown waits for no client');
done_testing();
