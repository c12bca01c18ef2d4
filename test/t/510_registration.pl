# The whole circle of a registration: put, register, the provider posts a ping
# and a push, the event is recorded, deregister. What a rollback leaves, what
# follows a change, what errors show.
use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use FakeProvider;
use Lifecycle;
use Maintenance;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Registration;
use Test::More;

my $secret = 'a secret "with" \\ and ü';
my $node = start_receivers('main', settings => { workers => 1, registration_hosts => '*' });
my $fake = FakeProvider->start;

sub sql
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}

sub item_of
{
	my ($name) = @_;
	my ($item) = grep { $_->{definition}{name} eq $name } @{ call($node, 'list_webhooks', {})->{webhooks} };
	return $item;
}

my $listener = $node->background_psql('postgres');
$listener->query_safe('LISTEN cp_webhook_registration');
my @told;

# What has been notified, when one of that webhook and outcome has come.
sub told
{
	my ($webhook, $outcome) = @_;
	my $found;

	poll("$outcome of $webhook is notified", sub {
		push @told, map { json_of($_) } $listener->query('SELECT 1')
		  =~ /^Asynchronous notification "cp_webhook_registration" with payload "(.*)" received/mg;
		($found) = grep { $_->{webhook} eq $webhook && $_->{outcome} eq $outcome } @told;
		return $found;
	}, 0.1);
	@told = ();
	return $found;
}

# ---- the circle ----

create_source($node, 'site', $fake, 'GitHub', Branch => 'main');
my $path = put_webhook($node, 'push', pipeline => 'site', secret => $secret,
	filters => [ { jsonPath => '$.ref', matchEquals => 'refs/heads/{Branch}' } ]);
is_deeply(register($node, 'push'), {}, 'register answers {}');
my $row = wait_for_registration($node, 'push', 'registered');
my @hooks = our_hooks($fake);
is(scalar @hooks, 1, 'there is one hook');
my $hook = $hooks[0];
is($row->{hook_id}, $hook->{id}, 'whose id the view shows');
is_deeply([ @$row{qw(provider repository wanted attempts next_try_at last_error)} ],
	[ 'GitHub', 'octo/site', 'registered', 0, undef, undef ], 'and where it is');
is($hook->{url}, item_of('push')->{url}, 'it has the URL of the webhook');
is($hook->{secret}, $secret, 'and its secret');
is_deeply($hook->{events}, ['push'], 'of pushes');
is_deeply([ map { $_->{method} . ' ' . $_->{path} . ($_->{query} ? "?$_->{query}" : '') } $fake->requests ],
	[ 'GET /github/repos/octo/site/hooks?per_page=100&page=1', 'POST /github/repos/octo/site/hooks' ],
	'it was looked for, then made');
my $told = told('push', 'registered');
is_deeply([ @$told{qw(provider repository hookId errorCode errorMessage nextTryAt)} ],
	[ 'GitHub', 'octo/site', $hook->{id}, undef, undef, undef ], 'and notified');

is_deeply([ $fake->deliver($hook, 'ping', '{"zen":"Speak like a human.","hook_id":1}') ],
	[ 200, '{"status":"pong"}' ], 'the ping of the provider is answered');
my ($status, $body) = $fake->deliver($hook, 'push', '{"ref":"refs/heads/main"}', id => 'circle-1');
is($status, 200, 'its push is taken');
is(json_of($body)->{status}, 'triggered', 'and triggers');
is(sql(q{SELECT webhook, event, provider_delivery_id, payload ->> 'ref' FROM cp_webhook.trigger_events}),
	'push|push|circle-1|refs/heads/main', 'the event is recorded');
is(($fake->deliver({ %$hook, secret => 'another' }, 'push', '{"ref":"refs/heads/main"}'))[0], 401, 'with another secret it is not');

is_deeply(deregister($node, 'push'), {}, 'deregister answers {}');
$row = wait_for_registration($node, 'push', 'deregistered');
is($row->{hook_id}, undef, 'no hook is known any more');
is(scalar our_hooks($fake), 0, 'nor is there one');
told('push', 'deregistered');
is_deeply(deregister($node, 'push'), {}, 'deregister of what is not registered answers {}');
$fake->forget;

# ---- rolled back, nothing happens ----

