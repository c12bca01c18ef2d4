
=head1 NAME

Load - a sender of many signed deliveries that never gives one up

=head1 SYNOPSIS

  use Load;

  my $load = start_sending(ports => [8787], paths => [$path], secret => 's3cret', rate => 2000);
  poll('it runs', sub { acked_by($load) > 1000 });
  ...
  my $sent = finish_sending($load);       # { sent, acked, errors, gap, ... }
  foreach my $note (@{ $sent->{notes} })  # { id, outcome, execution, path, tries, latency }

Deliveries become due at the given rate, whatever the server does. Each is sent
until it is answered 200, always with the same delivery id; what was answered
something else, cut, refused or not answered in five seconds is sent again after
a tenth of a second, then after twice as long, up to one second. Connections are made to the ports in turn.

=cut

package Load;

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use Exporter 'import';
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(start_sending acked_by finish_sending);

use constant { RETRY_PAUSE => 0.1, MAX_PAUSE => 1, ANSWER_TIMEOUT => 5, DRAIN_TIMEOUT => 90 };

my $loads = 0;

=head2 start_sending(%options)

A process that sends. Options:

  ports        where, on 127.0.0.1
  paths        of the webhooks, in turn
  secret       that signs (undef: nothing does)
  rate         deliveries a second
  count        so many in all (default: until it is finished)
  connections  at once (default 64)
  bytes        of a body, about (default 700)
  id           code that makes the id of a delivery of its number

=head2 acked_by(load)

How many deliveries have been acked.

=head2 finish_sending(load)

Lets it send what is due and waits until all of it has been acked (90 seconds at
most); of a load with a count that is all of that. Returns what became of it:
notes, and

  sent, acked    deliveries
  errors         answers that were none, or not 200, by kind
  from, to       the times of the first and the last one
  gap            the longest time without an ack, in seconds
  slowest        the longest time from due to acked

=cut

sub start_sending
{
	my (%options) = @_;
	my $number = ++$loads;
	my $file = PostgreSQL::Test::Utils::tempdir() . '/notes';
	my $pid = fork;

	die "could not fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		eval { _send(prefix => "load-$number", file => $file, %options); 1 } or print STDERR $@;
		POSIX::_exit(0);
	}
	return { pid => $pid, file => $file, count => $options{count} };
}

sub acked_by
{
	my ($load) = @_;
	my $text = -e $load->{file} ? slurp_file($load->{file}) : '';

	return scalar(() = $text =~ /^ack /mg);
}

sub finish_sending
{
	my ($load) = @_;
	my %sent = (notes => [], acked => 0, errors => {}, gap => 0, slowest => 0);
	my $last;

	kill TERM => $load->{pid} unless $load->{count};
	waitpid $load->{pid}, 0;
	foreach my $line (split /\n/, slurp_file($load->{file}))
	{
		my ($kind, $time, @rest) = split / /, $line;

		if ($kind eq 'ack')
		{
			my %note;

			@note{qw(id outcome execution path tries latency)} = @rest;
			push @{ $sent{notes} }, \%note;
			$sent{acked}++;
			$sent{gap} = $time - $last if defined $last && $time - $last > $sent{gap};
			$sent{slowest} = $note{latency} if $note{latency} > $sent{slowest};
			$last = $time;
		}
		elsif ($kind eq 'error')
		{
			$sent{errors}{"@rest"}++;
			$sent{from} //= $time;
			$sent{to} = $time;
		}
		else
		{
			$sent{$kind} = $rest[0];
		}
	}
	return \%sent;
}

# ---- the process ----

sub _send
{
	my (%o) = @_;
	my $self = {
		%o, connections => $o{connections} || 64, made => 0, port => 0,
		start => time, waiting => [], open => {}, idle => [], select => IO::Select->new,
		padding => 'x' x ($o{bytes} || 700)
	};

	local $SIG{TERM} = sub { $self->{done} = 1 };
	local $SIG{PIPE} = 'IGNORE';
	open $self->{notes}, '>', $o{file} or die "$o{file}: $!";
	$self->{notes}->autoflush(1);
	my $end;
	while (1)
	{
		_make_due($self);
		$end //= time + DRAIN_TIMEOUT if $self->{done};
		last if $self->{done} && (!@{ $self->{waiting} } && !_busy($self) || time > $end);
		_dispatch($self);
		_receive($self);
		_expire($self);
	}
	_note($self, sent => $self->{made});
	return;
}

sub _note
{
	my ($self, $kind, @rest) = @_;
	print { $self->{notes} } join(' ', $kind, sprintf('%.4f', time), @rest), "\n";
	return;
}

sub _busy
{
	my ($self) = @_;
	return scalar grep { $_->{delivery} } values %{ $self->{open} };
}

sub _make_due
{
	my ($self) = @_;
	my $due = int((time - $self->{start}) * $self->{rate});

	return if $self->{done};
	if ($self->{count} && $due >= $self->{count})
	{
		$due = $self->{count};
		$self->{done} = 1;
	}
	while ($self->{made} < $due)
	{
		my $number = $self->{made}++;
		my $path = $self->{paths}[ $number % @{ $self->{paths} } ];

		push @{ $self->{waiting} }, {
			id => $self->{id} ? $self->{id}->($number) : "$self->{prefix}-$number",
			path => $path, number => $number, tries => 0, not_before => 0,
			due => $self->{start} + $number / $self->{rate} };
	}
	return;
}

