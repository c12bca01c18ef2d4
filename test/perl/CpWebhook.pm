
=head1 NAME

CpWebhook - servers with cp_webhook, and an HTTP client, for the TAP tests

=head1 SYNOPSIS

  use FindBin;
  use lib "$FindBin::RealBin/../perl";
  use CpWebhook;

  my $node = start_receivers('basics', settings => { workers => 1 });
  create_pipeline($node, 'shop', Branch => 'main');
  my $path = put_webhook($node, 'push', pipeline => 'shop',
      secret  => 's3cret',
      filters => [ { jsonPath => '$.ref', matchEquals => 'refs/heads/{Branch}' } ]);
  my $answer = post($node, $path, '{"ref":"refs/heads/main"}', secret => 's3cret');
  is($answer->{status}, 200);
  is($answer->{json}{status}, 'triggered');

Nothing here sleeps for luck: what takes time is polled for, and dies after
PG_TEST_TIMEOUT_DEFAULT seconds.

=cut

package CpWebhook;

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use Exporter 'import';
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(
  start_receivers wait_until_listening port_of set_settings
  call try_call json_of create_pipeline update_pipeline put_webhook
  webhook_request sign post connect_to request_text
  worker_pids worker_of holds_connection wait_until_read connect_to_each poll log_since log_position
  listen_for_notifications take_notifications count_notifications
);

# The limit of everything that is waited for.
our $timeout = $PostgreSQL::Test::Utils::timeout_default || 180;

my @nodes;
my %http_port;
my %listen_addresses;
my $json = JSON::PP->new->utf8->canonical->allow_nonref;

=head1 SERVERS

=head2 start_receivers(name, %options)

A node of that name: initialised (UTF8), the library preloaded, a free HTTP
port, started, the extension created in its database "postgres", all receivers
listening. Options:

  settings   hash of cp_webhook settings without the prefix, e.g.
             { workers => 1, request_timeout => '1s' }
  conf       more lines for postgresql.conf
  init       arguments of init(), e.g. [ allows_streaming => 1 ]
  extension  0: CREATE EXTENSION is left to the caller
  start      0: so is starting the server
  install_path  where another PostgreSQL is that it is to run with
  initdb     more arguments of initdb

=cut

sub start_receivers
{
	my ($name, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name,
		$options{install_path} ? (install_path => $options{install_path}) : ());
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my %settings = (port => $port, %{ $options{settings} || {} });

	# A run before this one may have left its log.
	unlink $node->logfile;

	# The caller's locale may be C, which would mean SQL_ASCII.
	$node->init(@{ $options{init} || [] },
		extra => [ '--encoding=UTF8', '--no-locale', @{ $options{initdb} || [] } ]);
	$node->append_conf('postgresql.conf',
		"shared_preload_libraries = 'cp_webhook'\n"
		  . "log_line_prefix = '%m [%p] %b '\n"
		  . join('', map { "cp_webhook.$_ = '$settings{$_}'\n" } sort keys %settings)
		  . ($options{conf} || '')
		  . "\n");
	$http_port{ $node->name } = $settings{port};
	$listen_addresses{ $node->name } = $settings{listen_addresses} // 'localhost';
	push @nodes, $node;
	return $node if defined $options{start} && !$options{start};

	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION cp_webhook')
	  unless defined $options{extension} && !$options{extension};
	wait_until_listening($node);
	return $node;
}

# A node that is left to Cluster.pm is killed: no receiver would look for leaks.
END
{
	if ($ENV{ASAN_OPTIONS})
	{
		local $?;
		eval { $_->stop('fast', fail_ok => 1) } foreach @nodes;
	}
}

=head2 wait_until_listening(node)

Waits until every receiver is there and listens: after a start, a restart or
a promotion.

=cut

sub wait_until_listening
{
	my ($node) = @_;

	_wait_for_listeners($node);
	return;
}

=head2 port_of(node)

The HTTP port of the node's receivers.

=cut

sub port_of
{
	my ($node) = @_;
	return $http_port{ $node->name };
}

=head2 set_settings(node, name => value, ...)

Changes cp_webhook settings (names without the prefix; undef: to what the node
was made with) by ALTER SYSTEM and a reload, and waits until every receiver has
taken them over. A receiver does not tell: so each call also adds another
loopback address to listen_addresses, and the new socket is waited for.

=cut

my $marker = 0;