sql(q{BEGIN; SELECT cp_webhook.register_webhook_with_third_party('{"webhookName": "push"}'); ROLLBACK});
$node->psql('postgres', q{BEGIN; SAVEPOINT a; SELECT cp_webhook.register_webhook_with_third_party('{"webhookName": "push"}'); ROLLBACK TO a; SELECT 1/0});
is(registration_of($node, 'push')->{state}, 'deregistered', 'a rollback leaves no wish');
my $session = $node->background_psql('postgres', on_error_stop => 1);
$session->query_safe('BEGIN');
$session->query_safe(q{SELECT cp_webhook.register_webhook_with_third_party('{"webhookName": "push"}')});
wake_maintenance($node);
is(scalar $fake->requests, 0, 'before the commit no request is made');
$session->query_safe('COMMIT');
wait_for_registration($node, 'push', 'registered');
is(scalar our_hooks($fake), 1, 'after it there is a hook');
is(sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'cp_webhook maintenance' AND xact_start IS NOT NULL}), '0', 'no transaction is open');

# ---- register again, follow changes ----

($hook) = our_hooks($fake);
$fake->forget;
register($node, 'push');
poll('it is written again', sub { grep { $_->{method} eq 'PATCH' } $fake->requests });
wait_for_registration($node, 'push', 'registered');
is_deeply([ map { $_->{method} } $fake->requests ], ['PATCH'], 'register of what is registered updates it');
is_deeply([ map { $_->{id} } our_hooks($fake) ], [ $hook->{id} ], 'the very hook');

