# What registrations keep to themselves: tokens and secrets in logs, tables,
# dumps and views; who is talked to, how; copies of a database.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use FakeProvider;
use Lifecycle;
use Maintenance;
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Registration;
use Test::More;

# The environment's proxies and .netrc count for nothing.
my $directory = PostgreSQL::Test::Utils::tempdir();
local $ENV{$_} = 'http://127.0.0.1:1' foreach qw(http_proxy https_proxy all_proxy ALL_PROXY HTTPS_PROXY);
local $ENV{HOME} = $directory;
append_to_file("$directory/.netrc", "default login someone password netrc-password\n");

my $secret = 'plain-text-of-the-secret';
my $token = 'good-token';
my $node = start_receivers('main',
	settings => { workers => 1 },
	conf => "log_min_messages = debug5\nlog_statement = none\nlog_min_duration_statement = -1\nlog_min_error_statement = panic\n");
my $fake = FakeProvider->start;
set_settings($node, registration_hosts => '*');

sub sql
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}

sub dump_of_database
{
	my ($out) = run_command([ 'pg_dump', '-h', $node->host, '-p', $node->port, '--inserts', 'postgres' ]);
	return $out;
}

# ---- the log ----

my $position = log_position($node);
create_source($node, 'site', $fake, 'GitHub');
my $path = put_webhook($node, 'push', pipeline => 'site', secret => $secret);
register($node, 'push');
wait_for_registration($node, 'push', 'registered');
ok((our_hooks($fake, $path))[0], 'registered past the proxies of the environment');
unlike(join("\n", map { "$_: " . join '|', %{ $_->{headers} } } $fake->requests), qr/netrc-password/, 'and without .netrc');
$fake->fault(do => 'status', status => 422, method => 'PATCH', body => qq({"message":"$secret and $token"}));
register($node, 'push');
my $row = wait_for_registration($node, 'push', 'failed');
is($row->{last_error}, '422 from GitHub: **** and ****', 'secrets in an answer are masked');
$fake->heal;
$fake->fault(do => 'drop_before', method => 'PATCH', times => 1);
register($node, 'push');
wait_for_registration($node, 'push', 'pending', 'attempts > 0');
wait_for_registration($node, 'push', 'registered');
my $worker = maintenance_pid($node);
my $log = join "\n", grep { /cp_webhook maintenance|\[$worker\]/ } split /\n/, log_since($node, $position);
cmp_ok(length $log, '>', 1000, 'at debug5 the worker says much');
unlike($log, qr/\Q$token\E/, 'but no token');
unlike($log, qr/\Q$secret\E/, 'and no secret');
unlike(sql(q{SELECT string_agg(r::text, ' ') FROM cp_webhook.registrations r}), qr/\Q$token\E|\Q$secret\E/, 'nor does the view');
unlike(sql(q{SELECT string_agg(coalesce(fingerprint, ''), ' ') FROM cp_webhook.third_party_registrations}), qr/\Q$secret\E/, 'nor the fingerprint');

# ---- at rest ----

