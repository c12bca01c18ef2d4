
=head1 NAME

Wire - calls on the AWS wire, for the TAP tests

=head1 SYNOPSIS

  my $node = start_api('wire', settings => { workers => 1 });
  my $key = create_key($node, 'deployer');
  my $answer = wire($node, $key, 'ListWebhooks', {});
  is($answer->{json}{__type}, 'AccessDeniedException');

=cut

package Wire;

use strict;
use warnings;

use CpWebhook;
use Exporter 'import';
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use Sigv4;

our @EXPORT = qw(
  start_api api_port_of wait_until_api_listens create_key
  wire wire_text get_api metric
);

my %api_port;
my $json = JSON::PP->new->utf8->canonical;

=head2 start_api(name, %options)

start_receivers() with an api worker on a port of its own; waits until it
listens, unless start is 0.

=cut

sub start_api
{
	my ($name, %options) = @_;
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $node = start_receivers($name, %options,
		settings => { api_port => $port, %{ $options{settings} || {} } });

	$api_port{ $node->name } = $port;
	wait_until_api_listens($node) unless defined $options{start} && !$options{start};
	return $node;
}

=head2 api_port_of(node), wait_until_api_listens(node)

=cut

sub api_port_of
{
	my ($node) = @_;
	return $api_port{ $node->name };
}

sub wait_until_api_listens
{
	my ($node) = @_;
	my $port = api_port_of($node);

	poll("the api worker listens on $port", sub {
		$node->safe_psql('postgres', 'SELECT listening FROM cp_webhook.api_stats()')
		  =~ /:$port\b/;
	});
	return;
}

=head2 create_key(node, role)

An access key of that role: key and secret, as wire() takes them.

=cut

sub create_key
{
	my ($node, $role) = @_;
	my ($key, $secret) = split /\|/, $node->safe_psql('postgres',
		"SELECT * FROM cp_webhook.create_access_key('$role')");

	return { key => $key, secret => $secret };
}

=head2 wire(node, key, operation, request, %options)

One call and its answer. The request is Perl data, or bytes. Options are those
of sign_request(), and

  change     code that changes the text of the signed request
  unsigned   1: without a signature
  sends      the body that is sent in place of the one that is signed
  port       in place of the api worker's

=head2 wire_text(key, operation, request, %options)

The bytes of the request.

=cut

sub wire_text
{
	my ($key, $operation, $request, %options) = @_;
	my $body = ref $request ? $json->encode($request) : $request;
	my %headers = sign_request(%$key, host => 'localhost', body => $body, %options,
		headers => { 'X-Amz-Target' => "CodePipeline_20150709.$operation",
			%{ $options{headers} || {} } });
	my $text;

	delete $headers{Host};
	delete $headers{Authorization} if $options{unsigned};
	$text = request_text($options{method} // 'POST',
		($options{path} // '/') . (defined $options{query} ? "?$options{query}" : ''),
		body => $options{sends} // $body, type => undef, headers => [%headers]);
	$text = $options{change}->($text) if $options{change};
	return $text;
}

sub wire
{
	my ($node, $key, $operation, $request, %options) = @_;
	my $connection = connect_to($node, port => $options{port} // api_port_of($node));

	$connection->send_text(wire_text($key, $operation, $request, %options));
	return $connection->read_answer;
}

=head2 get_api(node, path, %options)

A GET on the api worker's port; options are those of request_text().

=cut

sub get_api
{
	my ($node, $path, %options) = @_;
	return connect_to($node, port => api_port_of($node))->request(GET => $path, %options);
}

=head2 metric(node, line)

The value of a metric with its labels; undef where there is none.

=cut

sub metric
{
	my ($node, $name) = @_;
	return get_api($node, '/metrics')->{body} =~ /^\Q$name\E (\S+)$/m ? $1 : undef;
}

1;
