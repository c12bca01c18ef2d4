
=head1 NAME

Maintenance - for tests of the maintenance worker

=head1 SYNOPSIS

  use CpWebhook;
  use Maintenance;

  my $pid = maintenance_pid($node);
  wake_maintenance($node);                    # every job runs now
  my @names = partitions_of($node);           # deliveries_20260101 ...

  my $load = start_posts($node, $path, pause => 0.002);
  ...
  my $posts = finish_posts($load);            # { count, failed, slowest }

=cut

package Maintenance;

use strict;
use warnings;

use CpWebhook;
use Exporter 'import';
use POSIX ();
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep clock_gettime CLOCK_MONOTONIC);

our @EXPORT = qw(
  maintenance_pid wake_maintenance told_of partitions_of day_name end_executions
  start_posts finish_posts
);

=head2 maintenance_pid(node)

Waits for the worker and returns its process id.

=cut

sub maintenance_pid
{
	my ($node) = @_;

	return poll('the maintenance worker runs', sub {
		$node->safe_psql('postgres',
			"SELECT pid FROM pg_stat_activity WHERE backend_type = 'cp_webhook maintenance' AND application_name = 'cp_webhook'");
	});
}

=head2 wake_maintenance(node, condition)

Makes every job run, by a reload, until the condition (SQL, default none) is
true.

=cut

sub wake_maintenance
{
	my ($node, $condition) = @_;

	$node->reload;
	return unless defined $condition;
	poll("the maintenance worker makes it true that $condition", sub {
		return 1 if $node->safe_psql('postgres', "SELECT $condition") eq 't';
		$node->reload;
		return 0;
	}, 0.1);
	return;
}

=head2 told_of(node, column)

A column of maintenance_stats().

=cut

sub told_of
{
	my ($node, $column) = @_;
	return $node->safe_psql('postgres', "SELECT $column FROM cp_webhook.maintenance_stats()");
}

=head2 partitions_of(node)

The names of the partitions of deliveries, in order.

=head2 day_name(node, days)

The name of the partition of a day, so many days after the server's today.

=head2 end_executions(node, condition)

Ends the executions for which that is true (default: all).

=cut

sub partitions_of
{
	my ($node) = @_;

	return split /\n/, $node->safe_psql('postgres',
		q{SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		   WHERE i.inhparent = 'cp_webhook.deliveries'::regclass ORDER BY 1});
}

sub day_name
{
	my ($node, $days) = @_;

	return $node->safe_psql('postgres',
		"SELECT to_char(now() AT TIME ZONE 'UTC' + interval '$days days', '\"deliveries_\"YYYYMMDD')");
}

sub end_executions
{
	my ($node, $condition) = @_;

	$node->safe_psql('postgres', "UPDATE cp_webhook.executions SET status = 'Succeeded', ended_at = clock_timestamp()"
		  . ' WHERE ended_at IS NULL AND ' . ($condition // 'true'));
	return;
}

=head2 start_posts(node, path, pause => seconds)

A process that posts one delivery after the other, with its own connection.

=head2 finish_posts(load)

Ends it. How many it has sent (count), how many of them were not answered 200
(failed), and the seconds of the slowest (slowest).

=cut

sub start_posts
{
	my ($node, $path, %options) = @_;
	my $directory = PostgreSQL::Test::Utils::tempdir();
	my $file = "$directory/posts";
	my $pid = fork;

	die "could not fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		eval { _post_for_ever($node, $path, $file, %options) };
		POSIX::_exit($@ ? 1 : 0);
	}
	my $load = { pid => $pid, file => $file };
	poll('posts are sent', sub { -s "$file.started" });
	return $load;
}

sub _post_for_ever
{
	my ($node, $path, $file, %options) = @_;
	my ($count, $failed, $slowest) = (0, 0, 0);
	my $connection;

	# A signal would end the wait for an answer.
	until (-e "$file.stop")
	{
		my $start = clock_gettime(CLOCK_MONOTONIC);

		$connection ||= connect_to($node);
		my $answer = $connection->request(POST => $path, body => '{"ref":"refs/heads/main"}');
		my $seconds = clock_gettime(CLOCK_MONOTONIC) - $start;

		$count++;
		$slowest = $seconds if $seconds > $slowest;
		if (!$answer || $answer->{status} != 200)
		{
			$failed++;
			undef $connection;
		}
		append_to_file("$file.started", '1') if $count == 1;
		sleep $options{pause} if $options{pause};
	}
	append_to_file($file, "$count $failed $slowest\n");
	return;
}

sub finish_posts
{
	my ($load) = @_;

	append_to_file("$load->{file}.stop", '');
	waitpid $load->{pid}, 0;
	die "posts ended with $?\n" if $?;

	my %posts;
	@posts{qw(count failed slowest)} = split ' ', slurp_file($load->{file});
	return \%posts;
}

1;
