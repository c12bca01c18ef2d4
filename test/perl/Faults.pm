
=head1 NAME

Faults - for tests of servers whose machine fails them

=head1 SYNOPSIS

  use Faults;

  prepare_faults() or plan skip_all => 'there is no C compiler';
  my $node = start_receivers('main');       # servers started from here on
  fill_disk('/base/');
  ...
  free_disk();
  step_clock(-3600);
  silence_names(1);

=cut

package Faults;

use strict;
use warnings;

use CpWebhook;
use Lifecycle ();
use Exporter 'import';
use FindBin;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(
  prepare_faults fill_disk free_disk step_clock pass_time silence_names
  stored_of wait_for_lock try_until_acked
);

my $control;

=head2 prepare_faults()

Compiles test/shim/faults.c and puts it before what is started from now on.
False where there is no compiler.

=head2 fill_disk(part), free_disk()

From now on every write to a file whose path has that part fails with ENOSPC;
and no longer.

=head2 step_clock(seconds)

The servers' clock is so far ahead of this machine's from now on.

=head2 pass_time(seconds)

So many seconds more have passed for the servers' waits, whatever the clock
says.

=cut

sub prepare_faults
{
	my $directory = PostgreSQL::Test::Utils::tempdir();
	my $library = "$directory/faults.so";

	return 0 if system("cc -std=gnu11 -O1 -shared -fPIC -o '$library' '$FindBin::RealBin/../shim/faults.c' -ldl") != 0;
	$control = "$directory/faults";
	_write_control(0, pack 'q a56 q q', 0, '', 0, 0);
	$ENV{CPW_FAULTS} = $control;
	# A sanitizer wants to be the first.
	$ENV{LD_PRELOAD} = join ':', grep { $_ } $ENV{LD_PRELOAD}, $library;
	return 1;
}

# In place, for it is mapped.
sub _write_control
{
	my ($offset, $bytes) = @_;

	open my $file, -e $control ? '+<' : '>', $control or die "$control: $!";
	sysseek $file, $offset, 0;
	syswrite($file, $bytes) == length $bytes or die "$control: $!";
	close $file;
	return;
}

sub fill_disk
{
	my ($part) = @_;
	_write_control(8, pack 'a56', $part);
	return;
}

sub free_disk
{
	fill_disk('');
	return;
}

sub step_clock
{
	my ($seconds) = @_;
	_write_control(0, pack 'q', int($seconds * 1_000_000));
	return;
}

my $passed = 0;

sub pass_time
{
	my ($seconds) = @_;

	$passed += $seconds;
	_write_control(64, pack 'q', int($passed * 1_000_000));
	return;
}

=head2 silence_names(silent)

From now on, or no longer, servers wait for the addresses of names, for no name
server answers.

=cut

sub silence_names
{
	my ($silent) = @_;

	_write_control(72, pack 'q', $silent);
	return;
}

=head2 stored_of(node, id)

The executions that a delivery id has started, as text, one a line.

=cut

sub stored_of
{
	my ($node, $id) = @_;
	return $node->safe_psql('postgres', qq{
		SELECT e.id FROM cp_webhook.executions e JOIN cp_webhook.deliveries d ON d.id = e.delivery
		 WHERE d.provider_delivery_id = '$id' ORDER BY 1});
}

=head2 wait_for_lock(node, count)

Waits until so many receivers (default 1) wait for a lock.

=cut

sub wait_for_lock
{
	my ($node, $count) = @_;

	poll('a batch waits for a lock', sub {
		$node->safe_psql('postgres',
			q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'cp_webhook receiver' AND wait_event_type = 'Lock'})
		  == ($count // 1);
	});
	return;
}

=head2 try_until_acked(node, path, body, %options)

Sends a delivery until it is answered 200, as a sender that tries again does;
returns that answer.

=cut

sub try_until_acked
{
	my ($node, $path, $body, %options) = @_;

	return poll('a delivery is taken', sub {
		my $answer = Lifecycle::try_post($node, $path, $body, %options);

		return $answer->{status} == 200 ? $answer : undef;
	});
}

1;
