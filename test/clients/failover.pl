# failover: pg_auto_failover keeps a primary and a standby, HAProxy sends to the
# one that is well, and senders try again. PostgreSQL is killed, then the whole
# node: for how long do senders see errors, and is everything there once that was
# acked? A TAP test that test/clients/run runs, where both packages are.
#
#   FAILOVER_RATE     deliveries a second (500)
#   FAILOVER_SECONDS  of them before and after each kill (5)
#   FAILOVER_FAST     1: let the monitor look more often than by default
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use Balancer;
use CpWebhook;
use Lifecycle;
use Load;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $rate = $ENV{FAILOVER_RATE} || 500;
my $seconds = $ENV{FAILOVER_SECONDS} || 5;
my $home = PostgreSQL::Test::Utils::tempdir_short();
my %port = map { $_ => PostgreSQL::Test::Cluster::get_free_port() } qw(monitor a b http_a http_b);
my %running;
my $last_error = '';

# What pg_autoctl writes beside its clusters stays here.
$ENV{HOME} = $home;
$ENV{"XDG_$_"} = "$home/xdg" foreach qw(CONFIG_HOME DATA_HOME CACHE_HOME RUNTIME_DIR);
mkdir "$home/xdg";
$ENV{LC_ALL} = 'C.UTF-8';
delete @ENV{qw(PGDATABASE PGAPPNAME)};
$ENV{PGHOST} = 'localhost';
$ENV{PGUSER} = 'postgres';

# ---- pg_autoctl ----

sub output_of
{
	my (@command) = @_;
	my ($out, $errors) = ('', '');

	IPC::Run::run(\@command, '<', '/dev/null', '>', \$out, '2>', \$errors);
	return wantarray ? ($?, $out, $errors) : $out;
}

sub create
{
	my ($kind, $name, @options) = @_;
	my ($status, $out, $errors) = output_of('pg_autoctl', 'create', $kind, '--pgdata', "$home/$name", '--pgport', $port{$name},
		'--hostname', 'localhost', '--auth', 'trust', '--no-ssl', @options);

	die "pg_autoctl create $kind failed:\n$out$errors" if $status;
	return;
}

# In the foreground of a process of ours, so that it can be found and killed.
sub run
{
	my ($name) = @_;
	my $pid = fork;

	die "could not fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		open STDIN, '<', '/dev/null';
		open STDOUT, '>>', "$home/$name.log";
		open STDERR, '>&', \*STDOUT;
		setpgrp;
		exec 'pg_autoctl', 'run', '--pgdata', "$home/$name" or POSIX::_exit(127);
	}
	return $running{$name} = $pid;
}

# A process and all that it has started, and these.
sub family_of
{
	my ($pid) = @_;
	my %children;

	foreach my $file (glob '/proc/[0-9]*/stat')
	{
		open my $stat, '<', $file or next;
		my $line = <$stat> // next;

		push @{ $children{$2} }, $1 if $line =~ /\A(\d+) \(.*\) \S (\d+) /s;
	}
	my @family = ($pid);
	for (my $i = 0; $i < @family; $i++)
	{
		push @family, @{ $children{ $family[$i] } || [] };
	}
	return @family;
}

sub kill_node
{
	my ($name) = @_;
	my $pid = delete $running{$name} or return;

	kill 9, family_of($pid);
	waitpid $pid, 0;
	return;
}

END
{
	local $?;
	kill_node($_) foreach keys %running;
}

sub sql
{
	my ($name, $statement) = @_;
	my ($status, $out, $errors) = output_of('psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-p', $port{$name}, '-d', $name eq 'monitor' ? 'pg_auto_failover' : 'postgres', '-c', $statement);

	chomp $out;
	$last_error = $errors;
	return $status ? undef : $out;
}

# Until the monitor has given the nodes these states, and they are so; returns
# the primary and the other one.
sub wait_for_states
{
	my (@states) = @_;
	my $wanted = join ', ', sort @states;
	my %state;

	poll("the nodes are $wanted", sub {
		foreach my $name (keys %running)
		{
			die "pg_autoctl of $name has ended:\n" . slurp_file("$home/$name.log") if waitpid($running{$name}, POSIX::WNOHANG()) > 0;
		}
		%state = map { split /\|/ } split /\n/, sql('monitor', 'SELECT reportedstate, nodename FROM pgautofailover.node WHERE reportedstate = goalstate') // '';

		return join(', ', sort keys %state) eq $wanted;
	}, 0.2);
	return @state{@states};
}

sub configure
{
	my ($name, $settings) = @_;
	append_to_file("$home/$name/postgresql.conf", "\n$settings\n");
	return;
}

# ---- set up ----

