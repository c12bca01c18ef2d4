# kill -9 of the maintenance worker at every step of registrations: never two
# hooks, never a lost one. REGISTRATION_KILLS=200 is how often (default 10).
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
use Registration;
use Test::More;
use Time::HiRes qw(sleep time);

my $rounds = $ENV{REGISTRATION_KILLS} // 10;
my $node = start_receivers('main', settings => { workers => 1, registration_hosts => '*', registration_timeout => '5s' },
	conf => "restart_after_crash = on\n");
my $fake = FakeProvider->start;
my @providers = ('GitHub', 'Gitea', 'GitLab', 'Bitbucket');

srand($ENV{SEED} // 7);

# Where a kill comes: before or after a request of that method is heard, done or
# answered. "wait" is what the fake provider does to make room for it.
my @steps = (
	{ name => 'as soon as it is wished' },
	{ name => 'a little later', pause => 0.02 },
	{ name => 'while the hooks are listed', method => 'GET', fault => { do => 'slow', seconds => 0.4 } },
	{ name => 'when the list has been answered', method => 'GET' },
	{ name => 'while the hook is made, which comes later', method => 'POST', fault => { do => 'slow', seconds => 0.6 } },
	{ name => 'while the hook is made, seconds later', method => 'POST', fault => { do => 'late', seconds => 2.5 } },
	{ name => 'when the hook has been made, without an answer', method => 'POST', fault => { do => 'drop_after' } },
	{ name => 'when the hook has been made', method => 'POST' },
	{ name => 'when the making has been noted', method => 'POST', pause => 0.02 },
	{ name => 'while the hook is updated', method => 'PATCH', fault => { do => 'slow', seconds => 0.3 } },
	{ name => 'while the hook is deleted', method => 'DELETE', fault => { do => 'slow', seconds => 0.3 } },
	{ name => 'when the hook has been deleted', method => 'DELETE' });

my %url;
foreach my $provider (@providers)
{
	create_source($node, lc $provider, $fake, $provider);
	put_webhook($node, lc $provider, pipeline => lc $provider, secret => 'geheim');
	$url{ lc $provider } = $node->safe_psql('postgres', "SELECT url FROM cp_webhook.webhooks WHERE name = '" . lc($provider) . "'");
}

# The log of a statement that a crash may interrupt: again until it is done.
sub sql_again
{
	my ($query) = @_;
	my $result;

	poll("the server does: $query", sub {
		my ($status, $out) = $node->psql('postgres', $query);
		$result = $out;
		return $status == 0;
	}, 0.1);
	return $result;
}

my (%wanted, %bad, %killed_at);
my $found_dead = 0;
foreach my $round (1 .. $rounds)
{
	my $step = $steps[ $round % @steps ];
	my $pid = sql_again("SELECT pid FROM pg_stat_activity WHERE backend_type = 'cp_webhook maintenance'");
	my @names = map { lc } @providers;

	next if $pid eq '';

	# The one that the step needs, and for the others what comes.
	$fake->forget;
	$fake->fault(method => $step->{method}, %{ $step->{fault} }, times => 2) if $step->{fault};
	foreach my $name (@names)
	{
		$wanted{$name} = !defined $step->{method} ? (rand() < 0.5)
		  : $step->{method} eq 'DELETE' ? 0 : 1;

		# What is to be made must not be there, what is deleted must.
		my $operation = $wanted{$name} ? 'register' : 'deregister';
		sql_again("SELECT cp_webhook.${operation}_webhook_with_third_party('{\"webhookName\": \"$name\"}')");
	}
	if ($step->{method})
	{
		my $end = time + 1.5;

		sleep 0.003 until time > $end || grep { $_->{method} eq $step->{method} } $fake->requests;
		$killed_at{ $step->{name} }++ if grep { $_->{method} eq $step->{method} } $fake->requests;
	}
	else
	{
		$killed_at{ $step->{name} }++;
	}
	sleep $step->{pause} if $step->{pause};
	$found_dead++ unless kill KILL => $pid;
	$fake->heal;

	foreach my $name (@names)
	{
		my $state = $wanted{$name} ? 'registered' : 'deregistered';
		my $is_done = eval {
			poll("$name is $state", sub {
				my ($status, $out) = $node->psql('postgres', "SELECT state FROM cp_webhook.registrations WHERE webhook = '$name'");
				return $status == 0 && ($out eq $state || (!$wanted{$name} && $out eq ''));
			}, 0.05);
		};
		my $hooks = grep { $_->{url} eq $url{$name} } $fake->hooks;

		next if $is_done && $hooks == ($wanted{$name} ? 1 : 0);
		$bad{$round} = "$step->{name}: $name: $hooks hooks, " . ($is_done ? $state : 'which it never became');
	}

	# Make room: what the next step is to make is not there.
	my $next = $steps[ ($round + 1) % @steps ];
	if (($next->{method} // '') =~ /^(GET|POST)$/)
	{
		foreach my $name (@names)
		{
			sql_again("SELECT cp_webhook.deregister_webhook_with_third_party('{\"webhookName\": \"$name\"}')");
			poll("$name is deregistered", sub { sql_again("SELECT state FROM cp_webhook.registrations WHERE webhook = '$name'") =~ /^(deregistered|)$/ }, 0.05);
		}
	}
	elsif ($next->{method})
	{
		foreach my $name (@names)
		{
			sql_again("SELECT cp_webhook.register_webhook_with_third_party('{\"webhookName\": \"$name\"}')");
			poll("$name is registered", sub { sql_again("SELECT state FROM cp_webhook.registrations WHERE webhook = '$name'") eq 'registered' }, 0.05);
		}
	}
	note "round $round: killed $step->{name}" if $round % 20 == 0;
}
is_deeply(\%bad, {}, "after each of $rounds kills there is one hook where there should be, and none elsewhere");
is($found_dead, 0, 'each kill met a worker');
note join "\n", map { "$killed_at{$_} times $_" } sort keys %killed_at;
cmp_ok(scalar keys %killed_at, '>=', ($rounds >= @steps ? @steps - 1 : 1), 'steps were met');

# The doubts that are left are settled, and nothing changes by it.
sql_again(q{UPDATE cp_webhook.third_party_registrations SET creating_at = creating_at - interval '1 hour', next_try_at = clock_timestamp() WHERE creating_at IS NOT NULL});
poll('no doubt is left', sub { sql_again(q{SELECT count(*) FROM cp_webhook.third_party_registrations WHERE creating_at IS NOT NULL OR state NOT IN ('registered', 'deregistered')}) eq '0' });
foreach my $name (sort keys %wanted)
{
	my $row = registration_of($node, $name);
	my $expected = $row && $row->{state} eq 'registered' ? 1 : 0;

	is(scalar(grep { $_->{url} eq $url{$name} } $fake->hooks), $expected, "$name has " . ($expected ? 'one hook' : 'none') . ' in the end');
}
is(scalar(grep { my $hook = $_; !grep { $_ eq $hook->{url} } values %url } our_hooks($fake)), 0, 'and there is no other one');
$node->stop;
done_testing();