put_webhook($node, 'push', pipeline => 'site', secret => 'rotated', filters => [ { jsonPath => '$.ref' } ]);
poll('the rotated secret is there', sub { ((our_hooks($fake))[0]{secret} // '') eq 'rotated' });
wait_for_registration($node, 'push', 'registered');
$fake->forget;
put_webhook($node, 'push', pipeline => 'site', secret => 'rotated', filters => [ { jsonPath => '$.other' } ]);
wait_for_registration($node, 'push', 'registered');
is(scalar $fake->requests, 0, 'a change that is none for the hook makes no request');
put_webhook($node, 'push', pipeline => 'site', secret => 'rotated',
	filters => [ { jsonPath => '$headers."x-github-event"', matchEquals => 'release' } ]);
poll('the event of a filter is asked for', sub { "@{ (our_hooks($fake))[0]{events} }" eq 'release' });
put_webhook($node, 'push', pipeline => 'site', secret => 'rotated',
	filters => [ { jsonPath => '$headers."x-github-event" ? (@ == "push" || @ == "pull_request")' } ]);
poll('or those of a path', sub { "@{ (our_hooks($fake))[0]{events} }" eq 'push pull_request' });
put_webhook($node, 'push', pipeline => 'site');
poll('without authentication there is no secret', sub { !defined((our_hooks($fake))[0]{secret}) });
wait_for_registration($node, 'push', 'registered');

set_settings($node, public_url => 'http://hooks.example.com:8080/');
poll('a changed public_url is registered', sub { (our_hooks($fake))[0]{url} eq "http://hooks.example.com:8080$path" });
is(scalar our_hooks($fake), 1, 'as the same hook');
set_settings($node, public_url => undef);
poll('and back', sub { (our_hooks($fake))[0]{url} =~ /^http:\/\/(?!hooks)/ });
wait_for_registration($node, 'push', 'registered');

call($node, 'update_pipeline', source_request('site', $fake, 'GitHub', Repo => 'site2'));
poll('the hook moves with the repository', sub {
	my @there = our_hooks($fake);
	return @there == 1 && $there[0]{repository} eq 'octo/site2';
});
poll('and its old place is forgotten', sub { sql(q{SELECT count(*) FROM cp_webhook.registrations}) eq '1' });

# A hook that somebody has removed.
wait_for_registration($node, 'push', 'registered');
$fake->remove_hook((our_hooks($fake))[0]{id});
register($node, 'push');
poll('a hook that was removed is made again', sub { our_hooks($fake) });
wait_for_registration($node, 'push', 'registered');
$fake->remove_hook((our_hooks($fake))[0]{id});
deregister($node, 'push');
wait_for_registration($node, 'push', 'deregistered');
pass('deregister of what is gone succeeds');

# ---- errors ----

call($node, 'update_pipeline', source_request('site', $fake, 'GitHub', Repo => 'nowhere'));
register($node, 'push');
$row = wait_for_registration($node, 'push', 'failed');
is($row->{last_error}, '404 from GitHub: the token needs admin:repo_hook, or the repository does not exist', 'an error can be read');
is_deeply([ @{ item_of('push') }{qw(errorCode errorMessage)} ], [ '404', $row->{last_error} ], 'and shows as errorCode and errorMessage');
is($row->{next_try_at}, undef, 'it is not tried again');
$told = told('push', 'failed');
is($told->{errorMessage}, $row->{last_error}, 'it is notified');
call($node, 'update_pipeline', source_request('site', $fake, 'GitHub', OAuthToken => 'bad-token'));
$row = wait_for_registration($node, 'push', 'failed', q{last_error LIKE '401%'});
is($row->{last_error}, '401 from GitHub: the token is not accepted (Bad credentials)', 'another one takes its place');
call($node, 'update_pipeline', source_request('site', $fake, 'GitHub'));
wait_for_registration($node, 'push', 'registered');
is_deeply([ @{ item_of('push') }{qw(errorCode errorMessage)} ], [ undef, undef ], 'success clears both');

like(try_call($node, 'register_webhook_with_third_party', { webhookName => 'nobody' }), qr/CP006: WebhookNotFoundException: webhook not found: 'nobody'/, 'a webhook that is not there');
like(try_call($node, 'deregister_webhook_with_third_party', { webhookName => 'nobody' }), qr/CP006: WebhookNotFoundException/, 'nor can it be deregistered');
like(try_call($node, 'register_webhook_with_third_party', {}), qr/CP001: ValidationException: .*Value null at 'webhookName'/, 'no name');
create_source($node, 'other', undef, 'CodeCommit');
put_webhook($node, 'other', pipeline => 'other');
like(try_call($node, 'register_webhook_with_third_party', { webhookName => 'other' }),
	qr/CP001: ValidationException: 1 validation error detected: Value 'other' at 'webhookName' failed to satisfy constraint: Member must be the name of a webhook whose target action is of owner ThirdParty or Custom and of a provider of \[GitHub, /,
	'no supported provider');
call($node, 'delete_pipeline', { name => 'other' });
like(try_call($node, 'register_webhook_with_third_party', { webhookName => 'other' }), qr/CP001: .*target pipeline exists, which 'other' does not/, 'no pipeline');

# ---- delete ----

is(scalar our_hooks($fake), 1, 'there is a hook');
call($node, 'delete_webhook', { name => 'push' });
wait_for_registration($node, 'push', 'gone');
is(scalar our_hooks($fake), 0, 'delete_webhook deregisters');

# A webhook of the same name is another one.
my $old_path = put_webhook($node, 'push', pipeline => 'site');
register($node, 'push');
wait_for_registration($node, 'push', 'registered');
$fake->fault(method => 'DELETE', do => 'status', status => 503);
call($node, 'delete_webhook', { name => 'push' });
my $new_path = put_webhook($node, 'push', pipeline => 'site');
register($node, 'push');
poll('the new hook is there beside the old one', sub { our_hooks($fake, $new_path) && our_hooks($fake, $old_path) });
$fake->heal;
poll('then the old one goes', sub { !our_hooks($fake, $old_path) });
is(scalar our_hooks($fake, $new_path), 1, 'and the new one stays');

# Rows that were deleted by hand leave no hook either.
wait_for_registration($node, 'push', 'registered');
sql(q{DELETE FROM cp_webhook.webhook_definitions WHERE name = 'push'});
wake_maintenance($node);
wait_for_registration($node, 'push', 'gone');
is(scalar our_hooks($fake), 0, 'a webhook that was deleted by SQL is deregistered');

# ---- restart ----

put_webhook($node, 'push', pipeline => 'site');
register($node, 'push');
$node->restart;
wait_until_listening($node);
wait_for_registration($node, 'push', 'registered');
is(scalar our_hooks($fake), 1, 'what was wished before a restart is done after it');
$listener->quit;
$session->quit;

$node->stop;
done_testing();