my $file = $node->basedir . '/keys';
{
	umask 077;
	append_to_file($file, 'first ' . encode_base64('k' x 32, ''), "\n");
}
like(dump_of_database(), qr/\Q$token\E/, 'without a key file a token is stored as it is');
set_settings($node, secret_key_file => $file);
is(sql('SELECT cp_webhook.rotate_secret_key()'), 3, 'rotate_secret_key() seals a webhook, a pipeline and a registration');
unlike(dump_of_database(), qr/\Q$token\E|\Q$secret\E/, 'then a dump holds neither');
is(sql(q{SELECT bool_and(access_token LIKE 'cpw1:first:%' AND fingerprint LIKE 'cpw1:first:%') FROM cp_webhook.third_party_registrations}), 't', 'token and fingerprint are sealed');
$fake->forget;
register($node, 'push');
wait_for_registration($node, 'push', 'registered');
poll('it is written with what was sealed', sub { grep { $_->{method} eq 'PATCH' } $fake->requests });
is((our_hooks($fake, $path))[0]{secret}, $secret, 'with the secret');
sql(q{UPDATE cp_webhook.third_party_registrations SET access_token = (SELECT declaration #>> '{stages,0,actions,0,configuration,OAuthToken}' FROM cp_webhook.pipeline_versions WHERE name = 'site')});
deregister($node, 'push');
$row = wait_for_registration($node, 'push', 'pending', 'attempts > 0');
is($row->{error_code}, 'SecretUnavailable', 'a token from elsewhere does not open');
call($node, 'put_webhook', webhook_request('push', pipeline => 'site', secret => $secret));
register($node, 'push');
wait_for_registration($node, 'push', 'registered');
pass('registering again seals it anew');

# ---- who is talked to ----

sub refusal
{
	my ($name) = @_;
	return try_call($node, 'register_webhook_with_third_party', { webhookName => $name });
}

create_source($node, 'far', undef, 'GitHub', ApiUrl => 'http://git.example.com/api');
put_webhook($node, 'far', pipeline => 'far');
set_settings($node, registration_hosts => undef);
like(refusal('push'), qr/CP001: .*the host 127\.0\.0\.1 is not one of cp_webhook\.registration_hosts/, 'by itself only the known providers are talked to');
(undef, undef, my $refused) = $node->psql('postgres', q{ALTER SYSTEM SET cp_webhook.registration_hosts = 'https://git.example.com'});
like($refused, qr/invalid value for parameter "cp_webhook\.registration_hosts"/, 'the list has hosts, no URLs');
set_settings($node, registration_hosts => '*');
like(refusal('far'), qr/CP001: .*http:\/\/git\.example\.com\/api is not https, and cp_webhook\.registration_allow_http is off/, 'http to another host is refused');
set_settings($node, registration_hosts => 'api.github.com, .example.org');
like(refusal('push'), qr/CP001: .*the host 127\.0\.0\.1 is not one of cp_webhook\.registration_hosts/, 'a host that is not in the list');
set_settings($node, registration_hosts => '.example.com, 127.0.0.1', registration_allow_http => 'on',
	registration_proxy => 'http://127.0.0.1:' . $fake->port);
$fake->forget;
call($node, 'update_pipeline', source_request('far', undef, 'GitHub', ApiUrl => 'http://git.example.com/github'));
register($node, 'far');
wait_for_registration($node, 'far', 'registered');
is(($fake->requests)[0]{proxied}, 'git.example.com', 'with the setting, through the proxy of the settings');
set_settings($node, registration_allow_http => undef, registration_proxy => undef);
deregister($node, 'far');
$row = wait_for_registration($node, 'far', 'failed');
is($row->{error_code}, 'HttpNotAllowed', 'what was forbidden since is not done');
$fake->forget;
set_settings($node, registration_hosts => 'api.github.com');
deregister($node, 'push');
$row = wait_for_registration($node, 'push', 'failed');
is($row->{error_code}, 'HostNotAllowed', 'likewise of a host');
is(scalar $fake->requests, 0, 'no request was made');
set_settings($node, registration_hosts => '*');
register($node, 'push');
wait_for_registration($node, 'push', 'registered');

# github_api_url is where GitHub is for actions that do not say.
set_settings($node, github_api_url => $fake->api_url('GitHub'));
create_source($node, 'default', undef, 'GitHub');
put_webhook($node, 'default', pipeline => 'default');
register($node, 'default');
wait_for_registration($node, 'default', 'registered');
pass('github_api_url is used');
my ($status, undef, $errors) = $node->psql('postgres', q{ALTER SYSTEM SET cp_webhook.github_api_url = 'https://user@host/?x'});
like($errors, qr/invalid value for parameter "cp_webhook\.github_api_url"/, 'and is checked');

# ---- TLS ----

sub certificate
{
	my ($name, @more) = @_;

	system_or_bail('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
		'-keyout', "$directory/$name.key", '-out', "$directory/$name.crt", '-subj', "/CN=$name", @more);
	return { cert => "$directory/$name.crt", key => "$directory/$name.key" };
}

my $tls = FakeProvider->start(tls => certificate('localhost', '-addext', 'subjectAltName=DNS:localhost'));
create_source($node, 'tls', undef, 'GitHubEnterprise', ApiUrl => $tls->api_url('GitHubEnterprise', 'localhost'));
my $tls_path = put_webhook($node, 'tls', pipeline => 'tls', secret => $secret);
register($node, 'tls');
$row = wait_for_registration($node, 'tls', 'pending', 'attempts > 0');
is($row->{error_code}, 'TlsFailed', 'a certificate of nobody we know is refused');
is(scalar(grep { $_->{path} !~ m{^/_} } $tls->requests), 0, 'no token was sent');
set_settings($node, registration_ca_file => "$directory/localhost.crt");
register($node, 'tls');
wait_for_registration($node, 'tls', 'registered');
is(scalar our_hooks($tls, $tls_path), 1, 'with its authority it is registered over https');
call($node, 'update_pipeline', source_request('tls', undef, 'GitHubEnterprise', ApiUrl => $tls->api_url('GitHubEnterprise')));
$row = wait_for_registration($node, 'tls', 'pending', 'attempts > 0');
is($row->{error_code}, 'TlsFailed', 'but not under another name than its certificate has');
set_settings($node, registration_ca_file => "$directory/nothing");
register($node, 'tls');
$row = wait_for_registration($node, 'tls', 'pending', 'attempts > 0');
is($row->{error_code}, 'TlsFailed', 'nor with a file that is not there');

# ---- privileges ----

sql('CREATE ROLE registrar; GRANT USAGE ON SCHEMA cp_webhook TO registrar;'
	  . ' GRANT EXECUTE ON FUNCTION cp_webhook.register_webhook_with_third_party(jsonb) TO registrar;'
	  . ' GRANT SELECT ON cp_webhook.registrations TO registrar');
is(sql(q{SET ROLE registrar; SELECT cp_webhook.register_webhook_with_third_party('{"webhookName": "push"}')}), '{}', 'EXECUTE on the operation is enough');
is(sql(q{SET ROLE registrar; SELECT count(*) > 0 FROM cp_webhook.registrations}), 't', 'and SELECT on the view');
(undef, undef, $errors) = $node->psql('postgres', 'SET ROLE registrar; SELECT * FROM cp_webhook.third_party_registrations');
like($errors, qr/permission denied/, 'the table is not theirs');

# ---- a copy of the database, in another cluster ----

wait_for_registration($node, 'push', 'registered');
sql('DROP OWNED BY registrar; DROP ROLE registrar');
my $dump = "$directory/dump";
run_command([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-Fc', '-f', $dump, 'postgres' ]);
my $copy = start_receivers('copy', extension => 0, settings => { workers => 1, registration_hosts => '*', public_url => 'http://copy.example.com', secret_key_file => $file });
system_or_bail('pg_restore', '-h', $copy->host, '-p', $copy->port, '-1', '-d', 'postgres', $dump);
is($copy->safe_psql('postgres', q{SELECT string_agg(DISTINCT state, ' ') FROM cp_webhook.registrations}), 'foreign', 'in a copy registrations are foreign');
my ($hook) = our_hooks($fake, $path);
$copy->reload;
call($copy, 'put_webhook', webhook_request('push', pipeline => 'site', secret => 'the secret of the copy'));
wake_maintenance($copy);
is_deeply([ our_hooks($fake, $path) ], [$hook], "its changes are not its original's");
call($copy, 'delete_webhook', { name => 'default' });
is($copy->safe_psql('postgres', q{SELECT count(*) FROM cp_webhook.registrations WHERE webhook = 'default'}), '0', 'what it deletes it forgets');
is(scalar(grep { $_->{id} eq registration_of($node, 'default')->{hook_id} } our_hooks($fake)), 1, 'and leaves the hook to the original');
register($copy, 'push');
wait_for_registration($copy, 'push', 'registered');
is((our_hooks($fake, $path))[0]{url}, "http://copy.example.com$path", 'a register makes it its own');
is(scalar our_hooks($fake, $path), 1, 'the one hook that there is');

$copy->stop;
$node->stop;
done_testing();