create('monitor', 'monitor');
run('monitor');
poll('the monitor answers', sub { defined sql('monitor', 'SELECT 1') });
if ($ENV{FAILOVER_FAST})
{
	# For a machine of one's own that is never busy.
	sql('monitor', "ALTER SYSTEM SET pgautofailover.$_") foreach 'health_check_period = 500', 'health_check_timeout = 500',
	  'health_check_max_retries = 1', 'health_check_retry_delay = 100', 'node_considered_unhealthy_timeout = 3000', 'primary_demote_timeout = 3000', 'startup_grace_period = 1000';
	sql('monitor', 'SELECT pg_reload_conf()');
}
my $uri = "postgres://autoctl_node\@localhost:$port{monitor}/pg_auto_failover?sslmode=prefer";
create('postgres', 'a', '--monitor', $uri, '--name', 'a');
my $ours = slurp_file($ENV{TEMP_CONFIG}) . "shared_preload_libraries = 'pg_stat_statements,cp_webhook'\n";
configure('a', "${ours}cp_webhook.port = $port{http_a}");
run('a');
wait_for_states('single');
poll('a takes connections', sub { defined sql('a', 'SELECT 1') }, 0.1);
sql('a', 'CREATE EXTENSION cp_webhook') // die "no extension:\n$last_error\n";
create('postgres', 'b', '--monitor', $uri, '--name', 'b');
configure('b', "cp_webhook.port = $port{http_b}");
run('b');
wait_for_states('primary', 'secondary');

my $pipeline = q({"pipeline": {"name": "pipeline", "stages": [
  {"name": "Source", "actions": [{"name": "Source", "actionTypeId": {"category": "Source", "owner": "Custom", "provider": "Hook", "version": "1"}}]},
  {"name": "Build", "actions": [{"name": "Build", "actionTypeId": {"category": "Build", "owner": "Custom", "provider": "Make", "version": "1"}}]}]}});
sql('a', "SELECT cp_webhook.create_pipeline('$pipeline')");
my $url = sql('a', q{SELECT cp_webhook.put_webhook('{"webhook": {"name": "one", "targetPipeline": "pipeline", "targetAction": "Source", "filters": [],
	"authentication": "GITHUB_HMAC", "authenticationConfiguration": {"SecretToken": "s3cret"}}}') #>> '{webhook,url}'});
my ($path) = $url =~ m{(/trigger/.*)};
my $balancer = start_balancer(a => $port{http_a}, b => $port{http_b});
poll('the balancer has a server', sub { connect_to(undef, port => $balancer)->request(GET => '/healthz')->{status} == 200 }, 0.1);
is(sql('a', 'SELECT sync_state FROM pg_stat_replication'), 'quorum', 'b is a synchronous standby');

# ---- the kills ----

my @all;

# Sends while the code does something to the node a, and until all is acked.
sub measure
{
	my ($what, $code) = @_;
	my $load = start_sending(ports => [$balancer], paths => [$path], secret => 's3cret', rate => $rate);

	poll('deliveries are acked', sub { acked_by($load) > $rate }, 0.1);
	sleep $seconds;
	$code->();
	my $before = acked_by($load);
	poll('they are acked again', sub { acked_by($load) > $before + $rate }, 0.1);
	sleep $seconds;
	my $sent = finish_sending($load);
	push @all, @{ $sent->{notes} };
	diag(sprintf '%s at %d deliveries a second: no ack for %.1f s, errors for %.1f s (%s), the slowest of %d took %.1f s', $what, $rate, $sent->{gap},
		($sent->{to} // 0) - ($sent->{from} // 0), join(', ', map { "$_ $sent->{errors}{$_}" } sort keys %{ $sent->{errors} }), $sent->{sent}, $sent->{slowest});
	cmp_ok(scalar(keys %{ $sent->{errors} }), '>', 0, "$what: senders see errors");
	is($sent->{acked}, $sent->{sent}, "$what: in the end all is acked");
	return;
}

sub check
{
	my ($what, $name) = @_;
	my %stored = map { split /\|/ } split /\n/, sql($name, 'SELECT key, execution FROM cp_webhook.delivery_keys');

	is(scalar(grep { ($stored{ $_->{id} } // '') ne $_->{execution} } @all), 0, "$what: nothing that was acked is lost");
	is(sql($name, q{SELECT count(*), count(DISTINCT provider_delivery_id) FROM cp_webhook.trigger_events}), join('|', (scalar @all) x 2), "$what: and nothing is there twice");
	return;
}

measure('PostgreSQL killed', sub {
	my ($pid) = split /\n/, slurp_file("$home/a/postmaster.pid");

	kill 9, $pid;
});
my ($primary, $other) = wait_for_states('primary', 'secondary');
diag("then $primary is the primary");
check('PostgreSQL killed', $primary);
measure('the node killed', sub { kill_node($primary) });
is(sql($other, 'SELECT pg_is_in_recovery()'), 'f', 'the other one is the primary');
check('the node killed', $other);

# ---- it comes back ----

run($primary);
is(join(' ', wait_for_states('primary', 'secondary')), "$other $primary", 'it comes back');
is(sql($primary, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'cp_webhook%'}), '0', 'as a standby, and serves nothing');
poll('it has everything', sub { sql($primary, 'SELECT count(*) FROM cp_webhook.executions') eq scalar @all });
check('the node back', $primary);
stop_balancer();
foreach my $name (qw(a b monitor))
{
	kill TERM => $running{$name};
	waitpid delete $running{$name}, 0;
}

done_testing();
