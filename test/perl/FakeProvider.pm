
=head1 NAME

FakeProvider - a server that behaves like the APIs of GitHub, GitLab, Gitea and
Bitbucket, for the tests of registrations

=head1 SYNOPSIS

  use FakeProvider;

  my $fake = FakeProvider->start;
  my $url = $fake->api_url('GitHub');        # http://127.0.0.1:port/github
  ...
  my @hooks = $fake->hooks;                  # { provider, repository, id, url, secret, events }
  my @requests = $fake->requests;            # { method, path, query, headers, body, json }
  $fake->fault(method => 'POST', do => 'drop_after', times => 1);
  $fake->deliver($hook, 'push', '{"ref":"refs/heads/main"}');

It runs as a process of its own, so what it knows outlives the database's
crashes. It knows the repositories octo/site, octo/deep/site (GitLab) and
octo/many, which has 250 hooks of others; it takes the token "good-token".

=head2 Faults

fault() has the members method (a request's; default any), times (default for
ever) and do:

  status       answers status with headers and body, does nothing
  hang         never answers
  drop_before  closes the connection, does nothing
  drop_after   does what is asked, closes the connection
  half         does it, sends half of the answer
  garbage      does it, answers what is no JSON
  large        answers 5 MB
  slow         waits for seconds before it answers; later requests do not wait
  late         closes the connection, and does it after seconds
  redirect     answers status (default 307) with the Location given

=cut

package FakeProvider;

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(time sleep);

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

my %prefix = (
	GitHub => '/github',
	GitHubEnterprise => '/api/v3',
	GitLab => '/api/v4',
	Gitea => '/api/v1',
	Forgejo => '/forgejo/api/v1',
	Bitbucket => '/2.0');

our @started;

# ---- the test's side ----

sub start
{
	my ($class, %options) = @_;
	my $listener = IO::Socket::INET->new(
		LocalAddr => $options{address} // '127.0.0.1',
		Listen => 256,
		ReuseAddr => 1) or die "could not listen: $!";
	my $self = bless { port => $listener->sockport, tls => $options{tls} }, $class;
	my $pid = fork;

	die "could not fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		$SIG{PIPE} = 'IGNORE';
		$SIG{TERM} = 'DEFAULT';
		eval { FakeProvider::Server->new($listener, $options{tls})->serve };
		print STDERR "the fake provider died: $@" if $@;
		POSIX::_exit(1);
	}
	close $listener;
	$self->{pid} = $pid;
	$self->{owner} = $$;
	push @started, $self;
	return $self;
}

sub stop
{
	my ($self) = @_;

	return if !$self->{pid} || $self->{owner} != $$;
	kill TERM => $self->{pid};
	waitpid $self->{pid}, 0;
	$self->{pid} = 0;
	return;
}

END
{
	local $?;
	$_->stop foreach @started;
}

sub port { return $_[0]{port} }

