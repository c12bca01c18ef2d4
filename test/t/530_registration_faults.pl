# Third parties that fail: what is tried again and when, what is not; answers
# that are late, half, none; and others who hold locks meanwhile.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use FakeProvider;
use Lifecycle;
use Maintenance;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use POSIX qw(strftime);
use Registration;
use Test::More;
use Time::HiRes qw(time);

my $node = start_receivers('main', settings => { workers => 1, registration_hosts => '*', registration_timeout => '700ms' });
my $fake = FakeProvider->start;
my $number = 0;

sub sql
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}

# A new webhook, not registered yet: its name.
sub fresh
{
	my ($pipeline) = @_;
	my $name = 'w' . ++$number;

	put_webhook($node, $name, pipeline => $pipeline // 'site', secret => 'geheim');
	return $name;
}

sub hook_count
{
	my ($name) = @_;
	my $url = sql("SELECT url FROM cp_webhook.webhooks WHERE name = '$name'");
	return scalar grep { $_->{url} eq $url } $fake->hooks;
}

# Makes it due now, whatever it waits for.
sub hurry
{
	my ($name) = @_;
	sql("UPDATE cp_webhook.third_party_registrations SET next_try_at = clock_timestamp() WHERE webhook = '$name' AND next_try_at IS NOT NULL");
	return;
}

create_source($node, 'site', $fake, 'GitHub');

# ---- what is tried again, and heals ----

my @passing = (
	[ 'a 500', { do => 'status', status => 500, body => '{"message":"Server Error"}' }, '500', qr/^500 from GitHub: Server Error$/ ],
	[ 'a 502 that is no JSON', { do => 'status', status => 502, body => '<html>' }, '502', qr/^502 from GitHub: it is not available$/ ],
	[ 'a 429', { do => 'status', status => 429 }, '429', qr/^429 from GitHub: there were too many requests$/ ],
	[ 'a closed connection', { do => 'drop_before' }, 'ConnectionFailed', qr/^no answer from GitHub at http:/ ],
	[ 'an answer that never comes', { do => 'hang' }, 'TimedOut', qr/^no answer from GitHub at http:.*timed out/i ],
	[ 'half an answer', { do => 'half' }, 'ConnectionFailed', qr/^no answer from GitHub at http:/ ],
	[ 'what is no JSON', { do => 'garbage' }, 'BadAnswer', qr/^GitHub at http:\S+ sent what is no answer of it$/ ],
	[ 'an answer that is too large', { do => 'large' }, 'AnswerTooLarge', qr/^no answer from GitHub at \S+: the answer is too large$/ ]);

foreach my $case (@passing)
{
	my ($what, $fault, $code, $message) = @$case;

	foreach my $method ('GET', 'POST')
	{
		my $name = fresh();

		$fake->fault(%$fault, method => $method);
		register($node, $name);
		my $row = wait_for_registration($node, $name, 'pending', 'attempts > 0');
		is($row->{error_code}, $code, "$method, $what: $code");
		like($row->{last_error}, $message, 'in words');
		ok($row->{next_try_at}, 'it is tried again');
		$fake->heal;
		hurry($name);
		$row = wait_for_registration($node, $name, 'registered');
		is_deeply([ @$row{qw(attempts error_code last_error)} ], [ 0, undef, undef ], 'then it succeeds, and the error is gone');
		is(hook_count($name), 1, 'with one hook');
	}
}

# ---- what is not ----

my @lasting = (
	[ { status => 401, body => '{"message":"Bad credentials"}' }, '401 from GitHub: the token is not accepted (Bad credentials)' ],
	[ { status => 403, body => '{"message":"Resource not accessible"}' }, '403 from GitHub: the token needs admin:repo_hook (Resource not accessible)' ],
	[ { status => 404 }, '404 from GitHub: the token needs admin:repo_hook, or the repository does not exist' ],
	[ { status => 422, body => '{"message":"Validation Failed","errors":[{"message":"url is not supported"}]}' }, '422 from GitHub: Validation Failed: url is not supported' ],
	[ { status => 400 }, '400 from GitHub: it refuses the request' ],
	[ { status => 301, headers => { Location => 'http://127.0.0.1:1/x' } }, '301 from GitHub: it redirects to another host' ],
	[ { status => 302, headers => { Location => 'https://127.0.0.1/x' } }, '302 from GitHub: it redirects to another host' ],
	[ { status => 422, body => '{"message":"the secret geheim of good-token\n\u0007 is weak"}' }, '422 from GitHub: the secret **** of ****   is weak' ]);

foreach my $case (@lasting)
{
	my ($fault, $message) = @$case;
	my $name = fresh();

	$fake->forget;
	$fake->fault(do => 'status', method => 'POST', %$fault);
	register($node, $name);
	my $row = wait_for_registration($node, $name, 'failed');
	is($row->{last_error}, $message, $message);
	is($row->{next_try_at}, undef, 'it is not tried again');
	$fake->heal;
	register($node, $name);
	wait_for_registration($node, $name, 'registered');
	is(hook_count($name), 1, 'until somebody asks for it');
}

# ---- when it is tried again ----

sub wait_of
{
	my ($name, %fault) = @_;

	$fake->fault(do => 'status', status => 429, method => 'GET', %fault);
	register($node, $name);
	wait_for_registration($node, $name, 'pending', 'attempts > 0');
	$fake->heal;
	return sql("SELECT extract(epoch FROM next_try_at - updated_at) FROM cp_webhook.registrations WHERE webhook = '$name'");
}

my $name = fresh();
cmp_ok(wait_of($name, headers => { 'Retry-After' => 100 }), '>', 98, 'Retry-After is honoured');
cmp_ok(wait_of($name, status => 503, headers => { 'Retry-After' => 100 }), '>', 98, 'with a 503 as well');
cmp_ok(wait_of($name, status => 403, headers => { 'X-RateLimit-Remaining' => 0, 'X-RateLimit-Reset' => int(time) + 300 }), '>', 290, "so is GitHub's rate limit");
cmp_ok(wait_of($name, status => 403, headers => { 'Retry-After' => 77 }), '>', 75, 'and its secondary one');
cmp_ok(wait_of($name, status => 403, body => '{"message": "You have exceeded a secondary rate limit."}'), '>', 58, 'also where only the text tells of it');
cmp_ok(wait_of($name, status => 429, headers => { 'RateLimit-Reset' => int(time) + 200, 'RateLimit-Remaining' => 0 }), '>', 190, "and GitLab's");
cmp_ok(wait_of($name, headers => { 'Retry-After' => '99999999999' }), '<=', 86401, 'nobody waits longer than a day');
cmp_ok(wait_of($name, headers => { 'Retry-After' => strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime(time + 300)) }), '>', 290, 'Retry-After may be a date');
cmp_ok(wait_of($name, headers => { 'Retry-After' => 'Fri, 31 Dec 1999 23:59:59 GMT' }), '<', 2, 'one that is past is no wait');
$fake->fault(do => 'status', status => 500, method => 'GET');
register($node, $name);
my $row = wait_for_registration($node, $name, 'pending', 'attempts >= 3');
my $pause = sql("SELECT extract(epoch FROM next_try_at - updated_at) FROM cp_webhook.registrations WHERE webhook = '$name'");
cmp_ok($pause, '>=', 2.9, 'the third pause is of four seconds, a quarter less');
cmp_ok($pause, '<=', 5.1 * 2, 'or a quarter more');
$fake->heal;
hurry($name);
wait_for_registration($node, $name, 'registered');

