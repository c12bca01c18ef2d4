# Each provider: the requests are those of its documentation, pages are turned,
# and register, register again, deregister leave what they should.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use FakeProvider;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Registration;
use Test::More;

my $node = start_receivers('main', settings => { workers => 1, registration_hosts => '*' });
my $fake = FakeProvider->start;

# A member of a body that stands for the webhook's URL.
my $url = '<url>';

# The documented request bodies, by provider: what a new hook is made of, and
# what an update is. The documents: "Create a repository webhook" (GitHub),
# "Add a webhook to a project" (GitLab), repoCreateHook (Gitea), "Create a
# webhook for a repository" (Bitbucket).
my %github = (
	events => ['push'], active => JSON::PP::true,
	config => { url => $url, content_type => 'json', insecure_ssl => '0', secret => 'geheim' });
my %gitlab = (
	url => $url, token => 'geheim', enable_ssl_verification => JSON::PP::true, push_events => JSON::PP::true,
	map { $_ => JSON::PP::false } qw(tag_push_events merge_requests_events issues_events confidential_issues_events
	  note_events confidential_note_events job_events pipeline_events wiki_page_events deployment_events releases_events));
my %gitea = (
	type => 'gitea', events => ['push'], active => JSON::PP::true,
	config => { url => $url, content_type => 'json', secret => 'geheim' });
my %bitbucket = (
	description => '<description>', url => $url, active => JSON::PP::true, events => ['repo:push'], secret => 'geheim');

my @providers = (
	{ name => 'GitHub', base => '/github/repos/octo/%s/hooks', query => 'per_page=100&page=', pages => 3, kind => 'GitHub',
		headers => { authorization => 'Bearer good-token', accept => 'application/vnd.github+json', 'x-github-api-version' => '2022-11-28' },
		create => { name => 'web', %github }, update => [ PATCH => \%github ],
		event => [ '$headers."x-github-event"', 'release', ['release'] ] },
	{ name => 'GitHubEnterprise', base => '/api/v3/repos/octo/%s/hooks', query => 'per_page=100&page=', pages => 3, kind => 'GitHub', shares => 'GitHub',
		headers => { authorization => 'Bearer good-token', accept => 'application/vnd.github+json' },
		create => { name => 'web', %github }, update => [ PATCH => \%github ],
		event => [ '$headers["x-github-event"]', 'create', ['create'] ] },
	{ name => 'GitLab', base => '/api/v4/projects/octo%%2F%s/hooks', query => 'per_page=100&page=', pages => 3, kind => 'GitLab',
		headers => { 'private-token' => 'good-token', accept => 'application/json' },
		create => \%gitlab, update => [ PUT => \%gitlab ],
		event => [ '$headers."x-gitlab-event"', 'Tag Push Hook', ['tag_push_events'] ] },
	{ name => 'Gitea', base => '/api/v1/repos/octo/%s/hooks', query => 'limit=50&page=', pages => 5, kind => 'Gitea',
		headers => { authorization => 'token good-token', accept => 'application/json' },
		create => \%gitea, update => undef,
		event => [ '$headers."x-gitea-event"', 'create', ['create'] ] },
	{ name => 'Forgejo', base => '/forgejo/api/v1/repos/octo/%s/hooks', query => 'limit=50&page=', pages => 5, kind => 'Gitea', shares => 'Gitea',
		headers => { authorization => 'token good-token' },
		create => \%gitea, update => undef,
		event => [ '$headers."x-gitea-event"', 'delete', ['delete'] ] },
	{ name => 'Bitbucket', base => '/2.0/repositories/octo/%s/hooks', query => 'pagelen=100&page=', pages => 3, kind => 'Bitbucket',
		headers => { authorization => 'Bearer good-token', accept => 'application/json' },
		create => \%bitbucket, update => [ PUT => \%bitbucket ],
		event => [ '$headers."x-event-key"', 'pullrequest:created', ['pullrequest:created'] ] });

# A request's body with what differs by webhook replaced.
sub body_of
{
	my ($request, $webhook_url) = @_;
	my $text = $request->{body};

	$text =~ s/\Q$webhook_url\E/$url/g;
	my $body = json_of($text);
	$body->{description} = '<description>' if exists $body->{description};
	return $body;
}