sub api_url
{
	my ($self, $provider, $host) = @_;

	return ($self->{tls} ? 'https' : 'http') . '://' . ($host // '127.0.0.1')
	  . ":$self->{port}$prefix{$provider}";
}

# A control request: not one of an API.
sub _control
{
	my ($self, $what, $data) = @_;
	my $body = $json->encode($data // {});
	my $class = 'IO::Socket::INET';
	my @options = (PeerAddr => '127.0.0.1', PeerPort => $self->{port});

	if ($self->{tls})
	{
		require IO::Socket::SSL;
		$class = 'IO::Socket::SSL';
		push @options, SSL_verify_mode => 0;
	}
	my $socket = $class->new(@options) or die "the fake provider does not answer: $!";
	print $socket "POST /_$what HTTP/1.1\r\nContent-Length: " . length($body)
	  . "\r\nConnection: close\r\n\r\n$body";
	local $/;
	my $answer = <$socket>;
	$answer =~ s/^.*?\r\n\r\n//s;
	return $json->decode($answer);
}

sub hooks { return @{ $_[0]->_control('hooks') } }
sub requests { return @{ $_[0]->_control('requests') } }
sub connections { return $_[0]->_control('connections')->{count} }
sub forget { $_[0]->_control('forget'); return }
sub heal { $_[0]->_control('heal'); return }

sub fault
{
	my ($self, %fault) = @_;
	$self->_control('fault', \%fault);
	return;
}

sub remove_hook
{
	my ($self, $id) = @_;
	$self->_control('remove', { id => $id });
	return;
}

=head2 deliver(hook, event, body, %options)

The provider posts to a hook's URL, signed with the hook's secret. The status
of the answer, and its body.

=cut

sub deliver
{
	my ($self, $hook, $event, $body, %options) = @_;
	my $answer = $self->_control('deliver',
		{ hook => $hook, event => $event, body => $body, %options });

	return @$answer{qw(status body)};
}

# ---- the server ----

package FakeProvider::Server;

use IO::Select;
use Time::HiRes qw(time sleep);

my %by_prefix = reverse %prefix;
my $next_id = 1000;

sub new
{
	my ($class, $listener, $tls) = @_;

	return bless { listener => $listener, tls => $tls, hooks => [], requests => [],
		faults => [], connections => {}, later => [], accepted => 0 }, $class;
}

sub serve
{
	my ($self) = @_;

	while (1)
	{
		my $select = IO::Select->new($self->{listener},
			map { $_->{socket} } grep { !$_->{hangs} } values %{ $self->{connections} });
		my $until = 60;

		foreach my $later (@{ $self->{later} })
		{
			my $left = $later->{at} - time;
			$until = $left if $left < $until;
		}
		foreach my $socket ($select->can_read($until > 0 ? $until : 0))
		{
			if ($socket == $self->{listener})
			{
				$self->accept_connection;
			}
			elsif (my $connection = $self->{connections}{ fileno $socket })
			{
				$self->read_connection($connection);
			}
		}
		my @due = grep { $_->{at} <= time } @{ $self->{later} };
		$self->{later} = [ grep { $_->{at} > time } @{ $self->{later} } ];
		$_->{code}->() foreach @due;
	}
	return;
}

sub accept_connection
{
	my ($self) = @_;
	my $socket = $self->{listener}->accept or return;

	$self->{accepted}++;
	if ($self->{tls})
	{
		require IO::Socket::SSL;
		IO::Socket::SSL->start_SSL($socket, SSL_server => 1,
			SSL_cert_file => $self->{tls}{cert}, SSL_key_file => $self->{tls}{key})
		  or return;
	}
	$self->{connections}{ fileno $socket } = { socket => $socket, buffer => '', fd => fileno $socket };
	return;
}

sub drop
{
	my ($self, $connection) = @_;

	delete $self->{connections}{ $connection->{fd} };
	close $connection->{socket};
	return;
}

sub read_connection
{
	my ($self, $connection) = @_;
	my $count = sysread $connection->{socket}, $connection->{buffer}, 65536,
	  length $connection->{buffer};

	return $self->drop($connection) unless $count;
	while ($connection->{buffer} =~ /^(.*?)\r\n\r\n/s)
	{
		my ($head, $length) = ($1, 0);
		my ($line, @headers) = split /\r\n/, $head;
		my %headers = map { /^([^:]+):\s*(.*)$/ ? (lc $1 => $2) : () } @headers;

		$length = $headers{'content-length'} // 0;
		last if length $connection->{buffer} < length($head) + 4 + $length;
		my $body = substr $connection->{buffer}, length($head) + 4, $length;
		substr $connection->{buffer}, 0, length($head) + 4 + $length, '';
		my ($method, $target) = split / /, $line;
		my $proxied = $target =~ s{^http://([^/]+)/}{/} ? $1 : undef;
		my ($path, $query) = split /\?/, $target, 2;

		$self->handle($connection, { method => $method, path => $path, query => $query // '', proxied => $proxied,
			headers => \%headers, body => $body, json => scalar eval { $json->decode($body) },
			time => time });
		last unless $self->{connections}{ $connection->{fd} };
	}
	return;
}

sub answer
{
	my ($self, $connection, $status, $headers, $body, %options) = @_;
	my $text = "HTTP/1.1 $status X\r\nContent-Type: application/json; charset=utf-8\r\n"
	  . join('', map { "$_: $headers->{$_}\r\n" } sort keys %$headers)
	  . "Content-Length: " . length($body) . "\r\n\r\n$body";

	$text = substr $text, 0, length($text) - int(length($body) / 2) - 1 if $options{half};
	while (length $text)
	{
		my $written = syswrite $connection->{socket}, $text;
		last unless $written;
		substr $text, 0, $written, '';
	}
	$self->drop($connection) if $options{half};
	return;
}

# ---- control ----

sub control
{
	my ($self, $what, $data) = @_;

	if ($what eq 'fault') { push @{ $self->{faults} }, $data; return {} }
	if ($what eq 'heal') { $self->{faults} = []; return {} }
	if ($what eq 'forget') { $self->{requests} = []; return {} }
	if ($what eq 'hooks') { return $self->{hooks} }
	if ($what eq 'requests') { return $self->{requests} }
	if ($what eq 'connections') { return { count => $self->{accepted} } }
	if ($what eq 'remove')
	{
		$self->{hooks} = [ grep { $_->{id} ne $data->{id} } @{ $self->{hooks} } ];
		return {};
	}
	return $self->deliver($data) if $what eq 'deliver';
	die "unknown control $what";
}

sub deliver
{
	my ($self, $data) = @_;
	my $hook = $data->{hook};
	my ($host, $port, $path) = $hook->{url} =~ m{^http://([^:/]+):(\d+)(/.*)$}
	  or return { status => 0, body => 'odd URL' };
	my $secret = $hook->{secret} // '';
	utf8::encode($secret);
	my $signature = Digest::SHA::hmac_sha256_hex($data->{body}, $secret);
	my %headers = (
		GitHub => "X-GitHub-Event: $data->{event}\r\nX-Hub-Signature-256: sha256=$signature\r\n",
		Gitea => "X-Gitea-Event: $data->{event}\r\nX-Gitea-Signature: $signature\r\nX-Hub-Signature-256: sha256=$signature\r\n",
		GitLab => "X-Gitlab-Event: $data->{event}\r\nX-Gitlab-Token: $secret\r\n",
		Bitbucket => "X-Event-Key: $data->{event}\r\nX-Hub-Signature: sha256=$signature\r\n");
	my $socket = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port, Timeout => 10)
	  or return { status => 0, body => 'refused' };

	print $socket "POST $path HTTP/1.1\r\nHost: $host\r\nContent-Type: application/json\r\n"
	  . ($headers{ $hook->{provider} } // $headers{GitHub})
	  . ($data->{id} ? "X-GitHub-Delivery: $data->{id}\r\n" : '')
	  . "Content-Length: " . length($data->{body}) . "\r\nConnection: close\r\n\r\n$data->{body}";
	local $/;
	my $answer = <$socket> // '';
	my ($status) = $answer =~ m{^HTTP/1.1 (\d+)};
	$answer =~ s/^.*?\r\n\r\n//s;
	return { status => $status // 0, body => $answer };
}

# ---- faults ----

sub find_fault
{
	my ($self, $request) = @_;

	foreach my $fault (@{ $self->{faults} })
	{
		next if defined $fault->{method} && $fault->{method} ne $request->{method};
		next if defined $fault->{times} && $fault->{times}-- <= 0;
		return $fault;
	}
	return;
}

sub handle
{
	my ($self, $connection, $request) = @_;

	if ($request->{path} =~ m{^/_(\w+)$})
	{
		$self->answer($connection, 200, {}, $json->encode($self->control($1, $request->{json})));
		return $self->drop($connection);
	}
	push @{ $self->{requests} }, $request;
	my $fault = $self->find_fault($request) || { do => '' };
	my $do = $fault->{do};

	if ($do eq 'status')
	{
		return $self->answer($connection, $fault->{status}, $fault->{headers} || {}, $fault->{body} // '');
	}
	if ($do eq 'hang') { $connection->{hangs} = 1; return }
	if ($do eq 'drop_before') { return $self->drop($connection) }
	if ($do eq 'large') { return $self->answer($connection, 200, {}, '[' . ' ' x 5_000_000 . ']') }
	if ($do eq 'redirect')
	{
		return $self->answer($connection, $fault->{status} // 307, { Location => $fault->{location} }, '');
	}
	if ($do eq 'late')
	{
		push @{ $self->{later} }, { at => time + $fault->{seconds}, code => sub { $self->api($request) } };
		return $self->drop($connection);
	}
	if ($do eq 'slow')
	{
		push @{ $self->{later} }, { at => time + $fault->{seconds},
			code => sub { $self->answer($connection, $self->api($request)) } };
		return;
	}
	my ($status, $headers, $body) = $self->api($request);
	if ($do eq 'drop_after') { return $self->drop($connection) }
	if ($do eq 'garbage') { $body = '<html>it works</html>' }
	return $self->answer($connection, $status, $headers, $body, half => $do eq 'half');
}

# ---- the APIs ----

sub api
{
	my ($self, $request) = @_;
	my ($prefix) = grep { index($request->{path}, "$_/") == 0 } sort { length $b <=> length $a } keys %by_prefix;
	my $provider = defined $prefix ? $by_prefix{$prefix} : '';
	my $kind = $provider =~ /^GitHub/ ? 'GitHub' : $provider eq 'Forgejo' ? 'Gitea' : $provider;
	my $path = defined $prefix ? substr $request->{path}, length $prefix : '';
	my %patterns = (
		GitHub => qr{^/repos/([\w.-]+/[\w.-]+)/hooks(?:/(\d+))?$},
		Gitea => qr{^/repos/([\w.-]+/[\w.-]+)/hooks(?:/(\d+))?$},
		GitLab => qr{^/projects/([\w.-]+(?:%2F[\w.-]+)+)/hooks(?:/(\d+))?$},
		Bitbucket => qr{^/repositories/([\w.-]+/[\w.-]+)/hooks(?:/(%7B[0-9a-f-]+%7D))?$});
	my %tokens = (
		GitHub => [ authorization => 'Bearer good-token' ],
		Gitea => [ authorization => 'token good-token' ],
		GitLab => [ 'private-token' => 'good-token' ],
		Bitbucket => [ authorization => 'Bearer good-token' ]);

	return (404, {}, '{"message":"Not Found"}') unless $kind && $path =~ $patterns{$kind};
	my ($repository, $id) = ($1, $2);
	my ($header, $value) = @{ $tokens{$kind} };

	s/%([0-9A-F]{2})/chr hex $1/ge foreach grep { defined } $repository, $id;
	return $self->complain($kind, 403, 'Request forbidden by administrative rules.')
	  unless ($request->{headers}{'user-agent'} // '') ne '';
	return $self->complain($kind, 401, 'Bad credentials')
	  if ($request->{headers}{$header} // '') ne $value;
	return $self->complain($kind, 404, 'Not Found') if $repository !~ m{^octo/(?:site\d*|deep/site|many)$};

	my @mine = grep { $_->{provider} eq $kind && $_->{repository} eq $repository } @{ $self->{hooks} };
	if ($repository eq 'octo/many' && !$self->{filled}{$kind}++)
	{
		push @{ $self->{hooks} }, map { { provider => $kind, repository => $repository,
			id => $self->new_id($kind), url => "https://ci.example.com/hook/$_", events => [] } } 1 .. 250;
		@mine = grep { $_->{provider} eq $kind && $_->{repository} eq $repository } @{ $self->{hooks} };
	}
	return $self->list($kind, $request, @mine) if $request->{method} eq 'GET' && !defined $id;
	return $self->create($kind, $repository, $request) if $request->{method} eq 'POST' && !defined $id;

	my ($hook) = grep { $_->{id} eq ($id // '') } @mine;
	return $self->complain($kind, 404, 'Not Found') unless $hook;
	if ($request->{method} eq 'DELETE')
	{
		$self->{hooks} = [ grep { $_ != $hook } @{ $self->{hooks} } ];
		return (204, {}, '');
	}
	my $method = $kind eq 'GitHub' || $kind eq 'Gitea' ? 'PATCH' : 'PUT';
	return $self->complain($kind, 405, 'Method Not Allowed') if $request->{method} ne $method;
	my $problem = $self->fill($kind, $hook, $request->{json}, 1);
	return $problem ? $self->complain($kind, 422, $problem) : (200, {}, $json->encode($self->show($kind, $hook)));
}

sub new_id
{
	my ($self, $kind) = @_;

	$next_id++;
	return $kind eq 'Bitbucket'
	  ? sprintf('{00000000-0000-4000-8000-%012x}', $next_id) : "$next_id";
}

sub complain
{
	my ($self, $kind, $status, $text) = @_;
	my $body =
		$kind eq 'Bitbucket' ? { type => 'error', error => { message => $text } }
	  : $kind eq 'GitLab' ? { message => "$status $text" }
	  : $kind eq 'GitHub' && $status == 422 ? { message => 'Validation Failed', errors => [ { resource => 'Hook', code => 'custom', message => $text } ] }
	  : { message => $text };

	return ($status, {}, $json->encode($body));
}

sub list
{
	my ($self, $kind, $request, @hooks) = @_;
	my %query = map { split /=/, $_, 2 } split /&/, $request->{query};
	my $size = $query{per_page} // $query{limit} // $query{pagelen} // 10;
	my $page = $query{page} // 1;
	my $first = ($page - 1) * $size;
	my $more = @hooks > $first + $size;
	my @shown = map { $self->show($kind, $_) } grep { defined } @hooks[ $first .. $first + $size - 1 ];
	my %headers;

	if ($more && $kind ne 'Bitbucket')
	{
		my $next = "https://elsewhere.example.com/page?page=" . ($page + 1);
		$headers{Link} = "<https://elsewhere.example.com/page?page=1>; rel=\"first\", <$next>; rel=\"next\"";
		$headers{'X-Next-Page'} = $page + 1 if $kind eq 'GitLab';
	}
	$headers{'X-Next-Page'} //= '' if $kind eq 'GitLab';
	return (200, \%headers, $json->encode(\@shown)) if $kind ne 'Bitbucket';
	return (200, {}, $json->encode({ pagelen => $size + 0, page => $page + 0, size => scalar @hooks, values => \@shown,
		$more ? (next => 'https://elsewhere.example.com/?page=' . ($page + 1)) : () }));
}

# Takes over a hook's body; what is wrong with it, or ''.
sub fill
{
	my ($self, $kind, $hook, $body, $is_update) = @_;

	return 'no JSON' if ref $body ne 'HASH';
	if ($kind eq 'GitHub' || $kind eq 'Gitea')
	{
		return 'name must be web' if $kind eq 'GitHub' && !$is_update && ($body->{name} // '') ne 'web';
		return 'type is missing' if $kind eq 'Gitea' && !$is_update && ($body->{type} // '') ne 'gitea';
		return 'config.url is missing' unless $body->{config}{url};
		return 'content_type must be json' if ($body->{config}{content_type} // '') ne 'json';
		return 'events are missing' unless ref $body->{events} eq 'ARRAY' && @{ $body->{events} };
		$hook->{url} = $body->{config}{url};
		$hook->{secret} = $body->{config}{secret};
		$hook->{events} = $body->{events};
		$hook->{active} = $body->{active} ? 1 : 0;
	}
	elsif ($kind eq 'GitLab')
	{
		return 'url is missing' unless $body->{url};
		$hook->{url} = $body->{url};
		$hook->{secret} = $body->{token} if exists $body->{token};
		$hook->{events} = [ sort grep { /_events$/ && $body->{$_} } keys %$body ];
		$hook->{active} = 1;
	}
	else
	{
		return 'url is missing' unless $body->{url};
		return 'description is missing' unless $body->{description};
		return 'events are missing' unless ref $body->{events} eq 'ARRAY' && @{ $body->{events} };
		$hook->{url} = $body->{url};
		$hook->{secret} = $body->{secret} if exists $body->{secret};
		$hook->{events} = $body->{events};
		$hook->{active} = $body->{active} ? 1 : 0;
	}
	return '';
}

sub create
{
	my ($self, $kind, $repository, $request) = @_;
	my $hook = { provider => $kind, repository => $repository, id => $self->new_id($kind), time => time };
	my $problem = $self->fill($kind, $hook, $request->{json});

	return $self->complain($kind, 422, $problem) if $problem;
	push @{ $self->{hooks} }, $hook;
	return (201, {}, $json->encode($self->show($kind, $hook)));
}

# A hook as its API shows it: never the secret.
sub show
{
	my ($self, $kind, $hook) = @_;

	return { uuid => $hook->{id}, url => $hook->{url}, events => $hook->{events}, active => JSON::PP::true,
		secret_set => defined $hook->{secret} ? JSON::PP::true : JSON::PP::false }
	  if $kind eq 'Bitbucket';
	return { id => $hook->{id} + 0, url => $hook->{url}, project_id => 7 } if $kind eq 'GitLab';
	return { id => $hook->{id} + 0, type => $kind eq 'Gitea' ? 'gitea' : 'Repository', active => JSON::PP::true,
		events => $hook->{events}, url => "https://elsewhere.example.com/hooks/$hook->{id}",
		config => { url => $hook->{url}, content_type => 'json',
			defined $hook->{secret} ? (secret => '********') : () } };
}

1;