sub set_settings
{
	my ($node, %settings) = @_;
	my $base = $settings{listen_addresses};

	if (defined $base)
	{
		$listen_addresses{ $node->name } = $base;
	}
	else
	{
		$base = $listen_addresses{ $node->name };
	}
	$http_port{ $node->name } = $settings{port} if defined $settings{port};

	my $address = sprintf '127.0.%d.%d', 100 + int($marker / 250), 1 + $marker % 250;
	$marker++;
	$settings{listen_addresses} = join ', ', grep { $_ ne '' } $base, $address;
	$node->safe_psql('postgres', join("\n", map {
		defined $settings{$_}
		  ? "ALTER SYSTEM SET cp_webhook.$_ = '$settings{$_}';"
		  : "ALTER SYSTEM RESET cp_webhook.$_;"
	} sort keys %settings));
	$node->reload;
	_wait_for_listeners($node, $address);
	return;
}

# Waits until every receiver listens (at that address).
sub _wait_for_listeners
{
	my ($node, $address) = @_;
	my $workers = $node->safe_psql('postgres', 'SHOW cp_webhook.workers');

	poll("$workers receivers of " . $node->name . " listen", sub {
		my %inodes = map { $_->{inode} => 1 } grep {
			$_->{state} eq '0A' && $_->{local_port} == port_of($node)
			  && (!defined $address || $_->{local} eq $address)
		} _tcp_sockets();

		return $workers == grep {
			grep { $inodes{$_} } _socket_inodes($_)
		} worker_pids($node);
	});
	return;
}

# The TCP sockets of this machine: inode, state, local (IPv4 only), local_port,
# remote_port, queued (bytes wait in it).
sub _tcp_sockets
{
	my @sockets;

	foreach my $file ('/proc/net/tcp', '/proc/net/tcp6')
	{
		open my $table, '<', $file or next;
		<$table>;
		while (my $line = <$table>)
		{
			my (undef, $local, $remote, $state, $queues, @rest) = split ' ', $line;
			my ($address, $port) = split /:/, $local;

			push @sockets, {
				inode => $rest[4],
				state => $state,
				queued => $queues ne '00000000:00000000',
				local => length $address == 8
				  ? join('.', reverse map { hex } $address =~ /../g) : '',
				local_port => hex $port,
				remote_port => hex((split /:/, $remote)[1])
			};
		}
		close $table;
	}
	return @sockets;
}

