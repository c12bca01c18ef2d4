# A receiver is killed (the server then restarts all its processes) or
# terminated at each step of a request: what was acked is kept, and the sender's
# retry with the same id leaves exactly one execution.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Faults;
use Lifecycle;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = start_receivers('main', init => [ allows_streaming => 1 ], settings => { workers => 1, lock_timeout => '30s', batch_timeout => '30s' },
	conf => "restart_after_crash = on\nfsync = on\n");
create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one', secret => 'secret');
my $body = '{"text": "' . 'x' x 2000 . '"}';
my $admin;

sub lock_table
{
	my ($table) = @_;

	$admin = $node->background_psql('postgres', on_error_stop => 0);
	$admin->query_safe('BEGIN');
	$admin->query_safe("LOCK TABLE cp_webhook.$table IN ACCESS EXCLUSIVE MODE");
	return;
}

sub let_go
{
	my ($lives) = @_;

	return unless $admin;
	if ($lives)
	{
		$admin->query_safe('COMMIT');
		$admin->quit;
	}
	else
	{
		# Its server process was ended with the others.
		$admin->{run}->kill_kill;
	}
	undef $admin;
	return;
}

sub set_standby
{
	my ($name) = @_;

	$node->safe_psql('postgres', "ALTER SYSTEM SET synchronous_standby_names = '$name'");
	$node->reload;
	# The checkpointer tells the others. No time-out of a session's ends the
	# wait: the one that waits is let go with all others.
	poll('commits wait for it, or no longer', sub {
		my $waits;

		$node->psql('postgres', q{SELECT pg_logical_emit_message(true, '', '')}, timeout => 1, timed_out => \$waits);
		return !!$waits == ($name ne '');
	});
	return;
}

# Each step: what to do before, how much to send, when it is reached, what to do
# after the kill; acked: the answer may be there; kept: the first try is stored.
my %steps = (
	'headers half sent' => { bytes => 60 },
	'body half sent' => { bytes => -1000 },
	'waiting for delivery_keys' => { table => 'delivery_keys' },
	'waiting for executions' => { table => 'executions' },
	'waiting for deliveries' => { table => 'deliveries' },
	'waiting for a standby' => { standby => 1, kept => 1 },
	'answer not read' => { acked => 1, kept => 1 });

sub reach
{
	my ($step, $id, $client) = @_;
	my $request = request_text(POST => $path, body => $body, id => $id, secret => 'secret');

	lock_table($step->{table}) if $step->{table};
	set_standby('nobody') if $step->{standby};
	$client->send_text($step->{bytes} ? substr $request, 0, $step->{bytes} : $request);
	wait_until_read($client) if $step->{bytes};
	wait_for_lock($node) if $step->{table};
	poll('it waits for the standby', sub {
		$node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND backend_type LIKE 'cp_webhook%'});
	}) if $step->{standby};
	poll('it is stored', sub { stored_of($node, $id) ne '' }) if $step->{acked};
	return;
}

sub end_receiver
{
	my ($how, $pid) = @_;
	my $position = log_position($node);

	if ($how eq 'killed')
	{
		kill 9, $pid;
		poll('the server notices', sub { log_since($node, $position) =~ /was terminated by signal 9/ });
	}
	else
	{
		$node->safe_psql('postgres', "SET synchronous_commit = local; SELECT pg_terminate_backend($pid)");
	}
	poll('the receiver is gone', sub { !kill 0, $pid });
	return;
}

foreach my $how ('terminated', 'killed')
{
	foreach my $name (sort keys %steps)
	{
		my $step = $steps{$name};
		my $what = "$how, $name";
		my $id = $what =~ s/\W+/-/gr;
		my $client = connect_to($node);
		my $pid = worker_of($node, $client);

		reach($step, $id, $client);
		my $start = time;
		end_receiver($how, $pid);
		my ($answer) = answers_of(10, $client);
		cmp_ok($answer->{time} - $start, '<', 5, "$what: the sender knows soon");
		my $acked = $answer->{status} == 200;
		ok($step->{acked} || !$acked, "$what: nothing is acked that is not safe")
		  or diag(explain($answer));
		note("$what: the sender sees " . ($answer->{status} || $answer->{error}));

		poll('the server is back', sub { is_up($node) });
		let_go($how eq 'terminated');
		set_standby('') if $step->{standby};
		wait_until_listening($node);
		my $first = stored_of($node, $id);
		is($first ne '' ? 1 : 0, $step->{kept} // 0, "$what: it is " . ($step->{kept} ? 'stored' : 'not stored'));
		my $retry = try_until_acked($node, $path, $body, id => $id, secret => 'secret');
		is($retry->{json}{status}, $step->{kept} ? 'duplicate' : 'triggered', "$what: the retry is answered so");
		is(stored_of($node, $id), $retry->{json}{pipelineExecutionId}, "$what: with the one execution that there is");
		is($answer->{json}{pipelineExecutionId}, $first, "$what: which was the first answer's") if $acked;
	}
}
$node->stop;

done_testing();