sub webhook_url
{
	my ($name) = @_;
	return $node->safe_psql('postgres', "SELECT url FROM cp_webhook.webhooks WHERE name = '$name'");
}

sub steps
{
	my ($base) = @_;
	return [ map { my $path = $_->{path}; $path =~ s/^\Q$base\E//; "$_->{method} $path" . ($_->{query} ? "?$_->{query}" : '') } $fake->requests ];
}

foreach my $provider (@providers)
{
	my $name = $provider->{name};
	my $hook_name = lc $name;
	my $base = sprintf $provider->{base}, 'site';
	my $is_replaced = !$provider->{update};

	create_source($node, $hook_name, $fake, $name);
	my $path = put_webhook($node, $hook_name, pipeline => $hook_name, secret => 'geheim');
	my $webhook_url = webhook_url($hook_name);
	$fake->forget;

	# ---- register ----
	register($node, $hook_name);
	my $row = wait_for_registration($node, $hook_name, 'registered');
	my ($hook) = our_hooks($fake, $path);
	my @requests = $fake->requests;
	ok($hook, "$name: a hook is made");
	is($row->{hook_id}, $hook->{id}, 'its id is known');
	is_deeply(steps($base), [ "GET ?$provider->{query}1", 'POST ' ], 'by a look and a creation');
	foreach my $request (@requests)
	{
		is_deeply({ map { $_ => $request->{headers}{$_} } keys %{ $provider->{headers} } }, $provider->{headers}, "the headers of a $request->{method}");
		like($request->{headers}{'user-agent'}, qr{^cp_webhook/\d}, 'with a User-Agent');
	}
	is_deeply(body_of($requests[1], $webhook_url), $provider->{create}, 'the body of the creation');
	is($requests[1]{headers}{'content-type'}, 'application/json', 'is JSON');

	# ---- again ----
	$fake->forget;
	register($node, $hook_name);
	poll('it is written again', sub { $fake->requests >= ($is_replaced ? 2 : 1) });
	wait_for_registration($node, $hook_name, 'registered');
	@requests = $fake->requests;
	my $id = $hook->{id};
	$id =~ s/([{}])/sprintf '%%%02X', ord $1/ge;
	if ($is_replaced)
	{
		is_deeply(steps($base), [ "DELETE /$id", 'POST ' ], 'again: deleted and made anew, a secret cannot be changed');
		is_deeply(body_of($requests[1], $webhook_url), $provider->{create}, 'as it was');
	}
	else
	{
		my ($method, $body) = @{ $provider->{update} };

		is_deeply(steps($base), ["$method /$id"], 'again: updated');
		is_deeply(body_of($requests[0], $webhook_url), $body, 'the body of the update');
	}
	is(scalar our_hooks($fake, $path), 1, 'there is one hook');

	# ---- events, and no secret ----
	my ($filter, $event, $expected) = @{ $provider->{event} };
	put_webhook($node, $hook_name, pipeline => $hook_name, filters => [ { jsonPath => $filter, matchEquals => $event } ]);
	poll('another event is asked for', sub {
		my ($now) = our_hooks($fake, $path);
		return $now && "@{ $now->{events} }" eq "@$expected";
	});
	wait_for_registration($node, $hook_name, 'registered');
	ok(!((our_hooks($fake, $path))[0]{secret}), 'without authentication there is no secret');

	# ---- a hook that was made and whose answer was lost is found ----
	deregister($node, $hook_name);
	wait_for_registration($node, $hook_name, 'deregistered');
	is(scalar our_hooks($fake, $path), 0, 'deregister removes it');
	$fake->forget;
	$fake->fault(method => 'POST', do => 'drop_after', times => 1);
	register($node, $hook_name);
	wait_for_registration($node, $hook_name, 'registered');
	is(scalar our_hooks($fake, $path), 1, 'a lost answer makes no second hook');
	is(scalar(grep { $_->{method} eq 'POST' } $fake->requests), $is_replaced ? 2 : 1, 'it was found again');
	$fake->heal;
	call($node, 'delete_webhook', { name => $hook_name });
	poll('delete_webhook removes it', sub { !our_hooks($fake, $path) });

	# ---- pages ----
	call($node, 'update_pipeline', source_request($hook_name, $fake, $name, Repo => 'many'));
	$path = put_webhook($node, $hook_name, pipeline => $hook_name, secret => 'geheim');
	$base = sprintf $provider->{base}, 'many';
	$fake->forget;
	register($node, $hook_name);
	wait_for_registration($node, $hook_name, 'registered');
	is_deeply([ grep { /^GET/ } @{ steps($base) } ], [ map { "GET ?$provider->{query}$_" } 1 .. $provider->{pages} ],
		'every page of a long list is read, at the same host');
	is(scalar our_hooks($fake, $path), 1, 'a hook is made beside 250 others');

	# Forgotten here, it is found on the last page.
	$node->safe_psql('postgres', "UPDATE cp_webhook.third_party_registrations SET hook_id = NULL WHERE webhook = '$hook_name'");
	$fake->forget;
	register($node, $hook_name);
	wait_for_registration($node, $hook_name, 'registered');
	poll('it is known again', sub { registration_of($node, $hook_name)->{hook_id} });
	is(scalar our_hooks($fake, $path), 1, 'found on the last page');
	deregister($node, $hook_name);
	wait_for_registration($node, $hook_name, 'deregistered');
	is(scalar(grep { $_->{repository} eq 'octo/many' && $_->{provider} eq $provider->{kind} } $fake->hooks), 250, 'those of others stay');

	# ---- its errors ----
	call($node, 'update_pipeline', source_request($hook_name, $fake, $name, OAuthToken => 'stolen-token'));
	register($node, $hook_name);
	$row = wait_for_registration($node, $hook_name, 'failed');
	like($row->{last_error}, qr/^401 from \w[\w ]*: the token is not accepted \((?:401 )?Bad credentials\)$/, 'its error is read');
	call($node, 'delete_webhook', { name => $hook_name });
}

# ---- GitLab: a project with more parts than two ----

create_source($node, 'deep', $fake, 'GitLab', Owner => undef, Repo => undef, Project => 'octo/deep/site');
my $path = put_webhook($node, 'deep', pipeline => 'deep');
register($node, 'deep');
wait_for_registration($node, 'deep', 'registered');
is((our_hooks($fake, $path))[0]{repository}, 'octo/deep/site', 'a project of a GitLab subgroup');

# ---- an authentication that the provider cannot pass ----

put_webhook($node, 'deep', pipeline => 'deep', secret => 'geheim');
my (undef, undef, $told) = $node->psql('postgres', q{SELECT cp_webhook.register_webhook_with_third_party('{"webhookName": "deep"}')});
like($told, qr/NOTICE:  GitLab does not send what GITHUB_HMAC checks: its deliveries will be rejected/, 'a registration that cannot work is told of');

# ---- what an action may lack ----

my @lacking = (
	[ 'Owner', 'GitHub', Owner => undef ], [ 'Repo', 'GitHub', Repo => undef ],
	[ 'OAuthToken', 'GitHub', OAuthToken => undef ], [ 'ApiUrl', 'Gitea', ApiUrl => undef ],
	[ 'names a repository', 'GitHub', Repo => '../../user' ], [ 'names a repository', 'GitHub', Repo => 'a/b' ],
	[ 'names a repository', 'GitHub', Owner => 'o?x=' ], [ 'http or https URL', 'GitHub', ApiUrl => 'ftp://example.com' ],
	[ 'http or https URL', 'GitHub', ApiUrl => 'https://user:pw@example.com' ]);
put_webhook($node, 'lacking', pipeline => 'deep');
foreach my $case (@lacking)
{
	my ($what, $provider, %configuration) = @$case;

	call($node, 'update_pipeline', source_request('deep', $fake, $provider, %configuration));
	like(try_call($node, 'register_webhook_with_third_party', { webhookName => 'lacking' }),
		qr/CP001: ValidationException: .*Member must be the name of a webhook whose target action .*\Q$what\E/, "an action without what it needs: $what");
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM cp_webhook.registrations WHERE webhook = 'lacking'}), '0', 'nothing is wished then');

$node->stop;
done_testing();