# The inodes of the sockets that a process has open.
sub _socket_inodes
{
	my ($pid) = @_;

	return map { (readlink($_) // '') =~ /^socket:\[(\d+)\]$/ ? $1 : () }
	  glob "/proc/$pid/fd/*";
}

=head2 worker_pids(node)

The process ids of the node's receivers, in order.

=cut

sub worker_pids
{
	my ($node) = @_;
	return split /\n/, $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity"
		  . " WHERE backend_type = 'cp_webhook receiver' ORDER BY pid");
}

=head2 worker_of(node, connection)

The process id of the receiver that has accepted the connection. Which one that
is, the kernel decides.

=cut

sub worker_of
{
	my ($node, $connection) = @_;

	return poll("a receiver accepts a connection", sub {
		my ($found) = grep { holds_connection($node, $_, $connection) }
		  worker_pids($node);

		return $found;
	});
}

=head2 holds_connection(node, pid, connection)

Whether that receiver has the connection open, whatever the client sees of it.

=cut

sub holds_connection
{
	my ($node, $pid, $connection) = @_;
	my ($server_port, $client_port) = map { $connection->{$_} } qw(server_port client_port);
	my %inodes = map { $_->{inode} => 1 } grep {
		$_->{local_port} == $server_port && $_->{remote_port} == $client_port
	} _tcp_sockets();

	return scalar grep { $inodes{$_} } _socket_inodes($pid);
}

=head2 wait_until_read(connection)

Waits until the receiver has read all that was sent.

=cut

sub wait_until_read
{
	my ($connection) = @_;
	my @ports = map { $connection->{$_} } qw(server_port client_port);

	poll('all that was sent is read', sub {
		return !grep {
			my $pair = join ' ', @$_{qw(local_port remote_port)};

			$_->{queued} && ($pair eq "@ports" || $pair eq join ' ', reverse @ports)
		} _tcp_sockets();
	});
	return;
}

=head2 connect_to_each(node)

Connections, one to each receiver of the node.

=cut

sub connect_to_each
{
	my ($node) = @_;
	my @pids = worker_pids($node);
	my %connections;

	poll('there is a connection to each of ' . scalar(@pids) . ' receivers', sub {
		my $connection = connect_to($node);
		my $pid = poll('a receiver accepts a connection', sub {
			my ($found) = grep { holds_connection($node, $_, $connection) } @pids;

			return $found;
		});

		$connections{$pid} //= $connection;
		return @pids == keys %connections;
	}, 0);
	return map { $connections{$_} } sort keys %connections;
}

=head2 poll(what, code, pause)

Calls the code until it returns something true, and returns that; dies when the
time is over. The pause between two calls is 0.02 seconds by default.

=cut

sub poll
{
	my ($what, $code, $pause) = @_;
	my $end = time + $timeout;

	while (1)
	{
		my $result = $code->();

		return $result if $result;
		die "timed out waiting until $what\n" if time > $end;
		sleep($pause // 0.02);
	}
}

=head2 log_position(node), log_since(node, position)

The length of the server's log now, and what has come to it since.

=cut

sub log_position
{
	my ($node) = @_;
	return -s $node->logfile // 0;
}

sub log_since
{
	my ($node, $position) = @_;
	return slurp_file($node->logfile, $position);
}

=head1 DEFINITIONS

=head2 call(node, function, request)

Calls an operation such as put_webhook with a request (Perl data), returns its
answer as Perl data, dies of an error.

=head2 try_call(node, function, request)

The same, but returns the text of the error that psql shows, with its DETAIL,
HINT and SQLSTATE; '' when there was none.

=cut

sub _statement
{
	my ($function, $request) = @_;
	my $text = $json->encode($request);

	$text =~ s/'/''/g;
	return "SELECT cp_webhook.$function('$text'::jsonb)";
}

sub call
{
	my ($node, $function, $request) = @_;
	return json_of($node->safe_psql('postgres', _statement($function, $request)));
}

sub try_call
{
	my ($node, $function, $request) = @_;
	my ($status, undef, $errors) = $node->psql('postgres',
		"\\set VERBOSITY verbose\n" . _statement($function, $request) . ';');

	return $status ? $errors : '';
}

=head2 json_of(text)

JSON text (UTF-8 bytes) as Perl data; undef when it is none.

=cut

sub json_of
{
	my ($text) = @_;
	return scalar eval { $json->decode($text) };
}

=head2 create_pipeline(node, name, Key => value, ...), update_pipeline(...)

A pipeline whose source action "Source" has that configuration.

=cut

sub _pipeline
{
	my ($name, %configuration) = @_;

	return { pipeline => {
		name => $name,
		stages => [
			{ name => 'Source', actions => [ {
				name => 'Source',
				actionTypeId => { category => 'Source', owner => 'ThirdParty',
					provider => 'GitHub', version => '1' },
				%configuration ? (configuration => {%configuration}) : () } ] },
			{ name => 'Build', actions => [ {
				name => 'Build',
				actionTypeId => { category => 'Build', owner => 'AWS',
					provider => 'CodeBuild', version => '1' } } ] } ] } };
}

sub create_pipeline
{
	my ($node, @pipeline) = @_;
	return call($node, 'create_pipeline', _pipeline(@pipeline));
}

sub update_pipeline
{
	my ($node, @pipeline) = @_;
	return call($node, 'update_pipeline', _pipeline(@pipeline));
}

=head2 put_webhook(node, name, %members)

Puts a webhook and returns the path of its URL. Members: pipeline (default
"pipeline"), filters (default none), and secret (GITHUB_HMAC) or range (IP) or
authentication with its configuration; with none it is UNAUTHENTICATED.

=head2 webhook_request(name, %members)

The request that put_webhook() makes of that.

=cut

sub webhook_request
{
	my ($name, %members) = @_;
	my ($authentication, $configuration) =
		defined $members{authentication} ? ($members{authentication}, $members{configuration} // {})
	  : defined $members{secret} ? ('GITHUB_HMAC', { SecretToken => $members{secret} })
	  : defined $members{range} ? ('IP', { AllowedIPRange => $members{range} })
	  : ('UNAUTHENTICATED', {});

	return { webhook => {
		name => $name,
		targetPipeline => $members{pipeline} // 'pipeline',
		targetAction => 'Source',
		filters => $members{filters} // [],
		authentication => $authentication,
		authenticationConfiguration => $configuration } };
}

sub put_webhook
{
	my ($node, @webhook) = @_;
	my $answer = call($node, 'put_webhook', webhook_request(@webhook));

	$answer->{webhook}{url} =~ m{^https?://[^/]+(/trigger/[A-Za-z0-9_-]{43})$}
	  or die "odd URL $answer->{webhook}{url}\n";
	return $1;
}

=head2 sign(secret, body)

GitHub's signature, for X-Hub-Signature-256.

=cut

sub sign
{
	my ($secret, $body) = @_;
	return 'sha256=' . hmac_sha256_hex($body, $secret);
}

=head1 HTTP

An answer is a hash: status, reason, headers (a hash, names in lower case),
body, json (the body as Perl data, or undef), version.

=head2 post(node, path, body, %options)

One POST on a connection of its own; returns its answer, undef when the
connection was closed without one. Bodies are bytes. Options: those of
request_text() and connect_to().

=cut

sub post
{
	my ($node, $path, $body, %options) = @_;
	my $connection = connect_to($node, %options);

	return $connection->request(POST => $path, body => $body, %options);
}

=head2 request_text(method, path, %options)

The bytes of a request. Options:

  body      its body; "Content-Length" is added
  chunks    instead: a list of pieces; "Transfer-Encoding: chunked" is added
  type      Content-Type where there is a body (default application/json; undef: none)
  secret    signs the body
  id        X-GitHub-Delivery
  event     X-GitHub-Event
  headers   more headers: [ Name => value, ... ], in order, may repeat

=cut

sub request_text
{
	my ($method, $path, %options) = @_;
	my @headers = ('Host', 'localhost', @{ $options{headers} || [] });
	my $body = $options{body};
	my $has_body = defined $body || $options{chunks};
	my $type = exists $options{type} ? $options{type} : 'application/json';

	$body = join '', @{ $options{chunks} } if $options{chunks};
	push @headers, 'Content-Type', $type if $has_body && defined $type;
	push @headers, 'X-Hub-Signature-256', sign($options{secret}, $body // '')
	  if defined $options{secret};
	push @headers, 'X-GitHub-Delivery', $options{id} if defined $options{id};
	push @headers, 'X-GitHub-Event', $options{event} if defined $options{event};
	if ($options{chunks})
	{
		push @headers, 'Transfer-Encoding', 'chunked';
		$body = join('', map { sprintf "%x\r\n%s\r\n", length, $_ }
			  grep { length } @{ $options{chunks} }) . "0\r\n\r\n";
	}
	elsif (defined $body)
	{
		push @headers, 'Content-Length', length $body;
	}

	my $text = "$method $path HTTP/1.1\r\n";
	while (my ($name, $value) = splice @headers, 0, 2)
	{
		$text .= "$name: $value\r\n";
	}
	return $text . "\r\n" . ($body // '');
}

=head2 connect_to(node, host => address, port => number, from => address)

A connection to a receiver, by default to 127.0.0.1, from that address: an
object with the methods that follow. It is closed when it goes out of scope.

=cut

sub connect_to
{
	my ($node, %options) = @_;
	return CpWebhook::Connection->new($options{host} // '127.0.0.1',
		$options{port} // port_of($node), $options{from});
}

package CpWebhook::Connection;

use Errno qw(EINTR);
use IO::Select;
use IO::Socket::IP;
use Time::HiRes qw(time);

sub new
{
	my ($class, $host, $port, $from) = @_;
	local $@;
	my $socket = IO::Socket::IP->new(PeerHost => $host, PeerPort => $port,
		Proto => 'tcp', $from ? (LocalHost => $from) : ()) or die "could not connect to $host port $port: $!\n";

	return bless {
		socket => $socket, buffer => '',
		server_port => $socket->peerport, client_port => $socket->sockport
	}, $class;
}

=head3 $connection->request(method, path, %options)

Sends request_text() and returns the answer.

=head3 $connection->send_text(bytes)

Sends the bytes. False when the other side has closed before it took them all.

=cut

sub request
{
	my ($self, $method, $path, %options) = @_;

	$self->send_text(CpWebhook::request_text($method, $path, %options));
	return $self->read_answer;
}

# A blocking write could wait for ever for a server that does not read: what it
# answers meanwhile is taken in, so that neither waits for the other.
sub send_text
{
	my ($self, $text) = @_;
	my $socket = $self->{socket};
	my $sent = 0;
	my $end = time + $CpWebhook::timeout;

	local $SIG{PIPE} = 'IGNORE';
	$socket->blocking(0);
	while ($sent < length $text)
	{
		my $written = syswrite $socket, $text, 262144, $sent;

		if (defined $written)
		{
			$sent += $written;
			next;
		}
		last unless $!{EAGAIN} || $!{EINTR};
		die "timed out sending a request\n" if time > $end;
		IO::Select->new($socket)->can_write(1);
	}
	$socket->blocking(1);
	return $sent == length $text;
}

=head3 $connection->read_answer

The next answer; undef when the connection was closed without one. Dies when
neither happens in time.

=cut

sub read_answer
{
	my ($self, %options) = @_;
	my $no_body = $options{no_body};
	my %answer = (headers => {});

	until ($self->{buffer} =~ /\r\n\r\n/)
	{
		return undef unless $self->_fill;
	}
	$self->{buffer} =~ s/^(.*?)\r\n\r\n//s or die;
	my ($line, @headers) = split /\r\n/, $1;
	$line =~ m{^HTTP/(1\.[01]) (\d{3}) ?(.*)$} or die "odd status line: $line\n";
	@answer{qw(version status reason)} = ($1, $2, $3);
	foreach my $header (@headers)
	{
		my ($name, $value) = $header =~ /^([^:\s]+):\s*(.*)$/
		  or die "odd header: $header\n";

		$answer{headers}{ lc $name } = $value;
	}
	if ($answer{status} == 100)
	{
		$self->{continued}++;
		return $self->read_answer(%options);
	}

	my $length = $answer{headers}{'content-length'};
	if ($no_body || $answer{status} == 204)
	{
		$length = 0;
	}
	elsif (!defined $length)
	{
		1 while $self->_fill;
		$length = length $self->{buffer};
	}
	while (length $self->{buffer} < $length)
	{
		$self->_fill or die "the connection was closed inside an answer\n";
	}
	$answer{body} = substr $self->{buffer}, 0, $length, '';
	$answer{json} = CpWebhook::json_of($answer{body});
	return \%answer;
}

# Reads what comes; false at the end of the connection.
sub _fill
{
	my ($self) = @_;
	my $count;

	IO::Select->new($self->{socket})->can_read($CpWebhook::timeout)
	  or die "timed out waiting for an answer\n";
	do
	{
		$count = sysread $self->{socket}, $self->{buffer}, 65536, length $self->{buffer};
	} while (!defined $count && $!{EINTR});
	return $count;
}

=head3 $connection->is_readable(seconds)

Whether something (an answer, or the end) comes within that time.

=head3 $connection->wait_for_end

Waits until the other side closes the connection; returns what came before.

=head3 $connection->finish_sending, $connection->close

=cut

sub is_readable
{
	my ($self, $seconds) = @_;
	return $self->{buffer} ne ''
	  || scalar IO::Select->new($self->{socket})->can_read($seconds);
}

sub wait_for_end
{
	my ($self) = @_;

	1 while $self->_fill;
	return $self->{buffer};
}

sub finish_sending
{
	my ($self) = @_;
	shutdown $self->{socket}, 1;
	return;
}

sub close
{
	my ($self) = @_;
	$self->{socket}->close;
	return;
}

package CpWebhook;

=head1 NOTIFICATIONS

=head2 listen_for_notifications(node)

A background psql that listens on the channel cp_webhook.

=head2 take_notifications(psql, count)

Waits for so many notifications, returns their payloads as Perl data. What has
come beyond them waits for the next call.

=cut

my %notifications;

sub listen_for_notifications
{
	my ($node) = @_;
	my $psql = $node->background_psql('postgres');

	$psql->query_safe('LISTEN cp_webhook');
	return $psql;
}

sub take_notifications
{
	my ($psql, $count) = @_;
	my $taken = $notifications{$psql} //= [];

	if ($count > @$taken)
	{
		poll("$count notifications have come", sub {
			my $output = $psql->query('SELECT 1');

			push @$taken, map { json_of($_) } $output
			  =~ /^Asynchronous notification "cp_webhook" with payload "(.*)" received/mg;
			return @$taken >= $count;
		});
	}
	else
	{
		# Those that nobody expects are to be seen as well.
		my $output = $psql->query('SELECT 1');

		push @$taken, map { json_of($_) } $output
		  =~ /^Asynchronous notification "cp_webhook" with payload "(.*)" received/mg;
	}
	return splice @$taken, 0, $count;
}

=head2 count_notifications(psql)

How many have come that were not taken.

=cut

sub count_notifications
{
	my ($psql) = @_;

	take_notifications($psql, 0);
	return scalar @{ $notifications{$psql} };
}

1;