# ---- redirects on the same host ----

$name = fresh();
$fake->fault(do => 'redirect', method => 'GET', times => 1, location => '/github/repos/octo/site2/hooks?per_page=100&page=1');
$fake->fault(do => 'redirect', method => 'POST', times => 1, location => $fake->api_url('GitHub') . '/repos/octo/site2/hooks');
$fake->forget;
register($node, $name);
wait_for_registration($node, $name, 'registered');
is_deeply([ map { "$_->{method} $_->{path}" } $fake->requests ],
	[ map { ("$_ /github/repos/octo/site/hooks", "$_ /github/repos/octo/site2/hooks") } 'GET', 'POST' ], 'a redirect on the same host is followed, with the method and the body');
is(hook_count($name), 1, 'and works');
$name = fresh();
$fake->fault(do => 'redirect', location => $fake->api_url('GitHub') . '/repos/octo/site/hooks?per_page=100&page=1');
$fake->forget;
register($node, $name);
wait_for_registration($node, $name, 'failed');
is(scalar $fake->requests, 4, 'but not for ever');
my $other = FakeProvider->start;
$fake->heal;
$fake->fault(do => 'redirect', location => $other->api_url('GitHub') . '/repos/octo/site/hooks');
register($node, $name);
wait_for_registration($node, $name, 'failed', q{last_error LIKE '%redirects to another host'});
is(scalar $other->requests, 0, 'to another port it is not followed: the token stays here');
$other->stop;
$fake->heal;

# ---- a creation that comes late ----

