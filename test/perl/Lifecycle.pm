
=head1 NAME

Lifecycle - for tests in which servers stop, crash and come back

=head1 SYNOPSIS

  use CpWebhook;
  use Lifecycle;

  my $answer = try_post($node, $path, '{}');     # status 0: nobody there
  my @clients = map { connect_to($node) } 1 .. 20;
  $_->send_text(request_text(POST => $path, body => '{}')) foreach @clients;
  my @answers = answers_of(5, @clients);

  my $load = start_load($node, $path, clients => 3);
  ...
  my %acked = finish_load($load);                # id => execution

An answer that did not come has the status 0, and says why in "error":
refused, closed or timeout.

=cut

package Lifecycle;

use strict;
use warnings;

use CpWebhook;
use Exporter 'import';
use IO::Select;
use POSIX ();
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(
  try_post try_get answers_of seconds_of is_up
  start_load finish_load acked_of
);

=head2 try_post(node, path, body, %options), try_get(node, path, %options)

One exchange on a connection of its own; always an answer. Options: those of
request_text(), host, port, and seconds (default 20).

=cut

sub try_post
{
	my ($node, $path, $body, %options) = @_;
	return _try($node, POST => $path, body => $body, %options);
}

sub try_get
{
	my ($node, $path, %options) = @_;
	return _try($node, GET => $path, %options);
}

sub _try
{
	my ($node, $method, $path, %options) = @_;
	my $seconds = delete $options{seconds} || 20;
	my %where = map { defined $options{$_} ? ($_ => delete $options{$_}) : () } qw(host port);
	my $connection = eval { connect_to($node, %where) }
	  or return { status => 0, error => 'refused', time => time };

	$connection->send_text(request_text($method, $path, %options));
	return (answers_of($seconds, $connection))[0];
}

=head2 answers_of(seconds, connections)

The next answer of each connection, in their order, with the time at which it
came. Waits for all together at most that long.

=cut

sub answers_of
{
	my ($seconds, @connections) = @_;
	my $end = time + $seconds;
	my %answers;
	my %open = map { $_->{socket} => $_ } @connections;

	while (%open && time < $end)
	{
		my @ready = grep { $_->{buffer} ne '' } values %open;

		@ready = map { $open{$_} }
		  IO::Select->new(map { $_->{socket} } values %open)->can_read($end - time)
		  unless @ready;
		foreach my $connection (@ready)
		{
			my $answer = eval { $connection->read_answer }
			  || { status => 0, error => 'closed' };

			$answer->{time} = time;
			$answers{$connection} = $answer;
			delete $open{ $connection->{socket} };
		}
	}
	return map { $answers{$_} || { status => 0, error => 'timeout', time => time } } @connections;
}

=head2 seconds_of(code)

How long the code takes.

=cut

sub seconds_of
{
	my ($code) = @_;
	my $start = time;

	$code->();
	return time - $start;
}

=head2 is_up(node)

Whether the server takes connections.

=cut

# psql may end before it is given its query, of which IPC::Run dies.
sub is_up
{
	my ($node) = @_;
	return eval { $node->psql('postgres', 'SELECT 1') == 0 };
}

=head1 LOAD

=head2 start_load(node, path, clients => n, pause => seconds, body => bytes, connect => code)

Processes that send deliveries with ids of their own one after the other, and
send each again until it is answered 2xx. One execution and one outcome are
noted for each answer, so that a loss can be seen. The code makes a connection
where connect_to() would make another one.

=head2 finish_load(load)

Ends the processes; returns the notes: a list of { id, execution, outcome }.

=head2 acked_of(load)

How many answers with 2xx have been noted until now.

=cut

my $loads = 0;

sub start_load
{
	my ($node, $path, %options) = @_;
	my $directory = PostgreSQL::Test::Utils::tempdir();
	my $number = ++$loads;
	my %load = (clients => []);

	foreach my $client (1 .. $options{clients} || 3)
	{
		my $file = "$directory/$client";
		my $pid = fork;

		die "could not fork: $!" unless defined $pid;
		if ($pid == 0)
		{
			eval { _send_for_ever($node, $path, $file, "load-$number-$client", %options) };
			POSIX::_exit($@ ? 1 : 0);
		}
		push @{ $load{clients} }, { pid => $pid, file => $file };
	}
	return \%load;
}

sub _send_for_ever
{
	my ($node, $path, $file, $prefix, %options) = @_;
	my $done = 0;

	local $SIG{TERM} = sub { $done = 1 };
	open my $notes, '>', $file or die "$file: $!";
	$notes->autoflush(1);
	for (my $number = 1; !$done; $number++)
	{
		my $connection;

		while (!$done)
		{
			$connection ||= eval { $options{connect} ? $options{connect}->() : connect_to($node) };
			$connection->send_text(request_text(POST => $path,
				body => $options{body} || '{}', id => "$prefix-$number")) if $connection;
			my ($answer) = $connection ? answers_of(5, $connection) : { status => 0 };

			if ($answer->{status} == 200)
			{
				print $notes "$prefix-$number $answer->{json}{pipelineExecutionId}"
				  . " $answer->{json}{status}\n";

				# Every third one again: a duplicate of a delivery that was acked.
				last if $number % 3 || $answer->{json}{status} eq 'duplicate';
				next;
			}
			undef $connection if $answer->{status} == 0;
			sleep 0.02;
		}
		sleep $options{pause} if $options{pause};
	}
	CORE::close $notes;
	return;
}

sub _notes
{
	my ($load) = @_;

	return map {
		my ($id, $execution, $outcome) = split / /;
		{ id => $id, execution => $execution, outcome => $outcome };
	} map { split /\n/, -e $_->{file} ? slurp_file($_->{file}) : '' } @{ $load->{clients} };
}

sub acked_of
{
	my ($load) = @_;
	return scalar(my @notes = _notes($load));
}

sub finish_load
{
	my ($load) = @_;

	kill TERM => $_->{pid} foreach @{ $load->{clients} };
	waitpid $_->{pid}, 0 foreach @{ $load->{clients} };
	return _notes($load);
}


1;