sub _text
{
	my ($self, $delivery) = @_;
	my $body = qq({"number":$delivery->{number},"text":"$self->{padding}"});
	my $signature = defined $self->{secret}
	  ? 'X-Hub-Signature-256: sha256=' . hmac_sha256_hex($body, $self->{secret}) . "\r\n" : '';

	return "POST $delivery->{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	  . "X-GitHub-Delivery: $delivery->{id}\r\nX-GitHub-Event: push\r\n$signature"
	  . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
}

# An idle connection, or a new one while there are not too many.
sub _connection
{
	my ($self) = @_;
	my $idle = pop @{ $self->{idle} };

	return $idle if $idle;
	return if keys %{ $self->{open} } >= $self->{connections};
	my $port = $self->{ports}[ $self->{port}++ % @{ $self->{ports} } ];
	my $socket = IO::Socket::INET->new(PeerHost => '127.0.0.1', PeerPort => $port, Proto => 'tcp', Timeout => 1);

	if (!$socket)
	{
		_note($self, error => 'refused');
		return;
	}
	$socket->blocking(0);
	$self->{select}->add($socket);
	return $self->{open}{$socket} = { socket => $socket, buffer => '' };
}

sub _dispatch
{
	my ($self) = @_;
	my $now = time;
	my @later;

	return if ($self->{refused_until} || 0) > $now;
	while (my $delivery = shift @{ $self->{waiting} })
	{
		if ($delivery->{not_before} > $now)
		{
			push @later, $delivery;
			next;
		}
		my $connection = _connection($self);

		if (!$connection)
		{
			unshift @{ $self->{waiting} }, $delivery;
			$self->{refused_until} = $now + RETRY_PAUSE if !%{ $self->{open} };
			last;
		}
		$connection->{delivery} = $delivery;
		$connection->{since} = $now;
		$delivery->{tries}++;
		my $text = _text($self, $delivery);
		my $written = syswrite $connection->{socket}, $text;

		_fail($self, $connection, 'closed') if !defined $written || $written < length $text;
	}
	push @{ $self->{waiting} }, @later;
	return;
}

sub _close
{
	my ($self, $connection) = @_;

	delete $self->{open}{ $connection->{socket} };
	$self->{select}->remove($connection->{socket});
	@{ $self->{idle} } = grep { $_ != $connection } @{ $self->{idle} };
	close $connection->{socket};
	return;
}

# Its delivery is sent again, on another connection.
sub _fail
{
	my ($self, $connection, $kind) = @_;

	_again($self, $connection, $kind) if $connection->{delivery};
	_close($self, $connection);
	return;
}

sub _again
{
	my ($self, $connection, $kind) = @_;
	my $delivery = delete $connection->{delivery};

	_note($self, error => $kind);
	my $pause = RETRY_PAUSE * 2**($delivery->{tries} - 1);

	$delivery->{not_before} = time + ($pause < MAX_PAUSE ? $pause : MAX_PAUSE);
	push @{ $self->{waiting} }, $delivery;
	return;
}

sub _receive
{
	my ($self) = @_;
	my @ready = $self->{select}->count ? $self->{select}->can_read(0.002) : ();

	sleep 0.002 unless $self->{select}->count;
	foreach my $socket (@ready)
	{
		my $connection = $self->{open}{$socket} or next;
		my $read = sysread $socket, $connection->{buffer}, 65536, length $connection->{buffer};

		next if !defined $read && $!{EAGAIN};
		if (!$read)
		{
			_fail($self, $connection, 'closed');
			next;
		}
		_answer($self, $connection);
	}
	return;
}

# The answer, where all of it is there.
sub _answer
{
	my ($self, $connection) = @_;

	return unless $connection->{buffer} =~ /\AHTTP\/1\.[01] (\d+)(.*?)\r\n\r\n/s;
	my ($status, $head, $from) = ($1, $2, $+[0]);
	my ($length) = $head =~ /^content-length: *(\d+)/im;
	my $closes = $head =~ /^connection: *close/im;

	# One of HAProxy's own ends with the connection.
	return if defined $length && length($connection->{buffer}) < $from + $length;
	my $body = substr $connection->{buffer}, $from, $length // length $connection->{buffer};

	$connection->{buffer} = '';
	my $delivery = $connection->{delivery};
	if ($delivery && $status == 200 && $body =~ /"status":"(\w+)"/)
	{
		my $outcome = $1;
		my ($execution) = $body =~ /"pipelineExecutionId":"([^"]*)"/;

		delete $connection->{delivery};
		_note($self, ack => $delivery->{id}, $outcome, $execution // '-', $delivery->{path},
			$delivery->{tries}, sprintf '%.4f', time - $delivery->{due});
	}
	elsif ($delivery)
	{
		_again($self, $connection, $status);
	}
	if ($closes || !defined $length)
	{
		_close($self, $connection);
	}
	else
	{
		push @{ $self->{idle} }, $connection;
	}
	return;
}

sub _expire
{
	my ($self) = @_;
	my $limit = time - ANSWER_TIMEOUT;

	return if ($self->{expired} // 0) > time - 0.5;
	$self->{expired} = time;
	foreach my $connection (values %{ $self->{open} })
	{
		_fail($self, $connection, 'timeout')
		  if $connection->{delivery} && $connection->{since} < $limit;
	}
	return;
}

1;