$name = fresh();
$fake->fault(do => 'late', seconds => 2, method => 'POST', times => 1);
register($node, $name);
wait_for_registration($node, $name, 'registered');
is(hook_count($name), 1, 'a hook that is made two seconds after its request failed is waited for');
$fake->fault(do => 'late', seconds => 2, method => 'POST', times => 1);
my $dropped = fresh();
register($node, $dropped);
my $url = sql("SELECT url FROM cp_webhook.webhooks WHERE name = '$dropped'");
wait_for_registration($node, $dropped, 'pending', 'attempts > 0');
call($node, 'delete_webhook', { name => $dropped });
poll('it is looked for', sub { sql("SELECT state FROM cp_webhook.registrations WHERE webhook = '$dropped'") =~ /^(deregistered|)$/ });
is(scalar(grep { $_->{url} eq $url } $fake->hooks), 0, 'and removed where the webhook was deleted meanwhile');

# One that came too late for that is found by a second look.
$fake->fault(do => 'late', seconds => 8, method => 'POST', times => 1);
$name = fresh();
register($node, $name);
wait_for_registration($node, $name, 'registered');
poll('there are two hooks', sub { hook_count($name) == 2 });
sql("UPDATE cp_webhook.third_party_registrations SET creating_at = creating_at - interval '1 hour', next_try_at = clock_timestamp() WHERE webhook = '$name'");
poll('one of them is removed', sub { hook_count($name) == 1 });
wait_for_registration($node, $name, 'registered', 'next_try_at IS NULL');
pass('and then nothing is left to be done');

# ---- wishes that cross an attempt ----

$name = fresh();
set_settings($node, registration_timeout => '10s');
$fake->fault(do => 'slow', seconds => 1, method => 'POST', times => 1);
$fake->forget;
register($node, $name);
poll('the hook is being made', sub { grep { $_->{method} eq 'POST' } $fake->requests });
deregister($node, $name);
wait_for_registration($node, $name, 'deregistered');
is(hook_count($name), 0, 'deregistered while it was being made');
$fake->fault(do => 'slow', seconds => 1, method => 'POST', times => 1);
$fake->forget;
register($node, $name);
poll('the hook is being made', sub { grep { $_->{method} eq 'POST' } $fake->requests });
put_webhook($node, $name, pipeline => 'site', secret => 'changed meanwhile');
poll('a secret that was put meanwhile comes to be', sub { grep { ($_->{secret} // '') eq 'changed meanwhile' } $fake->hooks });
wait_for_registration($node, $name, 'registered');
is(hook_count($name), 1, 'as one hook');

# ---- locks of others ----

my $admin = $node->background_psql('postgres', on_error_stop => 1);
$name = fresh();
my $beside = fresh();
$fake->fault(do => 'slow', seconds => 1, method => 'POST', times => 1);
$fake->forget;
register($node, $name);
poll('the hook is being made', sub { grep { $_->{method} eq 'POST' } $fake->requests });
$admin->query_safe('BEGIN');
$admin->query_safe("SELECT FROM cp_webhook.third_party_registrations WHERE webhook = '$name' FOR UPDATE");
poll('it is made', sub { hook_count($name) == 1 });
register($node, $beside);
wait_for_registration($node, $beside, 'registered');
is(registration_of($node, $name)->{state}, 'working', 'a lock on a registration holds up that one alone');
$admin->query_safe('COMMIT');
wait_for_registration($node, $name, 'registered');
is(hook_count($name), 1, 'which ends when the lock does, with one hook');
$admin->quit;

# ---- one third party that hangs ----

create_source($node, 'hanging', undef, 'GitHub', ApiUrl => FakeProvider->start->api_url('GitHub'));
my ($hanging) = grep { $_->port != $fake->port && $_->{pid} } @FakeProvider::started;
$hanging->fault(do => 'hang');
foreach my $i (1 .. 20)
{
	register($node, fresh('hanging'));
}
poll('some of them hang', sub { sql(q{SELECT count(*) FROM cp_webhook.registrations WHERE state = 'working'}) >= 4 });
is(sql(q{SELECT count(*) FROM cp_webhook.registrations WHERE state = 'working'}), '4', 'no more than four of one API at once');
$name = fresh();
my $seconds = seconds_of(sub { register($node, $name); wait_for_registration($node, $name, 'registered') });
cmp_ok($seconds, '<', 5, 'another one is registered meanwhile');
is(sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'cp_webhook maintenance' AND xact_start IS NOT NULL}), '0', 'no transaction is open');
cmp_ok(seconds_of(sub { $node->stop('fast') }), '<', 10, 'a stop does not wait for them');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|crash|failed while/, 'nothing has crashed');

done_testing();
